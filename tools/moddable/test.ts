/**
 * `npm run test:moddable`: the tests on the real Moddable runtime, an update over mosquitto and over HTTP, the
 * ESP32 link step, and what the agent costs. Needs a Moddable SDK (MODDABLE), nothing of ESP-IDF.
 * @module
 */
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { Command } from "commander";
import { connectAsync } from "mqtt";
import { generateIdentity } from "../../service/signer.js";
import { freePort } from "../../test/support/daemon.js";
import { startMosquitto } from "../../test/support/mosquitto.js";
import { updatePageOnDesk } from "./components.js";
import { type DeskOptions, THING, updateOnDesk } from "./desk.js";
import { EVERYTHING, updateEverything } from "./everything.js";
import { prepareExample } from "./example.js";
import { measureRom, romRows } from "./figures.js";
import { linkForEsp32 } from "./link.js";
import { invertBytes, type Part } from "./mod-bytes.js";
import { DESK_MODS, updateModsOnDesk } from "./mods.js";
import { deployModsByCommand } from "./mods-command.js";
import { makeMutualTls } from "./mutual-tls.js";
import { pushOnDesk } from "./push.js";
import { readmeApplication } from "./readme.js";
import { recommendedCreation } from "./recommended.js";
import { BuildError, MissingError, ROOT, Sdk } from "./sdk.js";
import { runSuite, type SuiteOptions } from "./suite.js";

interface Options {
  size: string;
  seconds: string;
  turn: string;
  only?: string;
  output?: string;
  everyByte?: true | string;
}
const command = new Command("npm run test:moddable --")
  .description("The tests on the Moddable runtime, updates, the ESP32 link step. Needs MODDABLE.")
  .option("--size <bytes>", "of the image in the long updates", "1500000")
  .option("--seconds <number>", "longest that a step may run, of the clock; tests: of the processor", "1800")
  .option("--turn <ms>", "longest the agent may keep the application waiting, in processor time", "50")
  .option("--only <text>", "steps whose title has this in it, or one of several such texts with | between")
  .option(
    "--every-byte [part]",
    "invert each byte of the large mod, not some: an hour of a processor; 2/4: the second quarter of them",
  )
  .option(
    "--output <folder>",
    "where to build, and what was built is kept for the next run (default: thrown away)",
  )
  .parse();
const { size, seconds: longest, turn, only = "", output, everyByte } = command.opts<Options>();
/** Bytes of the image in an update. */
const IMAGE = Number(size);
const SECONDS = Number(longest);
/** Longest the agent may keep the application waiting, milliseconds of processor time. */
const LONGEST_TURN = Number(turn);
for (const [name, value] of Object.entries({ size: IMAGE, seconds: SECONDS, turn: LONGEST_TURN }))
  if (!(value > 0)) command.error(`error: --${name} is a number above 0`);
/** Which bytes of the large mod, unless it is some. */
const EVERY = everyByte === undefined ? undefined : partOf(everyByte);
/** Those of the SDK with Wi-Fi. */
const TARGETS = ["esp32", "esp32/esp32s3", "esp32/esp32c3", "esp32/esp32c6", "esp32/qtpys2"];
const EXAMPLES = readdirSync(join(ROOT, "examples"));
/** Applications of other shapes, below test/moddable/apps. */
const APPS = {
  javascript: "in JavaScript",
  classic: "with a classic MQTT client",
  ecma: "with an ECMA-419 MQTT client",
  worker: "with the agent in a Worker",
  mcpack: "that is a package, by mcpack",
  "mcpack-typescript": "that is a package in TypeScript with options, by mcpack",
};
/** Bytes of a slot on ESP32. */
const SLOT = 16;

const SUITE_INCLUDE = [
  "modules/io/manifest.json",
  "modules/files/file/manifest.json",
  "modules/files/preference/manifest.json",
  "examples/io/tcp/tlssocket/manifest.json",
  "examples/io/tcp/mqtt/manifest_mqtt.json",
  "modules/network/mqtt/manifest.json",
];

function partOf(text: string | true): Part {
  if (text === true) return { n: 1, of: 1 };
  const [n = 0, of = 0] = /^(\d+)\/(\d+)$/.exec(text)?.slice(1).map(Number) ?? [];
  if (!(n >= 1 && n <= of)) command.error("error: --every-byte takes a part such as 2/4");
  return { n, of };
}

