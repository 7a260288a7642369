/**
 * A control plane for products without a fleet service: a manifest on any web server, fetched when it is asked for and as
 * often as the agent looks at its queue (`pollMs`). An entry point of its own.
 *
 * The manifest is a job document, `{"afr_ota": …}`; URLs in it may be relative to its own. It is trusted with nothing: the
 * image is checked by its signature, its version and its trial as always. What a service would remember about the job, this
 * remembers itself (option `store` of the agent): what has ended is not begun again, and an image on trial keeps its job,
 * whatever the manifest says by then.
 * @module
 */
import { decodeUtf8, encodeUtf8 } from "../bytes.js";
import type { ControlContext, ControlListener, ControlPlane, UpdateDone } from "../control/control-plane.js";
import { spread } from "../control/jitter.js";
import { type ParsedJob, parseJob } from "../control/job-document.js";
import type { JobReference, JobStatus, StatusDetails } from "../control/job-status.js";
import * as Event from "../events.js";
import type { HttpClient, Timer } from "../ports.js";
import { Exchange, type ExchangeAnswer } from "../transfer/exchange.js";
import { isUrl, resolveUrl } from "../transfer/http-fields.js";

/** `Store` key of the record. */
const KEY = "xs-ota.url";
/** Longest manifest and longest URL, in bytes: NVS, which keeps both, takes texts of 4000. */
const MAX_MANIFEST = 2_560;
const MAX_URL = 512;
/** A fetch that fails is repeated, milliseconds. */
const FIRST_WAIT_MS = 5_000;
const LONGEST_WAIT_MS = 300_000;
/** How often a job may fail until it is left alone, and how long it waits after each time, milliseconds. */
const ATTEMPTS = 3;
const PAUSE_MS = 3_600_000;

export interface UrlUpdatesOptions {
  readonly http: HttpClient;
  /** Of the manifest that is looked at by itself. Default: none, only what `updateFrom` is given. */
  readonly url?: string;
}

/** What is known of the job worked on last, across restarts. */
interface JobRecord {
  readonly jobId: string;
  readonly url: string;
  readonly attempt: number;
  readonly status: string;
  /** JSON of its status details. */
  readonly details: string;
  /** While its image is on trial. */
  readonly manifest: string;
}

/** Of a manifest's bytes: the same manifest is the same job (FNV-1a, twice for 64 bits). */
function jobIdOf(bytes: Uint8Array): string {
  let [a, b] = [0x811c9dc5, 0x01000193];
  for (const byte of bytes) {
    a = Math.imul(a ^ byte, 0x01000193);
    b = Math.imul(b ^ byte, 0x85ebca6b) + a;
  }
  const hex = (value: number) => (value >>> 0).toString(16).padStart(8, "0");
  return `url-${hex(a)}${hex(b)}`;
}

/** @throws TypeError naming what is wrong */
function checkUrl(url: string): string {
  if (typeof url !== "string" || !isUrl(url)) throw new TypeError("no HTTP URL");
  if (url.length > MAX_URL) throw new TypeError(`a URL of more than ${MAX_URL} characters`);
  return url;
}

export class UrlUpdates {
  readonly #http: HttpClient;
  readonly #url: string | undefined;
  #asked: string | undefined;
  #plane: UrlPlane | undefined;

  /** @throws TypeError for a URL that is none */
  constructor({ http, url }: UrlUpdatesOptions) {
    this.#http = http;
    this.#url = url === undefined ? undefined : checkUrl(url);
  }

  /** For the agent's option `controlPlane`. */
  readonly plane = (context: ControlContext, tell: ControlListener): ControlPlane => {
    this.#plane = new UrlPlane(
      this.#http,
      () => this.#asked ?? this.#url,
      () => {
        this.#asked = undefined;
      },
      context,
      tell,
    );
    return this.#plane;
  };

  /**
   * Fetches the manifest there now, and updates if it offers something that may be installed, also where that has failed before.
   * A job under way comes to its end first. What comes of it is told by the agent's events; that there is nothing to
   * do as "no-active-job".
   * @throws TypeError for a URL that is none; Error before the agent has been made
   */
  updateFrom(url: string): void {
    checkUrl(url);
    if (!this.#plane) throw new Error("no agent has this control plane");
    this.#asked = url;
    this.#plane.look();
  }
}

