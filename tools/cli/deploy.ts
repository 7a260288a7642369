/**
 * `xs-ota deploy`
 * @module
 */
import { Command, Option } from "commander";
import { isArchive } from "../../hosts/formats/mod-archive.js";
import { inspectImageBytes } from "../../service/inspection.js";
import type { Stage } from "../../service/rollout.js";
import { type ExecutionView, isAway, type JobView, type Phase } from "../../service/views.js";
import { OtaError } from "../../src/errors.js";
import { ServiceClient as Client, type ServiceClient, ServiceFailure } from "./client.js";
import { confirmed } from "./confirm.js";
import { Presence } from "./deploy/presence.js";
import { Progress } from "./deploy/progress.js";
import { addSetOptions, type SetFile, type SetOptions, setFiles } from "./deploy/set.js";
import { FAILED, Failure, INTERRUPTED, OK } from "./failure.js";
import { readBytes } from "./files.js";
import { inspectComponent } from "./inspect/component.js";
import { detectKind } from "./inspect/detect.js";
import { interruption } from "./interrupt.js";
import { LiveState } from "./live.js";
import { inspectMod } from "./mod.js";
import { examples, jsonOption, SIGNER_NAME, seconds, serviceOption, things, wholeNumber } from "./options.js";
import { addPayloadOptions, makePayloads, type PayloadOptions } from "./payload.js";
import {
  addRolloutOptions,
  ROLLOUT_HELP,
  type RolloutOptions,
  scheduleOf,
  stages,
} from "./rollout-options.js";
import { requireImage, signFile } from "./sign.js";
import { paint, print } from "./text.js";

interface DeployOptions extends RolloutOptions, PayloadOptions, SetOptions {
  readonly group?: readonly string[];
  readonly new: boolean;
  readonly stages?: readonly Stage[];
  readonly stageSuccess?: number;
  readonly description?: string;
  readonly online: boolean;
  readonly patience: number;
  readonly thing?: readonly string[];
  readonly all: boolean;
  readonly protocol?: readonly ("mqtt" | "http")[];
  readonly key?: string;
  readonly signer: string;
  readonly timeout?: number;
  readonly cancel: boolean;
  readonly wait: boolean;
  readonly any: boolean;
  readonly service: string;
  readonly json: boolean;
}

type GaveUp = "timeout" | "interrupted" | "offline" | "paused" | "continuous";

interface Outcome {
  readonly ok: boolean;
  readonly jobId: string;
  /** Why the wait ended before the job; undefined: it has ended. */
  readonly gaveUp?: GaveUp;
  /** Why the rollout stands still, or why the job was cancelled. */
  readonly reason?: string;
  readonly seconds: number;
  readonly phases: Partial<Record<Phase, number>>;
  /** Devices the job was not offered to. */
  readonly waiting: number;
}

const GAVE_UP = Object.freeze({
  timeout: "The time is up",
  interrupted: "Stopped",
  offline: "Only devices that are not connected are left",
  paused: "The rollout stands still",
  continuous: "No device is left so far",
} satisfies Record<GaveUp, string>);

