/**
 * `xs-ota hawkbit`
 * @module
 */
import { basename } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { inspectImageBytes } from "../../service/inspection.js";
import { FAILED, Failure, OK } from "./failure.js";
import { readBytes } from "./files.js";
import { type FollowOptions, follow, tell } from "./hawkbit/follow.js";
import { type HawkbitUpdate, hawkbitCalls, type Ids } from "./hawkbit/plan.js";
import { type Followed, HawkbitServer } from "./hawkbit/server.js";
import { interruption } from "./interrupt.js";
import {
  examples,
  httpUrl,
  jsonOption,
  KEY_FILE,
  SIGNER_NAME,
  seconds,
  things,
  wholeNumber,
} from "./options.js";
import { deltaKind, deltaOf, packOf, readImage, saving, showing } from "./payload.js";
import { requireImage, signFile } from "./sign.js";
import { paint, print } from "./text.js";

interface Place extends FollowOptions {
  readonly server: string;
}

interface HawkbitOptions extends Place {
  readonly target?: readonly string[];
  readonly filter?: string;
  readonly groups: number;
  readonly success: number;
  readonly error: number;
  readonly name?: string;
  readonly version?: string;
  readonly moduleType: string;
  readonly setType: string;
  readonly soft: boolean;
  readonly forceAt?: number;
  readonly description?: string;
  readonly from?: readonly string[];
  readonly packed: boolean;
  readonly key: string;
  readonly signer: string;
  readonly execute: boolean;
  readonly wait: boolean;
}

/** Most characters of names and versions (`NamedEntity`, `NamedVersionedEntity`), groups and targets of a call (quotas). */
const MAX_NAME = 128;
const MAX_VERSION = 64;
const MAX_GROUPS = 500;
const MAX_TARGETS = 5000;

const CREDENTIALS = `Who asks is taken from the environment: HAWKBIT_USER and HAWKBIT_PASSWORD. These commands have been tested against
a local stand-in that follows hawkBit's sources, not against the server itself.`;

export function hawkbitCommand(): Command {
  return new Command("hawkbit")
    .summary("the same update through Eclipse hawkBit")
    .description("Updates devices through hawkBit's management API.")
    .addCommand(deployCommand())
    .addCommand(watchCommand());
}

function addPlaceOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--server <url>", "where hawkBit is")
        .env("HAWKBIT_URL")
        .argParser(serverUrl)
        .makeOptionMandatory(),
    )
    .option("--timeout <seconds>", "stop waiting after so long", seconds)
    .option("--poll <seconds>", "how often hawkBit is asked for progress", seconds, 5)
    .addOption(jsonOption("print JSON, one object a line"));
}

function deployCommand(): Command {
  const command = new Command("deploy")
    .summary("upload an image, and assign it or roll it out")
    .description(
      "Signs an image, makes a software module and a distribution set of it, and assigns that to targets or rolls it " +
        "out. Without --execute it only prints the calls it would make.",
    )
    .argument("<file>", "the image")
    .option("--target <id>", "a target; several with commas, or given several times", things)
    .option("--filter <rsql>", "a rollout to the targets this query finds")
    .option("--groups <count>", "of a rollout, one after the other", wholeNumber(1, MAX_GROUPS), 1)
    .option(
      "--success <percent>",
      "of a group that have to succeed for the next one",
      wholeNumber(1, 100),
      100,
    )
    .option("--error <percent>", "of a group that fail until the rollout pauses", wholeNumber(1, 100), 50)
    .option("--name <name>", "of module and set (default: the image's project)", named(MAX_NAME))
    .option("--version <version>", "of module and set (default: the image's)", named(MAX_VERSION))
    .option("--module-type <key>", "type of the software module", named(64), "os")
    .option("--set-type <key>", "type of the distribution set", named(64), "os")
    .addOption(new Option("--soft", "leave the time to the device").default(false).conflicts("forceAt"))
    .option("--force-at <time>", "leave it until then: a date and time with its zone", instant)
    .option("--description <text>", "what it is for")
    .option("--from <files...>", "images that devices run: deltas from these go with it")
    .option("--packed", "the image compressed goes with it", false)
    .option("--key <file>", "signing key in PEM", KEY_FILE)
    .option("--signer <name>", "what devices call the signer", SIGNER_NAME)
    .option("--execute", "make the calls", false)
    .option("--no-wait", "do not wait for the devices")
    .addHelpText(
      "after",
      `${examples([
        ["xs-ota hawkbit deploy app.bin --target board-1 --server http://localhost:8080", "prints the calls"],
        ["xs-ota hawkbit deploy … --execute", "makes them, and follows the actions"],
        ["xs-ota hawkbit deploy … --filter 'name==lab*' --groups 5 --error 10", "a rollout"],
      ])}

${CREDENTIALS}

Exit code: 0 when it printed the calls or every target finished, 1 when one did not or hawkBit refused, 2 for
unusable input, 130 after Ctrl-C.`,
    )
    .action(async (file: string, options: HawkbitOptions) => {
      process.exitCode = await deploy(file, options);
    });
  return addPlaceOptions(command);
}