class UrlPlane implements ControlPlane {
  readonly connected = true;
  readonly reporting = false;
  readonly rate = 0;
  roundTrip: number | undefined;
  endedAs: unknown;
  readonly #http: HttpClient;
  readonly #url: () => string | undefined;
  readonly #answered: () => void;
  readonly #context: ControlContext;
  readonly #tell: ControlListener;
  #open = false;
  #fetch: Exchange | undefined;
  #timer: Timer | undefined;
  #tries = 0;
  /** The next request is one the application has asked for. */
  #urgent = false;
  /** When a job has failed in this life. */
  #failedAt = Number.NEGATIVE_INFINITY;
  /** The manifest on offer. */
  #offer: { readonly jobId: string; readonly url: string; readonly manifest: string } | undefined;

  constructor(
    http: HttpClient,
    url: () => string | undefined,
    answered: () => void,
    context: ControlContext,
    tell: ControlListener,
  ) {
    this.#http = http;
    this.#url = url;
    this.#answered = answered;
    this.#context = context;
    this.#tell = tell;
  }

  open(): void {
    this.#open = true;
    this.#later(() => this.#tell(Event.Subscribed));
  }

  close(): void {
    this.#open = false;
    this.cancelRequest();
  }

  get requesting(): boolean {
    return this.#fetch !== undefined || this.#timer !== undefined;
  }

  isReporting(): boolean {
    return false;
  }

  dropUpdates(): void {}

  /** The application wants it looked at now. */
  look(): void {
    this.#urgent = true;
    this.#tries = 0;
    if (this.#open) this.#tell(Event.CheckForUpdate);
  }

  request(): void {
    this.cancelRequest();
    const record = this.#record();
    // A job under way goes on, from where it was found.
    const url = record?.status === "IN_PROGRESS" ? record.url : this.#url();
    if (!url) return this.#answer(undefined);
    const { clock, log } = this.#context;
    const startedAt = clock.now();
    const request = { method: "GET", url, most: MAX_MANIFEST } as const;
    this.#fetch = new Exchange(this.#http, clock, request, (error, answer) => {
      this.#fetch = undefined;
      const { status, body, url: where } = answer ?? ({} as Partial<ExchangeAnswer>);
      const isGone = status === 404 || status === 410;
      if (status !== 200 && !isGone) {
        log("warn", `manifest ${url}: ${error ? error.message : `status ${status}`}`);
        const wait = Math.min(FIRST_WAIT_MS * 2 ** this.#tries++, LONGEST_WAIT_MS);
        this.#timer = clock.set(
          () => {
            this.#timer = undefined;
            this.request();
          },
          spread(wait, this.#context),
        );
        return;
      }
      this.#tries = 0;
      this.roundTrip = clock.now() - startedAt;
      this.#answer(isGone ? undefined : body, url, where);
    });
  }

  cancelRequest(): void {
    this.#fetch?.stop();
    this.#fetch = undefined;
    this.#context.clock.clear(this.#timer);
    this.#timer = undefined;
  }