export function deployCommand(): Command {
  const command = new Command("deploy")
    .summary("update devices to an image, and watch it happen")
    .description(
      "Signs an image, makes a job of it for devices, and shows its progress on each until the end.",
    )
    .argument("<file>", "the image")
    .option("--thing <name>", "a device; several with commas, or given several times", things)
    .option("--all", "every device the service knows", false)
    .option("--group <name>", "the devices of a group; several with commas, or given several times", things)
    .option("--new", "also to devices the service has not heard of", false)
    .addOption(
      new Option("--protocol <names...>", "what the devices may use (default: mqtt)").choices([
        "mqtt",
        "http",
      ]),
    )
    .option("--key <file>", "sign with this key (default: the service signs with its own)")
    .option("--signer <name>", "what the job calls the signer", SIGNER_NAME)
    .option("--timeout <seconds>", "stop waiting after so long", seconds)
    .option("--cancel", "when the wait ends before the job does, cancel it; otherwise it goes on", false)
    .option("--online", "stop waiting when only devices are left that are not connected", false)
    .option("--patience <seconds>", "with --online: how long boards may be away that restart", seconds, 60)
    .option("--stages <list>", "a few first, each stage once the one before has succeeded: 5,10%,50%", stages)
    .option(
      "--stage-success <percent>",
      "of a stage that have to succeed (default: 100)",
      wholeNumber(0, 100),
    )
    .option("--description <text>", "what it is for")
    .option("--no-wait", "do not wait for the end")
    .option("--any", "deploy a file too that devices will refuse", false)
    .addOption(serviceOption())
    .addOption(jsonOption("print progress and outcome as JSON, one object a line"))
    .addHelpText(
      "after",
      `${examples([
        ["xs-ota deploy build/app.bin --thing board-1", "update a device"],
        ["xs-ota deploy app.bin --all --timeout 600 --cancel", "all of them, within ten minutes"],
        ["xs-ota deploy app.bin --thing a,b --protocol http", "over HTTP instead of MQTT"],
        ["xs-ota deploy app.bin --group lab --stages 2,10% --abort 5%/10", "carefully; it stops by itself"],
        ["xs-ota deploy v2.bin --from v1.bin --all", "what runs version 1 fetches a delta alone"],
        [
          "xs-ota deploy app.bin --component 10=assets.xac --sequence 12 --all",
          "firmware and assets, together",
        ],
        ["xs-ota deploy assets.xac --type 10 --all", "a component alone"],
        ["xs-ota deploy mod-1.2.0.xam --type 12 --all", "a mod alone"],
        ["xs-ota deploy app.bin --all --json | tail -1", "the outcome, for programs"],
      ])}
${ROLLOUT_HELP}

Exit code: 0 when every device accepted the image, 1 when one did not or the time ran out, 2 for unusable input,
130 after Ctrl-C.`,
    )
    .action(async (file: string, options: DeployOptions) => {
      process.exitCode = await deploy(file, options);
    });
  return addRolloutOptions(addSetOptions(addPayloadOptions(command)));
}

async function deploy(file: string, options: DeployOptions): Promise<number> {
  const stop = interruption();
  const named = options.thing !== undefined || options.group !== undefined;
  if (options.all === named) throw new Failure("name devices with --thing or --group, or take --all");
  const image = readBytes(file);
  if (!options.any) refuseUseless(file, image, options.type);
  const payloads = makePayloads(image, options, options.json);
  const others = setFiles(file, options);
  const whole = new Uint8Array(Buffer.concat([image, ...[...payloads, ...others].map(({ bytes }) => bytes)]));
  const client = new Client(options.service);
  const asked = await query(file, image, options);
  for (const { kind, bytes } of payloads) asked.append("payload", `${kind}:${bytes.length}`);
  for (const { type, name, bytes } of others) {
    asked.append("file", `${type}:${bytes.length}:${name}`);
    if (options.key !== undefined) asked.append("fileSignature", (await signFile(bytes, options.key)).value);
  }
  let warnings: readonly string[] = [];
  const begin = async () => {
    ({ warnings } = await client.preview(whole, asked));
    if (!options.json) print(...warnings.map((text) => paint("yellow", `${text}.`)));
    return await client.deploy(whole, asked);
  };
  const job = await begin().catch(async (error: unknown) => {
    if (!(error instanceof ServiceFailure) || error.code !== "UnknownThing") throw error;
    const text = error.message.replace(/\.$/, "");
    if (!(await confirmed(`${text}. Deploy to it all the same?`)))
      throw new Failure(`${text} (--new deploys to it all the same)`, FAILED);
    asked.set("addThings", "1");
    return await begin();
  });
  const offline = await offlineOf(client, job);
  if (options.json) print(JSON.stringify({ event: "job", ...job, offline, warnings }));
  else print(introduction(job), ...others.map(fileText), ...offlineText(offline));
  if (!options.wait) return OK;
  const outcome = await follow(client, job, options, stop);
  const isCancelled = options.cancel && outcome.gaveUp !== undefined && outcome.gaveUp !== "continuous";
  if (isCancelled) await client.cancel(job.jobId);
  await conclude(client, outcome, { json: options.json, isCancelled });
  if (outcome.gaveUp === "interrupted") return INTERRUPTED;
  return outcome.ok ? OK : FAILED;
}

/** @throws Failure for what every device would refuse */
function refuseUseless(file: string, image: Uint8Array, type: number): void {
  if (isArchive(image))
    throw new Failure(`${file} is an archive alone: xs-ota mod build makes the file of a mod of it`);
  const kind = detectKind(image, Number.POSITIVE_INFINITY);
  if (kind === "set")
    throw new Failure(
      `${file} is the statement of a set: deploy makes it of the files, with --component and --sequence`,
    );
  if (kind === "component") return refuseComponent(file, image, type);
  // What a product has of its own is its own business.
  if (type > 0) return;
  requireImage(file, image);
  const { problem, refusal } = inspectImageBytes(image);
  const why = problem ?? refusal;
  if (why) throw new Failure(`${file} would be refused: ${why} (--any deploys it all the same)`);
}

