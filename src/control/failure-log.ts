/**
 * What happened before an update failed: the newest events, and how often what went wrong. Goes with FAILED beside the
 * agent's own words. A module of its own (`xs-ota-agent/failure-log`), for products that want it.
 * Formats and limits: docs/SPEC.md, "Failure log".
 * @module
 */
import type { OtaError } from "../errors.js";
import type { FailureRecorder, OtaEvent, RecorderParts } from "../options.js";
import type { AppDescription, Store } from "../ports.js";
import type { DownloadStatistics } from "../transfer/download.js";
import type { StatusDetails } from "./job-status.js";

/** `Store` key. NVS takes 15 characters. */
const KEY = "xs-ota.log";
/** Characters of all lines together; they are ASCII. */
const LOG_LENGTH = 2048;
/** Of one line, and of a value of `statusDetails` (AWS IoT Jobs, `DetailsValue`). */
const LINE_LENGTH = 160;
const VALUE_LENGTH = 1024;
/** Causes that are counted, their characters, and what stands for those beyond. */
const MOST_CAUSES = 12;
const CAUSE_LENGTH = 72;
const OTHERS = "others";
/** Between lines in a value, which has none of its own: AWS refuses line breaks. */
const BETWEEN = " | ";

/** What is kept across restarts, as JSON: arrays, since XS keeps names of members that were parsed. */
type Kept = [
  jobId: string,
  before: string,
  coming: string,
  counts: number[],
  causes: string[],
  lines: string[],
];

export class FailureLog implements FailureRecorder {
  readonly #store: Store | undefined;
  #parts!: RecorderParts;
  #bornAt = 0;
  #jobId = "";
  /** The image that took the job, and the one it brings, by version and build. */
  #before = "";
  #coming = "";
  #counts: number[] = [];
  #causes: string[] = [];
  #lines: string[] = [];
  #length = 0;
  #download: { readonly statistics: DownloadStatistics } | undefined;
  #startedAt = 0;

  /** @param store where the log survives a restart: up to 4 KB under `xs-ota.log`, written six times an update */
  constructor(store?: Store) {
    this.#store = store;
  }

  /** What is in the log, a line for each event, oldest first. */
  get text(): string {
    return this.#lines.join("\n");
  }