  update(job: JobReference, status: JobStatus, details: StatusDetails, done?: UpdateDone | false): void {
    if (!this.#open) return;
    const { log } = this.#context;
    if (done !== false) {
      const { jobId, executionNumber = 1 } = job;
      const offer = this.#offer?.jobId === jobId ? this.#offer : this.#record();
      const onTrial = status === "IN_PROGRESS" && "self_test" in details;
      if (status === "FAILED") this.#failedAt = this.#context.clock.now();
      log("info", `${jobId}: ${status} ${JSON.stringify(details)}`);
      this.#keep({
        ...{ jobId, status, attempt: executionNumber },
        url: offer?.url ?? "",
        details: status === "IN_PROGRESS" ? JSON.stringify(details) : "",
        manifest: (onTrial && offer?.manifest) || "",
      });
    }
    if (done) this.#later(() => this.#open && done("accepted", details));
  }

  #later(action: () => void): void {
    this.#context.clock.set(action, 0);
  }

  /** @param manifest undefined: there is none, or no URL to look at */
  #answer(manifest: Uint8Array | undefined, url = "", where = url): void {
    const urgent = this.#urgent;
    this.#urgent = false;
    const record = this.#record();
    const onTrial = record?.status === "IN_PROGRESS" && record.manifest;
    const parsed = manifest
      ? onTrial
        ? this.#parse(encodeUtf8(onTrial), record.url, record.url, record)
        : this.#judge(manifest, url, where, urgent)
      : undefined;
    if (parsed?.kind !== "ota" || parsed.job.jobId !== record?.jobId || record.status !== "IN_PROGRESS")
      this.#answered();
    this.#later(() => {
      if (this.#open) this.#tell(Event.ReceivedJobDocument, parsed ?? { kind: "none", clientToken: "url" });
    });
  }

  /** The job of a manifest; undefined when there is nothing to do about it. */
  #judge(manifest: Uint8Array, url: string, where: string, urgent: boolean): ParsedJob | undefined {
    const record = this.#record();
    const jobId = jobIdOf(manifest);
    const known = record?.jobId === jobId ? record : undefined;
    let attempt = known?.attempt ?? 1;
    if (known && known.status !== "IN_PROGRESS") {
      const waits = this.#context.clock.now() - this.#failedAt < PAUSE_MS;
      if (!urgent && (known.status !== "FAILED" || attempt >= ATTEMPTS || waits)) return undefined;
      attempt++;
    }
    this.#offer = { jobId, url, manifest: decodeUtf8(manifest) };
    const details = known?.status === "IN_PROGRESS" ? known.details : "";
    return this.#parse(manifest, url, where, { jobId, attempt, details });
  }

  /** The manifest as the message a service would send about it. */
  #parse(
    manifest: Uint8Array,
    url: string,
    where: string,
    { jobId, attempt, details }: Pick<JobRecord, "jobId" | "attempt" | "details">,
  ): ParsedJob {
    const head = `{"clientToken":"url","execution":{"jobId":"${jobId}","executionNumber":${attempt},"statusDetails":${details || "{}"},"jobDocument":`;
    const before = encodeUtf8(head);
    const message = new Uint8Array(before.length + manifest.length + 2);
    message.set(before);
    message.set(manifest, before.length);
    message.set([0x7d, 0x7d], before.length + manifest.length);
    const parsed = parseJob(message);
    if (parsed.kind === "ota") {
      // URLs in it are relative to where the manifest was found in the end.
      for (const file of parsed.job.files as unknown as { url: string }[])
        if (file.url) file.url = resolveUrl(where || url, file.url) ?? file.url;
    } else if (parsed.kind === "custom" || parsed.kind === "none") {
      this.#context.log("warn", `manifest ${url}: there is no "afr_ota" in it`);
      return { kind: "none", clientToken: "url" };
    }
    return parsed;
  }

  #record(): JobRecord | undefined {
    const [status, attempt, jobId, url, details, ...manifest] = (this.#context.store?.get(KEY) ?? "").split(
      "\n",
    );
    if (!url) return undefined;
    return { status, attempt: Number(attempt), jobId, url, details, manifest: manifest.join("\n") };
  }

  #keep({ status, attempt, jobId, url, details, manifest }: JobRecord): void {
    this.#context.store?.set(KEY, [status, attempt, jobId, url, details, manifest].join("\n"));
  }
}