/** @throws Failure */
function refuseComponent(file: string, bytes: Uint8Array, type: number): void {
  let name: string;
  let problem: string | undefined;
  try {
    const inspection = inspectComponent(bytes);
    name = inspection.name;
    if (inspection.mod) ({ problem } = inspectMod(bytes, file));
  } catch (error) {
    if (!(error instanceof OtaError)) throw error;
    throw new Failure(`${file} would be refused: ${error.message} (--any deploys it all the same)`);
  }
  if (problem) throw new Failure(`${file} would be refused: ${problem} (--any deploys it all the same)`);
  if (type === 0)
    throw new Failure(`${file} is component ${name}: say with --type which file type the product has for it`);
}

async function query(file: string, image: Uint8Array, options: DeployOptions): Promise<URLSearchParams> {
  const { thing = [], group = [], all, protocol = [], key, signer, retries, jobTimeout } = options;
  const query = new URLSearchParams({ name: file, signer });
  if (options.type > 0) query.set("fileType", String(options.type));
  if (all) query.set("all", "1");
  for (const name of thing) query.append("thing", name);
  for (const name of protocol) query.append("protocol", name);
  for (const name of group) query.append("group", name);
  if (options.new) query.set("addThings", "1");
  if (options.continuous) query.set("continuous", "1");
  if (options.description) query.set("description", options.description);
  if (retries) query.set("retries", String(retries.failed));
  if (retries?.timedOut) query.set("retriesTimedOut", String(retries.timedOut));
  if (jobTimeout !== undefined) query.set("timeoutInMinutes", String(jobTimeout));
  const { rollout, stages, stageSuccess, abort } = options;
  const config = {
    ...rollout,
    ...(stages && { stages }),
    ...(stageSuccess !== undefined && { stageSuccessPercentage: stageSuccess }),
  };
  if (Object.keys(config).length > 0) query.set("rollout", JSON.stringify(config));
  if (abort) query.set("abort", JSON.stringify(abort));
  const schedule = scheduleOf(options);
  if (schedule) query.set("schedule", JSON.stringify(schedule));
  if (key !== undefined) {
    const signature = await signFile(image, key);
    query.set("signatureKey", signature.key);
    query.set("signature", signature.value);
  }
  return query;
}

/** Shows progress until the job, the time or the patience ends. */
async function follow(
  client: ServiceClient,
  { jobId }: JobView,
  options: DeployOptions,
  stop: AbortSignal,
): Promise<Outcome> {
  const started = performance.now();
  const limit = new AbortController();
  const timer = options.timeout && setTimeout(() => limit.abort(), options.timeout * 1000);
  const progress = new Progress(jobId, options.json);
  const live = new LiveState();
  const presence = new Presence(options.patience * 1000);
  const allAway = new AbortController();
  let look: NodeJS.Timeout | undefined;
  let seen = false;
  let held: GaveUp | undefined;
  try {
    for await (const event of client.events(AbortSignal.any([stop, limit.signal, allAway.signal]))) {
      clearTimeout(look);
      const changed = live.take(event);
      if (event.type === "lost") {
        progress.lost();
        continue;
      }
      const job = live.jobs.get(jobId);
      if (!job) {
        if (seen) throw new Failure(`job ${jobId} was deleted`, FAILED);
        continue;
      }
      seen = true;
      progress.show(
        job,
        live.latest(jobId),
        changed.filter((execution) => execution.jobId === jobId),
      );
      if (job.ended) break;
      if (job.paused !== undefined) held = "paused";
      else if (isDoneSoFar(live, job)) held = "continuous";
      const now = performance.now();
      // What is there from the beginning has not been said by the device just now.
      const heard = event.type === "state" ? [] : changed.map(({ thingName }) => thingName);
      presence.look(live.devices.values(), heard, now);
      const open = options.online ? holdingUp(live, job) : undefined;
      const left = open && presence.left(open, now);
      if (left === 0) held ??= "offline";
      else if (left !== undefined) look = setTimeout(() => allAway.abort(), left);
      if (held) break;
    }
    if (allAway.signal.aborted) held = "offline";
  } finally {
    clearTimeout(look);
    clearTimeout(timer || undefined);
  }
  const latest = live.latest(jobId);
  const job = live.jobs.get(jobId);
  progress.finish(latest);
  return {
    ok:
      (latest.length > 0 || held === "continuous") &&
      latest.every(({ phase }) => phase === "accepted") &&
      job?.waiting === 0,
    jobId,
    gaveUp: stop.aborted ? "interrupted" : limit.signal.aborted ? "timeout" : held,
    reason: job?.held,
    seconds: (performance.now() - started) / 1000,
    phases: countPhases(latest),
    waiting: job?.waiting ?? 0,
  };
}