/** Numbers an application tells, by name. */
type Figure = Readonly<Record<string, number>>;

let failures = 0;
let steps = 0;

function report(ok: boolean, text: string): void {
  if (!ok) failures++;
  console.log(`${ok ? "ok    " : "FAILED"} ${text}`);
}

async function step(title: string, action: () => Promise<string>): Promise<void> {
  if (!only.split("|").some((text) => title.includes(text))) return;
  steps++;
  try {
    report(true, `${title}: ${await action()}`);
  } catch (error) {
    report(false, `${title}: ${(error as Error).message}`);
  }
}

async function suite(
  sdk: Sdk,
  name: string,
  files: readonly string[],
  more: Partial<SuiteOptions> = {},
): Promise<string> {
  const options = { sdk, name, files, include: SUITE_INCLUDE, seconds: SECONDS };
  const { passed, failed, output } = await runSuite({ ...options, ...more });
  if (failed) throw new Error(`${failed} of ${passed + failed} tests failed\n${output}`);
  return `${passed} tests`;
}

/** Keeps what an application writes. @throws Error with the end of it, when `action` throws */
async function listening<Result>(
  action: (line: (text: string) => void, lines: readonly string[]) => Promise<Result>,
): Promise<Result> {
  const lines: string[] = [];
  try {
    return await action((text) => void lines.push(text), lines);
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${lines.slice(-60).join("\n")}`);
  }
}

function update(
  options: Omit<DeskOptions, "seconds" | "line">,
): Promise<{ seconds: number; lines: readonly string[] }> {
  return listening(async (line, lines) => {
    const { execution, milliseconds } = await updateOnDesk({ ...options, seconds: SECONDS, line });
    const { status, statusDetails } = execution;
    if (status !== "SUCCEEDED") throw new Error(`${status} ${JSON.stringify(statusDetails)}`);
    return { seconds: milliseconds / 1000, lines };
  });
}

/** As `update`, by a broker of its own that demands a certificate of the device. */
async function overMutualTls(
  sdk: Sdk,
  options: Omit<DeskOptions, "sdk" | "broker" | "config" | "nvs" | "seconds" | "line">,
): ReturnType<typeof update> {
  const { settings, nvs } = await makeMutualTls(sdk);
  const port = await freePort();
  const secure = await startMosquitto([`listener ${port} 127.0.0.1`, "allow_anonymous true", ...settings]);
  try {
    const config = { secure: true, host: "127.0.0.1", port };
    return await update({ ...options, sdk, broker: secure.url, config, nvs });
  } finally {
    await secure.stop();
  }
}

/** What the line that begins with `name` says, as JSON. */
function figure(lines: readonly string[], name: string): Figure {
  const line = lines.find((text) => text.startsWith(`${name} `) || text.startsWith(`${name}:`));
  if (!line) throw new Error(`the application does not tell "${name}"`);
  return JSON.parse(line.slice(line.indexOf("{"))) as Figure;
}

/** What the application of test/moddable/memory tells. */
function memoryOf(lines: readonly string[]): string {
  const [application, opening, connected, rest, peak, stack] = [
    ...["application", "opening", "connected", "rest", "peak", "stack"],
  ].map((name) => figure(lines, `memory ${name}`)) as [Figure, Figure, Figure, Figure, Figure, Figure];
  const more = (to: Figure, from: Figure = { slots: 0, chunks: 0 }) =>
    `${to["slots"] - from["slots"]} slots (${(to["slots"] - from["slots"]) * SLOT} bytes on ESP32) and ${to["chunks"] - from["chunks"]} bytes of chunks`;
  return [
    `the application by itself ${more(application)}`,
    `at the peak of connecting ${more(opening)}`,
    `connection ${more(connected)}`,
    `agent at rest ${more(rest, connected)}`,
    `at the peak of a transfer ${more(peak, connected)}, the simulated flash included`,
    `stack ${stack["slots"]} slots`,
  ].join("; ");
}

/** Longest turns of the life in which the update was received, milliseconds of processor time. */
function longestTurns(lines: readonly string[]): { running: number; restart: number } {
  for (const line of lines) {
    const turns = /^runner: longest turn ([\d.]+) ms, at the end ([\d.]+) ms$/.exec(line);
    if (turns) return { running: Number(turns[1]), restart: Number(turns[2]) };
  }
  throw new Error("the runner does not tell the longest turn");
}

/** Sends the application a command every second. @returns a function that ends it and says how many were answered */
async function commands(broker: string): Promise<() => Promise<{ sent: number; answered: number }>> {
  const client = await connectAsync(broker);
  let sent = 0;
  let answered = 0;
  client.on("message", () => answered++);
  await client.subscribeAsync("answers/desk", { qos: 1 });
  const timer = setInterval(() => client.publish("commands/desk", String(++sent), { qos: 1 }), 1_000);
  return async () => {
    clearInterval(timer);
    await client.endAsync();
    return { sent, answered };
  };
}

async function updates(sdk: Sdk): Promise<void> {
  const mosquitto = await startMosquitto();
  const application = join(ROOT, "examples/shared-connection");
  const rate = (seconds: number) => `${seconds.toFixed(1)} s, ${(IMAGE / 1024 / seconds).toFixed(0)} KB/s`;
  try {
    for (const protocol of ["MQTT", "HTTP"] as const)
      await step(`update of ${IMAGE} bytes over ${protocol}, broker mosquitto`, async () => {
        const options = { sdk, application, size: IMAGE, broker: mosquitto.url, protocols: [protocol] };
        let ended = { sent: 0, answered: 0 };
        const end = await commands(mosquitto.url);
        const { seconds, lines } = await update(options).finally(async () => void (ended = await end()));
        const reports = figure(lines, "reports");
        const turns = figure(lines, "turns");
        if (reports["failed"]) throw new Error(`${reports["failed"]} reports of the application were lost`);
        const { running, restart } = longestTurns(lines);
        if (running > LONGEST_TURN) throw new Error(`a turn took ${running} ms of processor time`);
        // Those sent before the application has subscribed, and while it restarts, nobody hears.
        if (!figure(lines, "commands")["count"] || !ended.answered)
          throw new Error(`${ended.answered} of ${ended.sent} commands to the application were answered`);
        const telemetry = `${reports["count"]} reports of the application at most ${reports["worst"]} ms late, ${ended.answered} commands answered`;
        return `${rate(seconds)}; ${telemetry}; longest turn ${running} ms of processor time (${turns["worst"]} ms by the clock), at the switch to the new image ${restart} ms`;
      });
    for (const [name, what] of Object.entries(APPS))
      await step(`update of an application ${what}`, async () => {
        const app = join(ROOT, "test/moddable/apps", name);
        const { seconds } = await update({ sdk, application: app, size: 100_000, broker: mosquitto.url });
        return `100000 bytes in ${seconds.toFixed(1)} s`;
      });
    await step("update of the README's application", async () => {
      const app = await readmeApplication(sdk, mosquitto.url, THING);
      const { seconds } = await update({ sdk, application: app, size: 100_000, broker: mosquitto.url });
      return `100000 bytes in ${seconds.toFixed(1)} s`;
    });
    await step("image that crashes is rolled back", () =>
      listening(async (line) => {
        const { execution } = await updateOnDesk({
          ...{ sdk, application, size: 100_000, broker: mosquitto.url, behaviour: "crash", seconds: SECONDS },
          line,
        });
        const { status, statusDetails } = execution;
        const text = `${status} ${JSON.stringify(statusDetails)}`;
        if (status !== "FAILED" || !text.includes("rolled-back")) throw new Error(text);
        return text;
      }),
    );
    await step("components: a page, one that is none, firmware and page together", () =>
      listening((line) => updatePageOnDesk({ sdk, seconds: SECONDS, line })),
    );
    await step("mods: one, one that throws, one that aborts, another one", () =>
      listening(async (line, lines) => {
        const executions = await updateModsOnDesk({ sdk, mods: DESK_MODS, seconds: SECONDS, line });
        const statuses = executions.map(({ status }) => status).join(", ");
        const starts = lines.filter((text) => text.startsWith("mod: ")).join("\n");
        if (statuses !== "SUCCEEDED, FAILED, FAILED, SUCCEEDED" || !lines.includes("mod: clock"))
          throw new Error(statuses);
        // What was accepted came back twice.
        if (starts.split("mod: hello\n").length < 4) throw new Error("the first mod did not come back");
        return statuses;
      }),
    );
    await step("xs-ota push to an application without a service", () =>
      listening((line) => pushOnDesk({ sdk, size: 100_000, seconds: SECONDS, line })),
    );
    await step("mods by xs-ota mod build and deploy: one, one that throws, another one", () =>
      listening(async (line, lines) => {
        const said = await deployModsByCommand({ sdk, seconds: SECONDS, line });
        for (const mod of ["hello", "clock"])
          if (!lines.includes(`mod: ${mod}`)) throw new Error(`${mod} did not run`);
        return said;
      }),
    );
    await step("update of 200000 bytes over mutual TLS, broker mosquitto", async () => {
      const application = join(ROOT, "examples/minimal");
      const { seconds } = await overMutualTls(sdk, { application, size: 200_000 });
      return `${seconds.toFixed(1)} s`;
    });
    await step("update of 200000 bytes over mutual TLS, in the memory the guide recommends", async () => {
      const application = join(ROOT, "examples/minimal");
      const creation = recommendedCreation();
      const { seconds } = await overMutualTls(sdk, { application, size: 200_000, creation });
      return `${seconds.toFixed(1)} s`;
    });
    await step("an application with all options", () =>
      listening((line) => updateEverything({ sdk, size: 200_000, seconds: SECONDS, line })),
    );
    const memory = { application: join(ROOT, "test/moddable/memory"), size: 300_000, instrument: true };
    await step("memory, no TLS", async () =>
      memoryOf((await update({ ...memory, sdk, broker: mosquitto.url })).lines),
    );
    await step("memory, mutual TLS", async () => memoryOf((await overMutualTls(sdk, memory)).lines));
  } finally {
    await mosquitto.stop();
  }
}

async function main(): Promise<void> {
  const sdk = Sdk.find(output);
  console.log(
    `Moddable SDK ${sdk.version}${sdk.tested ? "" : ", which has not been tried with this package"}`,
  );
  try {
    const unit = join(ROOT, "test/unit");
    const files = readdirSync(unit).filter((name) => name.endsWith(".test.ts"));
    await step("unit tests on the runtime", () =>
      suite(
        sdk,
        "unit",
        files.map((name) => join(unit, name)),
        { standIns: true },
      ),
    );
    for (const name of ["ports", "mqtt", "http"])
      await step(`${name} on the runtime`, () =>
        suite(sdk, name, [join(ROOT, "test/moddable", `${name}.test.ts`)]),
      );
    await step("bytes of mods inverted, on the runtime with AddressSanitizer", async () => {
      const include = [...SUITE_INCLUDE, "modules/files/resource/manifest.json"];
      const progress = (text: string) => console.log(`       ${text}`);
      return invertBytes({ sdk, include, seconds: SECONDS, every: EVERY, progress });
    });
    await updates(sdk);
    const { certificatePem } = await generateIdentity();
    const packages = ["mcpack", "mcpack-typescript"].map((name) => join(ROOT, "test/moddable/apps", name));
    const examples = EXAMPLES.map((name) => join(ROOT, "examples", name));
    for (const application of [EVERYTHING, ...examples, ...packages])
      for (const target of TARGETS)
        await step(`link ${basename(application)} for ${target}`, async () => {
          const directory = await prepareExample(sdk, application, certificatePem, {});
          const { rom, warnings } = await linkForEsp32(sdk, directory, target);
          if (warnings.length) throw new Error(warnings.join("\n"));
          return `${rom} bytes of ROM for JavaScript, the SDK's included`;
        });
    await step("ROM on ESP32, preloaded", async () => {
      const rows = romRows(await measureRom(sdk)).map(
        ([what, bytes]) => `\n         ${bytes.padStart(7)}  ${what}`,
      );
      return `bytes${rows.join("")}`;
    });
  } finally {
    sdk.close();
  }
  if (!steps) throw new MissingError(`- a step whose title has "${only}" in it`);
  console.log(failures ? `${failures} steps failed` : "all steps passed");
}

try {
  await main();
  process.exitCode = failures ? 1 : 0;
} catch (error) {
  if (error instanceof MissingError)
    console.error(`The tests on the Moddable runtime cannot be run. Missing:\n${error.message}`);
  else if (error instanceof BuildError) console.error(`The build failed: ${error.message}`);
  else throw error;
  process.exitCode = 1;
}
