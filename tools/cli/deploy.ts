/**
 * `xs-ota deploy`
 * @module
 */
import { Command, Option } from "commander";
import { inspectImageBytes } from "../../service/inspection.js";
import type { ExecutionView, JobView, Phase } from "../../service/views.js";
import { ServiceClient as Client, type ServiceClient } from "./client.js";
import { Progress } from "./deploy/progress.js";
import { FAILED, Failure, INTERRUPTED, OK } from "./failure.js";
import { readBytes } from "./files.js";
import { interruption } from "./interrupt.js";
import { LiveState } from "./live.js";
import { examples, jsonOption, SIGNER_NAME, seconds, serviceOption, things, wholeNumber } from "./options.js";
import { requireImage, signFile } from "./sign.js";
import { paint, print } from "./text.js";

interface DeployOptions {
  readonly thing?: readonly string[];
  readonly all: boolean;
  readonly protocol?: readonly ("mqtt" | "http")[];
  readonly key?: string;
  readonly signer: string;
  readonly timeout?: number;
  readonly cancel: boolean;
  readonly retries?: number;
  readonly wait: boolean;
  readonly any: boolean;
  readonly service: string;
  readonly json: boolean;
}

interface Outcome {
  readonly ok: boolean;
  readonly jobId: string;
  /** Why the wait ended before the job; undefined: it has ended. */
  readonly gaveUp?: "timeout" | "interrupted";
  readonly seconds: number;
  readonly phases: Partial<Record<Phase, number>>;
}

export function deployCommand(): Command {
  return new Command("deploy")
    .summary("update devices to an image, and watch it happen")
    .description(
      "Signs an image, makes a job of it for devices, and shows its progress on each until the end.",
    )
    .argument("<file>", "the image")
    .option("--thing <name>", "a device; several with commas, or given several times", things)
    .option("--all", "every device the service knows", false)
    .addOption(
      new Option("--protocol <names...>", "what the devices may use (default: mqtt)").choices([
        "mqtt",
        "http",
      ]),
    )
    .option("--key <file>", "sign with this key (default: the service signs with its own)")
    .option("--signer <name>", "what the job calls the signer", SIGNER_NAME)
    .option("--timeout <seconds>", "stop waiting after so long", seconds)
    .option(
      "--cancel",
      "when the wait ends by --timeout or Ctrl-C, cancel the job; otherwise it goes on",
      false,
    )
    .option("--retries <count>", "offer the job again to a device that failed", wholeNumber(0, 10))
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
        ["xs-ota deploy app.bin --all --json | tail -1", "the outcome, for programs"],
      ])}

Exit code: 0 when every device accepted the image, 1 when one did not or the time ran out, 2 for unusable input,
130 after Ctrl-C.`,
    )
    .action(async (file: string, options: DeployOptions) => {
      process.exitCode = await deploy(file, options);
    });
}

async function deploy(file: string, options: DeployOptions): Promise<number> {
  const stop = interruption();
  if (options.all === (options.thing !== undefined))
    throw new Failure("name devices with --thing, or take --all");
  const image = readBytes(file);
  if (!options.any) refuseUseless(file, image);
  const client = new Client(options.service);
  const job = await client.deploy(image, await query(file, image, options));
  if (options.json) print(JSON.stringify({ event: "job", ...job }));
  else print(introduction(job));
  if (!options.wait) return OK;
  const outcome = await follow(client, job, options, stop);
  if (outcome.gaveUp && options.cancel) await client.cancel(job.jobId);
  await conclude(client, outcome, options);
  if (outcome.gaveUp === "interrupted") return INTERRUPTED;
  return outcome.ok ? OK : FAILED;
}

function refuseUseless(file: string, image: Uint8Array): void {
  requireImage(file, image);
  const { problem, refusal } = inspectImageBytes(image);
  const why = problem ?? refusal;
  if (why) throw new Failure(`${file} would be refused: ${why} (--any deploys it all the same)`);
}

async function query(file: string, image: Uint8Array, options: DeployOptions): Promise<URLSearchParams> {
  const { thing = [], all, protocol = [], key, signer, retries } = options;
  const query = new URLSearchParams({ name: file, signer });
  if (all) query.set("all", "1");
  for (const name of thing) query.append("thing", name);
  for (const name of protocol) query.append("protocol", name);
  if (retries !== undefined) query.set("retries", String(retries));
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
  let seen = false;
  try {
    for await (const event of client.events(AbortSignal.any([stop, limit.signal]))) {
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
        live.latest(jobId),
        changed.filter((execution) => execution.jobId === jobId),
      );
      if (job.ended && job.status !== "IN_PROGRESS") break;
    }
  } finally {
    clearTimeout(timer || undefined);
  }
  const latest = live.latest(jobId);
  progress.finish(latest);
  return {
    ok: latest.length > 0 && latest.every(({ phase }) => phase === "accepted"),
    jobId,
    gaveUp: stop.aborted ? "interrupted" : limit.signal.aborted ? "timeout" : undefined,
    seconds: (performance.now() - started) / 1000,
    phases: countPhases(latest),
  };
}

async function conclude(
  client: ServiceClient,
  outcome: Outcome,
  { json, cancel }: DeployOptions,
): Promise<void> {
  const { memory } = await client.status();
  if (json) {
    print(JSON.stringify({ event: "outcome", ...outcome, serviceMemory: memory }));
    return;
  }
  const counts = Object.entries(outcome.phases).map(([phase, count]) => `${count} ${phase}`);
  const summary = `${counts.join(", ")} after ${outcome.seconds.toFixed(1)} s`;
  print(outcome.ok ? paint("green", summary) : paint("red", summary));
  const megabytes = (bytes: number) => `${Math.round(bytes / 1_048_576)} MB`;
  print(
    paint(
      "dim",
      `The service uses ${megabytes(memory.resident)} of memory, ${megabytes(memory.peak)} at most.`,
    ),
  );
  if (!outcome.gaveUp) return;
  const why = outcome.gaveUp === "timeout" ? "The time is up" : "Stopped";
  print(
    cancel
      ? `${why}: the job is cancelled.`
      : `${why}: the job goes on; xs-ota jobs ${outcome.jobId} shows it.`,
  );
}

function introduction({ jobId, things: count, image, protocols }: JobView): string {
  const what = image?.version ? `${image.project} ${image.version} for ${image.chip}` : image?.fileName;
  const size = image ? `, ${image.size.toLocaleString("en-US")} bytes` : "";
  return `${jobId}: ${what}${size}, to ${count} device${count === 1 ? "" : "s"} over ${protocols.join(" or ")}`;
}

function countPhases(executions: readonly ExecutionView[]): Partial<Record<Phase, number>> {
  const phases: Partial<Record<Phase, number>> = {};
  for (const { phase } of executions) phases[phase] = (phases[phase] ?? 0) + 1;
  return phases;
}
