/**
 * The progress of a job: bars on a terminal, lines elsewhere, JSON on request.
 * @module
 */
import { stripVTControlCharacters } from "node:util";
import type { ExecutionView, JobView, Phase } from "../../../service/views.js";
import { bar, executionLine, percent, phaseText, Screen } from "../screen.js";
import { paint, print } from "../text.js";

/** Share of the file between two lines of progress where there are no bars. */
const STEP = 0.25;
/** Of what is worth a line of its own in a large fleet, the most urgent first. */
const ORDER: readonly Phase[] = Object.freeze([
  "rolled back",
  "failed",
  "refused",
  "timed out",
  "cancelled",
  "removed",
  "testing",
  "restarting",
  "downloading",
  "started",
  "offered",
  "accepted",
]);

export class Progress {
  readonly #jobId: string;
  readonly #json: boolean;
  readonly #screen = new Screen();
  readonly #terminal = Boolean(process.stdout.isTTY);
  /** What was printed last of each device. */
  readonly #printed = new Map<string, string>();
  /** Where the rollout is, as told last. */
  #told = "";
  #isLost = false;

  constructor(jobId: string, json: boolean) {
    this.#jobId = jobId;
    this.#json = json;
  }

  /**
   * @param latest where every device is
   * @param changed what has just changed
   */
  show(job: JobView, latest: readonly ExecutionView[], changed: readonly ExecutionView[]): void {
    this.#isLost = false;
    const rollout = rolloutText(job);
    if (this.#json)
      for (const execution of changed) print(JSON.stringify({ event: "execution", ...execution }));
    else if (this.#terminal) this.#screen.draw([...this.#lines(latest), ...rollout]);
    else {
      for (const execution of changed) this.#line(execution);
      if (rollout.join() !== this.#told) print(...rollout);
      this.#told = rollout.join();
    }
  }

  /** The connection to the service is gone. */
  lost(): void {
    if (this.#isLost) return;
    this.#isLost = true;
    if (this.#json) print(JSON.stringify({ event: "lost", jobId: this.#jobId }));
    else if (this.#terminal) this.#screen.leave();
    if (!this.#json) print(paint("yellow", "The service has gone; waiting for it to come back …"));
  }

  /** The last picture. */
  finish(latest: readonly ExecutionView[]): void {
    if (this.#terminal && !this.#json) this.#screen.draw(this.#lines(latest), true);
  }

  #line(execution: ExecutionView): void {
    const { thingName, attempt, phase, progress, text } = execution;
    const step = phase === "downloading" ? Math.floor(progress / STEP) * STEP : undefined;
    if (step === 0) return;
    const key = `${thingName} ${attempt}`;
    const state = `${phase} ${step ?? ""}`;
    if (this.#printed.get(key) === state) return;
    this.#printed.set(key, state);
    const again = attempt > 1 ? ` (attempt ${attempt})` : "";
    print(`${thingName}  ${phase}: ${step === undefined ? text : `${Math.round(step * 100)} %`}${again}`);
  }

  #lines(latest: readonly ExecutionView[]): string[] {
    const width = Math.max(...latest.map(({ thingName }) => thingName.length), 5);
    const rank = (execution: ExecutionView) => ORDER.indexOf(execution.phase);
    // One more says where the rollout is.
    const rows = this.#screen.rows - 1;
    const fits = latest.length <= rows;
    if (fits) return latest.map((execution) => executionLine(execution, width, this.#screen.columns));
    const shown = [...latest].sort((a, b) => rank(a) - rank(b)).slice(0, rows - 2);
    const share = latest.reduce((sum, { progress }) => sum + progress, 0) / latest.length;
    return [
      this.#sum(share, width, latest),
      ...shown.map((execution) => executionLine(execution, width, this.#screen.columns)),
      paint("dim", `… ${latest.length - shown.length} more`),
    ];
  }

  #sum(share: number, width: number, latest: readonly ExecutionView[]): string {
    const end = `${percent(share)}  ${this.#counts(latest)}`;
    const whole = `${"all".padEnd(width)} ${bar(share)} ${end}`;
    return stripVTControlCharacters(whole).length <= this.#screen.columns ? whole : `all ${end}`;
  }

  #counts(latest: readonly ExecutionView[]): string {
    const counts = new Map<Phase, number>();
    for (const { phase } of latest) counts.set(phase, (counts.get(phase) ?? 0) + 1);
    return [...counts].map(([phase, count]) => phaseText(phase, `${count} ${phase}`)).join(", ");
  }
}

/** Where a rollout is that has not reached all of its devices; nothing when it has. */
function rolloutText({ stage, waiting }: JobView): string[] {
  if (waiting === 0) return [];
  const where = stage ? `Stage ${stage.stage} of ${stage.stages}, ` : "";
  const rest = `${waiting} ${waiting === 1 ? "device waits" : "devices wait"}`;
  return [paint("dim", where + rest)];
}