  begin(parts: RecorderParts): void {
    const { resetReason, running } = parts.pal;
    this.#parts = parts;
    this.#bornAt = parts.clock.now();
    this.#take("");
    this.#restore();
    if (this.#jobId) this.#line(`started${resetReason ? ` by ${resetReason}` : ""}; ${nameOf(running)} runs`);
  }

  event(event: OtaEvent): void {
    const { type } = event;
    switch (type) {
      case "received-job":
        this.#take(event.job.jobId);
        this.#line(`job, ${event.job.files[0].fileSize} bytes`);
        break;
      case "image":
        this.#coming = nameOf(event.app);
        this.#line(`image ${this.#coming}`);
        break;
      case "activate":
      case "start-test":
        this.#line(type);
        break;
      case "self-test-failed":
      case "fail":
        this.#line(`${type}: ${event.error.message}`);
        break;
      case "update-complete":
        this.#take("");
        break;
      default:
        return;
    }
    this.#save();
  }

  cause(text: string): void {
    const cause = plainLine(text).slice(0, CAUSE_LENGTH).replace(/\d+/g, "#");
    let at = this.#causes.indexOf(cause);
    if (at < 0) {
      this.#line(text);
      at = this.#causes.length;
      if (at >= MOST_CAUSES) at = MOST_CAUSES - 1;
      this.#causes[at] = at === MOST_CAUSES - 1 ? OTHERS : cause;
    }
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
  }

  transfer(download: { readonly statistics: DownloadStatistics }): void {
    this.#download = download;
    this.#startedAt = this.#parts.clock.now();
  }

  details(error: OtaError, jobId: string): StatusDetails {
    const { pal } = this.#parts;
    const { running, resetReason } = pal;
    // Refused before it was begun: nothing here is about it.
    if (jobId !== this.#jobId) this.#take(jobId);
    const details: Record<string, string> = { phase: error.phase };
    const now = nameOf(running);
    details["firmware"] = `${this.#before || now} -> ${this.#coming || "?"}; ${now} runs`;
    const causes = this.#causes.map((cause, at) => `${this.#counts[at]} x ${cause}`).join("; ");
    if (causes) details["causes"] = causes.slice(0, VALUE_LENGTH);
    if (this.#download) details["transfer"] = this.#rates(this.#download.statistics);
    if (resetReason) details["reset"] = resetReason;
    let end = this.#lines.length;
    for (let part = 0; part < 2 && end > 0; part++) {
      let text = "";
      for (; end > 0 && text.length + BETWEEN.length + this.#lines[end - 1].length <= VALUE_LENGTH; end--)
        text = this.#lines[end - 1] + (text && BETWEEN + text);
      details[part ? "log_before" : "log"] = text;
    }
    this.#download = undefined;
    return details;
  }

  #rates(statistics: DownloadStatistics): string {
    const { bytes, resumedBytes, packetsReceived, bad, duplicates, retransmitted, requests, refusals } =
      statistics;
    const { srtt, window } = statistics;
    const ms = Math.max(1, this.#parts.clock.now() - this.#startedAt);
    const rate = Math.round((bytes * 1000) / ms);
    return (
      `${bytes} bytes in ${Math.round(ms / 1000)} s (${rate} bytes/s), ${resumedBytes} were there; ` +
      `${packetsReceived} messages, ${bad} bad, ${duplicates} twice; ${requests} requests, ${retransmitted} blocks again, ` +
      `${refusals} refusals; round trip ${Math.round(srtt)} ms, window ${Math.round(window)}`
    );
  }

  /** Begins anew for another job. */
  #take(jobId: string): void {
    if (jobId && jobId === this.#jobId) return;
    const { running } = this.#parts.pal;
    this.#jobId = jobId;
    this.#before = jobId && nameOf(running);
    this.#coming = "";
    this.#counts = [];
    this.#causes = [];
    this.#lines = [];
    this.#length = 0;
    this.#download = undefined;
  }

  #line(text: string): void {
    const seconds = Math.round((this.#parts.clock.now() - this.#bornAt) / 1000);
    this.#push(`${seconds} s ${text}`);
  }

  #push(text: string): void {
    const line = plainLine(text);
    this.#lines.push(line);
    this.#length += line.length + 1;
    while (this.#length > LOG_LENGTH) this.#length -= (this.#lines.shift() as string).length + 1;
  }

  #save(): void {
    const kept: Kept = [this.#jobId, this.#before, this.#coming, this.#counts, this.#causes, this.#lines];
    try {
      this.#store?.set(KEY, this.#jobId && JSON.stringify(kept));
    } catch {
      // The update matters more than what is said of it.
    }
  }

  #restore(): void {
    try {
      const text = this.#store?.get(KEY);
      if (!text) return;
      const [jobId, before, coming, counts, causes, lines] = JSON.parse(text) as Kept;
      this.#jobId = plainLine(jobId);
      this.#before = plainLine(before);
      this.#coming = plainLine(coming);
      for (let at = 0; at < causes.length && at < MOST_CAUSES; at++) {
        this.#causes[at] = plainLine(causes[at]);
        this.#counts[at] = +counts[at] || 1;
      }
      for (let at = 0; at < lines.length; at++) this.#push(lines[at]);
    } catch {
      // Whatever wrote it was something else.
      this.#take("");
    }
  }
}

function nameOf(app: AppDescription | undefined): string {
  return app ? plainLine(`${app.version}+${app.buildId}`) : "no image";
}

/** Characters of ASCII alone: as many bytes as characters, and none that AWS refuses or that stands between lines. */
function plainLine(text: string): string {
  return `${text}`.slice(0, LINE_LENGTH).replace(/[^ -{}~]+/g, "?");
}