function watchCommand(): Command {
  const command = new Command("watch")
    .summary("follow a rollout or a distribution set until it has ended")
    .description("Follows a rollout, or what targets do with a distribution set, and says why some failed.")
    .option("--rollout <id>", "number of a rollout", wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .addOption(
      new Option("--set <id>", "number of a distribution set")
        .argParser(wholeNumber(1, Number.MAX_SAFE_INTEGER))
        .conflicts("rollout"),
    )
    .addHelpText(
      "after",
      `${examples([["xs-ota hawkbit watch --rollout 6", "until it has ended, or Ctrl-C"]])}

${CREDENTIALS}

Exit code: 0 when every target finished, 1 when one did not, 130 after Ctrl-C.`,
    )
    .action(async ({ rollout, set, ...options }: Place & { rollout?: number; set?: number }) => {
      const id = rollout ?? set;
      if (id === undefined) throw new Failure("name a --rollout or a --set");
      const followed: Followed = { kind: set === undefined ? "rollout" : "set", id };
      process.exitCode = await follow(new HawkbitServer(options.server), followed, options, interruption());
    });
  return addPlaceOptions(command);
}

async function deploy(file: string, options: HawkbitOptions): Promise<number> {
  const stop = interruption();
  const update = await readUpdate(file, options);
  if (!options.execute) {
    printPlan(update, options);
    return OK;
  }
  const server = new HawkbitServer(options.server);
  // It leaves out targets it does not know without a word.
  if ("targets" in update.to)
    for (const target of update.to.targets) await server.get(`/targets/${encodeURIComponent(target)}`);
  const ids: Ids = {};
  const made = () => Object.entries(ids).map(([what, id]) => `${NAMES[what as keyof Ids]} ${id}`);
  for (let n = 0; n < hawkbitCalls(update, ids).length; n++) {
    const call = hawkbitCalls(update, ids)[n];
    const { method, path, makes } = call;
    tell(options, { event: "call", method, path }, `${method} ${path} …`);
    try {
      const answer = await server.send(call);
      if (makes) ids[makes] = idOf(answer, path);
    } catch (error) {
      if (made().length === 0) throw error;
      throw new Failure(`${(error as Error).message} (there now: ${made().join(", ")})`, FAILED);
    }
  }
  tell(options, { event: "made", ...ids }, `Made ${made().join(", ")}.`);
  if (!options.wait) return OK;
  const followed: Followed =
    ids.rollout === undefined
      ? { kind: "set", id: Number(ids.set) }
      : { kind: "rollout", id: Number(ids.rollout) };
  return await follow(server, followed, options, stop);
}

const NAMES: Readonly<Record<keyof Ids, string>> = Object.freeze({
  module: "software module",
  set: "distribution set",
  rollout: "rollout",
});

/** Entities that were made come as a list, a rollout alone. @throws Failure */
function idOf(answer: unknown, path: string): number {
  const { id } = ((Array.isArray(answer) ? answer[0] : answer) ?? {}) as { id?: unknown };
  if (typeof id !== "number") throw new Failure(`POST ${path}: an answer without an id`, FAILED);
  return id;
}

/** @throws Failure */
async function readUpdate(file: string, options: HawkbitOptions): Promise<HawkbitUpdate> {
  const { target = [], filter, groups, success, error, soft, forceAt } = options;
  if (target.length > 0 === (filter !== undefined))
    throw new Failure("name targets with --target, or find them with --filter");
  if (target.length > MAX_TARGETS)
    throw new Failure(`hawkBit assigns to at most ${MAX_TARGETS} targets at once: take --filter`);
  const image = readBytes(file);
  requireImage(file, image);
  const { problem, refusal, app } = inspectImageBytes(image);
  if (problem ?? refusal) throw new Failure(`${file} would be refused: ${problem ?? refusal}`);
  const name = options.name ?? app?.projectName;
  const version = options.version ?? app?.version;
  if (!name || !version) throw new Failure(`${file} has no name or no version: --name, --version`);
  return {
    ...{ name, version, description: options.description },
    ...{ moduleType: options.moduleType, setType: options.setType, signer: options.signer },
    files: filesOf(file, image, options),
    signature: await signFile(image, options.key),
    ...{ type: soft ? "soft" : forceAt === undefined ? "forced" : "timeforced", forceTime: forceAt },
    to: filter === undefined ? { targets: target } : { filter, groups, success, error, startAt: Date.now() },
  };
}

/**
 * The image, and deltas and the compressed image. A comma stands for the semicolon of their names (docs/SPEC.md, "Several files for
 * one image"), with which they could not be downloaded.
 */
function filesOf(
  file: string,
  image: Uint8Array,
  { from = [], packed, json }: HawkbitOptions,
): HawkbitUpdate["files"] {
  const name = basename(file);
  const files = [{ name, bytes: image }];
  for (const path of from) {
    const base = readImage(path);
    const bytes = showing(`delta from ${path}`, (progress) => deltaOf(base, image, progress));
    files.push({ name: name + deltaKind(base).replace(";", ","), bytes });
  }
  if (packed) {
    const bytes = showing("packing", (progress) => packOf(image, progress));
    files.push({ name: `${name},packed`, bytes });
  }
  if (new Set(files.map((one) => one.name)).size < files.length)
    throw new Failure("two images of --from are the same build");
  if (!json)
    for (const { name, bytes } of files.slice(1)) print(`${name}: ${saving(bytes.length, image.length)}`);
  return files;
}

function printPlan(update: HawkbitUpdate, { json }: HawkbitOptions): void {
  const calls = hawkbitCalls(update).map(({ method, path, body, file }) => ({
    ...{ method, path: `/rest/v1${path}` },
    ...(body === undefined ? {} : { body }),
    ...(file && { file: { name: file.name, size: file.bytes.length } }),
  }));
  if (json) return print(...calls.map((call) => JSON.stringify(call)));
  calls.forEach(({ method, path, ...rest }, index) => {
    print(
      `${index + 1}. ${paint("bold", `${method} ${path}`)}`,
      JSON.stringify(rest.body ?? rest, null, 2),
      "",
    );
  });
  print("Nothing was sent. --execute makes these calls.");
}

function serverUrl(text: string): string {
  const { username, password } = new URL(httpUrl(text));
  if (username || password)
    throw new InvalidArgumentError("Put HAWKBIT_USER and HAWKBIT_PASSWORD into the environment instead.");
  return text;
}

/** hawkBit takes no text with anything of HTML in it (`ValidString`). */
function named(most: number): (text: string) => string {
  return (text) => {
    if (text.trim() === "" || text.length > most || /[<>&\p{C}]/u.test(text))
      throw new InvalidArgumentError(`It must have 1 to ${most} characters, without < > &.`);
    return text;
  };
}

function instant(text: string): number {
  const time = /T.*(Z|[+-]\d\d:?\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time)) throw new InvalidArgumentError("It must be like 2027-01-31T22:00:00+01:00.");
  return time;
}
