/**
 * Follows a rollout, or the actions of a distribution set, by the counts hawkBit keeps.
 * @module
 */
import { reasonText } from "../aws/follow.js";
import { FAILED, Failure, INTERRUPTED, OK } from "../failure.js";
import { pause } from "../interrupt.js";
import { printable, printableData } from "../printable.js";
import { paint, print } from "../text.js";
import type { Followed, HawkbitServer, Progress } from "./server.js";

export interface FollowOptions {
  readonly poll: number;
  readonly timeout?: number;
  readonly json: boolean;
}

/** Devices whose reasons are shown. */
const REASONS = 5;

/** Until it is over, the time is up, or Ctrl-C. @throws Failure */
export async function follow(
  server: HawkbitServer,
  followed: Followed,
  options: FollowOptions,
  stop: AbortSignal,
): Promise<number> {
  const deadline = options.timeout === undefined ? Infinity : performance.now() + options.timeout * 1000;
  const name = `${followed.kind === "set" ? "distribution set" : "rollout"} ${followed.id}`;
  let shown = "";
  for (;;) {
    const progress = await server.progress(followed);
    const text = countsText(progress);
    if (text !== shown) tell(options, { event: "progress", ...progress }, text);
    shown = text;
    if (progress.over) return await conclude(server, followed, progress, options);
    if (performance.now() > deadline) throw new Failure(`the time is up: ${name} goes on`, FAILED);
    await pause(options.poll * 1000, stop);
    if (stop.aborted) {
      tell(options, { event: "stopped", ...followed }, `Stopped: ${name} goes on.`);
      return INTERRUPTED;
    }
  }
}

export function tell({ json }: Pick<FollowOptions, "json">, data: object, text: string): void {
  print(json ? JSON.stringify(printableData(data)) : text);
}

/** `running: 12 running, 3 finished` */
function countsText({ status, counts }: Progress): string {
  const list = Object.entries(counts).map(([name, count]) => `${count} ${name}`);
  return printable(`${status}: ${list.join(", ") || "no target yet"}`);
}

async function conclude(
  server: HawkbitServer,
  followed: Followed,
  progress: Progress,
  options: FollowOptions,
): Promise<number> {
  const { counts, status } = progress;
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const done = counts["finished"] ?? 0;
  const ok = all > 0 && done === all && status === "finished";
  const failed = counts["error"] ? printableData(await server.failed(followed, REASONS)) : [];
  const text = [
    ...failed.map(reasonText),
    ...(status === "paused"
      ? ["The rollout is paused: it goes on when somebody resumes it in hawkBit."]
      : []),
    paint(ok ? "green" : "red", `${done} of ${all} targets finished`),
  ].join("\n");
  tell(options, { event: "outcome", ok, ...followed, ...progress, failed }, text);
  return ok ? OK : FAILED;
}
