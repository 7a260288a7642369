/**
 * `npm run guide`: runs the commands of docs/guide.md, as they are printed, for Linux, in a folder of its own, with the package as it
 * would be published. Files are written from the guide's own blocks. What another terminal does runs beside; what needs a
 * board or ESP-IDF is marked in the guide (`# hardware`, `# ESP-IDF`) and only named. Needs a Moddable SDK (MODDABLE).
 * @module
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { Command } from "commander";
import { linkForEsp32 } from "./moddable/link.js";
import { BuildError, MissingError, ROOT, Sdk } from "./moddable/sdk.js";

const command = new Command("npm run guide --")
  .description("Runs the commands of docs/guide.md for Linux. Needs MODDABLE.")
  .option("--seconds <number>", "longest that a command may take", "400")
  .parse();
const SECONDS = Number(command.opts<{ seconds: string }>().seconds);
if (!(SECONDS > 0)) command.error("error: --seconds is a number above 0");

/** A block of the guide, and the words before it. */
interface Block {
  readonly language: string;
  readonly text: string;
  readonly before: string;
}

/** The blocks of chapters 1 and 2, which belong to one application. */
function blocksOf(guide: string): Block[] {
  const chapters = guide.slice(guide.indexOf("\n## 1."), guide.indexOf("\n## 3."));
  let end = 0;
  return [...chapters.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(
    ({ 0: whole, 1: language, 2: text, index }) => {
      const before = chapters.slice(end, index);
      end = index + whole.length;
      return { language, text, before };
    },
  );
}

/** What ends what runs in the background, the application apart. */
const ends: (() => void)[] = [];
const applications: (() => void)[] = [];
function endAll(): void {
  for (const end of [...applications.splice(0), ...ends.splice(0)]) end();
}
process.once("exit", endAll);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

const log: string[] = [];

function start(line: string, folder: string, environment: NodeJS.ProcessEnv): void {
  const options = { cwd: folder, env: environment, stdio: "pipe", detached: true } as const;
  const child = spawn("bash", ["-c", `exec ${line}`], options);
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => log.push(String(data)));
  // The program too that `npx` has started: a signal to `npx` alone leaves it running, and this process waiting for its output.
  ends.push(() => {
    if (child.pid && child.exitCode === null) process.kill(-child.pid);
  });
}

async function until(what: string, condition: () => boolean): Promise<void> {
  for (const begun = Date.now(); !condition(); await new Promise((resolve) => setTimeout(resolve, 100)))
    if (Date.now() - begun > SECONDS * 1000) throw new BuildError(`waited in vain: ${what}\n${log.join("")}`);
}

function run(line: string, folder: string, environment: NodeJS.ProcessEnv): void {
  try {
    const options = { cwd: folder, env: environment, timeout: SECONDS * 1000, encoding: "utf8" } as const;
    execFileSync("bash", ["-ec", line], { ...options, stdio: "pipe" });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new BuildError(`${line}\n${stdout}${stderr}`);
  }
}

async function main(sdk: Sdk): Promise<void> {
  const folder = join(sdk.output, "my-app");
  mkdirSync(folder);
  const bin = join(folder, "node_modules/.bin");
  const environment = { ...sdk.environment, PATH: [bin, sdk.environment["PATH"]].join(delimiter) };
  const pack = ["pack", "--silent", "--ignore-scripts", "--pack-destination", sdk.output];
  const archive = (...where: readonly string[]) =>
    join(sdk.output, execFileSync("npm", [...pack, ...where], { cwd: ROOT, encoding: "utf8" }).trim());
  const agent = archive();
  const program = archive("--workspace", "xs-ota");
  /** Files of chapter 1, which chapter 2 changes for a board. */
  const simulated = new Map<string, string>();
  let done = 0;
  for (const { language, text, before } of blocksOf(readFileSync(join(ROOT, "docs/guide.md"), "utf8"))) {
    const file = /`([\w.]+\.(?:json|ts))`:\s*$/.exec(before)?.[1];
    if (language !== "sh") {
      if (file) writeFileSync(join(folder, file), text);
      continue;
    }
    for (const whole of text.split("\n").filter(Boolean)) {
      const [line, note = ""] = whole.split(/\s+# /);
      const skip =
        /^(hardware|ESP-IDF)/.test(note) ||
        /private\.pem\.key|XS_OTA_PUSH_SECRET|^export PATH|^npm run sim|instead of/.test(whole);
      if (/^mcconfig .*-p esp32/.test(line)) {
        // What of it needs neither a board nor ESP-IDF.
        const { rom } = await linkForEsp32(sdk, folder, "esp32");
        console.log(`linked    ${whole}: ${rom} bytes of ROM`);
        continue;
      }
      if (skip) {
        console.log(`not here  ${whole}`);
        continue;
      }
      if (line.startsWith("npx xs-ota serve")) {
        start(line, folder, environment);
        await until(line, () => log.join("").includes("Broker"));
      } else if (line.startsWith("mcconfig")) {
        for (const name of ["manifest.json", "main.ts"])
          simulated.set(name, readFileSync(join(folder, name), "utf8"));
        await runApplication(sdk, folder);
      } else {
        const told = line
          // The folder is this one, and the packages are those of this checkout.
          .replace(/^mkdir my-app && cd my-app && /, "")
          .replace(/^npm install /, "npm install --prefer-offline --ignore-scripts ")
          .replace(/ xs-ota-agent$/, ` ${agent}`)
          .replace(/ xs-ota (?=typescript)/, ` ${program} `);
        run(told, folder, environment);
      }
      done++;
      console.log(`ok        ${whole}`);
    }
  }
  // Commands block this process: what the application wrote meanwhile is still to be read.
  await until("update-complete", () => log.join("").includes("update-complete"));
  for (const [name, text] of simulated) writeFileSync(join(folder, name), text);
  await readable(sdk, folder);
  console.log(`${done} commands; the application was updated, and runs with the readable build`);
}

/** "In the debugger": the same application with the other manifest, over the flash as it is now. */
async function readable(sdk: Sdk, folder: string): Promise<void> {
  const manifest = join(folder, "manifest.json");
  const text = readFileSync(manifest, "utf8");
  const plain = text.replace("xs-ota-agent/manifest.json", "xs-ota/dist/plain/manifest-plain.json");
  if (plain === text) throw new BuildError("the guide's manifest includes the agent in another way");
  writeFileSync(manifest, plain);
  await runApplication(sdk, folder);
}

/** Without a display: the target is the library, which the runner starts as often as the device does. */
async function runApplication(sdk: Sdk, folder: string): Promise<void> {
  for (const end of applications.splice(0)) end();
  const library = await sdk.build({ directory: folder, platform: "lin" });
  // What one before it had still to say came meanwhile.
  log.length = 0;
  const app = await sdk.run(library, SECONDS, 4);
  app.stdout?.on("data", (data) => log.push(String(data)));
  applications.push(() => void app.kill());
  await until("the application is connected", () => /WaitingForJob|no-active-job/.test(log.join("")));
}

let sdk: Sdk | undefined;
try {
  sdk = Sdk.find();
  await main(sdk);
} catch (error) {
  if (!(error instanceof MissingError || error instanceof BuildError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
} finally {
  endAll();
  sdk?.close();
}