async function conclude(
  client: ServiceClient,
  outcome: Outcome,
  { json, isCancelled }: { readonly json: boolean; readonly isCancelled: boolean },
): Promise<void> {
  const { memory } = await client.status();
  if (json) {
    print(JSON.stringify({ event: "outcome", ...outcome, serviceMemory: memory }));
    return;
  }
  const counts = Object.entries(outcome.phases).map(([phase, count]) => `${count} ${phase}`);
  if (outcome.waiting > 0) counts.push(`${outcome.waiting} wait`);
  const summary = `${counts.join(", ") || "no device yet"} after ${outcome.seconds.toFixed(1)} s`;
  print(outcome.ok ? paint("green", summary) : paint("red", summary));
  const megabytes = (bytes: number) => `${Math.round(bytes / 1_048_576)} MB`;
  print(
    paint(
      "dim",
      `The service uses ${megabytes(memory.resident)} of memory, ${megabytes(memory.peak)} at most.`,
    ),
  );
  if (outcome.reason) print(paint("yellow", outcome.reason));
  if (!outcome.gaveUp) return;
  const why = GAVE_UP[outcome.gaveUp];
  print(
    isCancelled
      ? `${why}: the job is cancelled.`
      : `${why}: the job goes on; xs-ota jobs ${outcome.jobId} shows it.`,
  );
}

/** Names of the job's devices that are not connected, as far as they have been offered it. */
async function offlineOf(client: ServiceClient, { jobId }: JobView): Promise<string[]> {
  const [{ devices }, { executions }] = await Promise.all([client.state(), client.job(jobId)]);
  const names = new Set(executions.map(({ thingName }) => thingName));
  return devices
    .filter((device) => names.has(device.thingName) && isAway(device))
    .map(({ thingName }) => thingName);
}

function offlineText(names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const list = names.slice(0, 5).join(", ");
  return [
    paint("yellow", `Not connected: ${list}${names.length > 5 ? ` and ${names.length - 5} more` : ""}`),
  ];
}

function introduction({ jobId, things: count, image, protocols }: JobView): string {
  const what = image?.version ? `${image.project} ${image.version} for ${image.chip}` : image?.fileName;
  const size = image ? `, ${image.size.toLocaleString("en-US")} bytes` : "";
  return `${jobId}: ${what}${size}, to ${count} device${count === 1 ? "" : "s"} over ${protocols.join(" or ")}`;
}

/** A file that goes with the first one. */
function fileText({ type, name, bytes }: SetFile): string {
  return `  with ${name}, type ${type}, ${bytes.length.toLocaleString("en-US")} bytes`;
}

/** Whether a job that goes on for devices that join its groups has nothing left to do for now. */
function isDoneSoFar(live: LiveState, { jobId, waiting, targetSelection }: JobView): boolean {
  return targetSelection === "CONTINUOUS" && waiting === 0 && live.latest(jobId).every(({ ended }) => ended);
}

/** Devices that alone hold a job up, also by a stage that waits for them; undefined when it goes on without them. */
function holdingUp(live: LiveState, { jobId, waiting, stage, rollout }: JobView): string[] | undefined {
  const open = live.latest(jobId).filter(({ ended }) => !ended);
  const hasRate = rollout?.maximumPerMinute !== undefined || rollout?.exponentialRate !== undefined;
  const isHeldUp = stage !== undefined && stage.stage < stage.stages && !hasRate && open.length > 0;
  return waiting === 0 || isHeldUp ? open.map(({ thingName }) => thingName) : undefined;
}

function countPhases(executions: readonly ExecutionView[]): Partial<Record<Phase, number>> {
  const phases: Partial<Record<Phase, number>> = {};
  for (const { phase } of executions) phases[phase] = (phases[phase] ?? 0) + 1;
  return phases;
}
