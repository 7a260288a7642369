/**
 * The control plane for Eclipse hawkBit: Direct Device Integration over HTTP. Polls at the server's pace, turns deployments
 * into jobs and statuses into feedback; one exchange at a time, each with a deadline, repeated with back-off and jitter until
 * it is answered. API: hawkBit 1.1, `DdiRootControllerRestApi`.
 *
 * What AWS IoT Jobs lets a device read back after a restart, DDI does not: the details of the image on trial are kept in the
 * store, from before the restart until those of another action take their place.
 * @module
 */
import type {
  ControlContext,
  ControlListener,
  ControlPlane,
  ControlPlaneFactory,
  UpdateDone,
} from "../control/control-plane.js";
import { spread } from "../control/jitter.js";
import type { OtaJob, ParsedJob } from "../control/job-document.js";
import type { JobReference, JobStatus, StatusDetails, UpdateResult } from "../control/job-status.js";
import { asOtaError, OtaError, wordsOf } from "../errors.js";
import * as Event from "../events.js";
import type { HttpClient, Store, Timer } from "../ports.js";
import { Exchange, type ExchangeAnswer, type ExchangeRequest, wordsOfAnswer } from "../transfer/exchange.js";
import { retryAfter } from "../transfer/http-fields.js";
import {
  actionOf,
  type Deployment,
  MAX_SIGNATURE,
  parseBase,
  parseCancel,
  parseConfirmation,
  parseDeployment,
} from "./deployment.js";
import { isAccepted, isInUse, lastAction, progressOf, recall, remember } from "./memory.js";

export interface DdiOptions {
  /** A connection of its own: statuses do not wait behind the image. With `authorized`, where there is a token. */
  http: HttpClient;
  /** `https://<host>/<tenant>/controller/v1/<controller id>` */
  url: string;
  /** File types of module types. Default: os, firmware and bApp are firmware, type 0. */
  parts?: Readonly<Partial<Record<string, number>>>;
  /** What the service is to know of this device, beside version, build, project and chip. */
  attributes?: () => Readonly<Record<string, string>>;
  /**
   * Asked for an action that waits for consent, by its id: true confirms it, false denies it (once; hawkBit goes on waiting),
   * undefined leaves it for the next poll. Default: true.
   */
  confirm?: (actionId: string) => boolean | undefined;
}

/** Module types of hawkBit's default set-up, as its answers name them: "application" is "bApp" there. */
const PARTS: Readonly<Record<string, number>> = Object.freeze({ os: 0, firmware: 0, bApp: 0 });
/** Poll interval when the server names none: hawkBit's default, milliseconds. */
const DEFAULT_SLEEP_MS = 300_000;
/** Bounds of what a server may name: hawkBit's least, and a day, milliseconds. */
const LEAST_SLEEP_MS = 30_000;
const MOST_SLEEP_MS = 86_400_000;
/**
 * First wait before an exchange that failed is repeated, doubled up to the longest, milliseconds: a network that comes up in a
 * moment must not cost an image on trial its time. The least after an answer.
 */
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 300_000;
const ANSWERED_WAIT_MS = 5_000;
/** Reports of progress for one action: hawkBit takes 1,000 statuses, and the others must find room. */
const MAX_PROGRESS = 200;
/** Longest message hawkBit keeps in one piece, characters (`JpaActionStatus`, MESSAGE_ENTRY_LENGTH). */
const MESSAGE_LENGTH = 512;
/** Longest key and value of an attribute, characters, and most attributes (`Target`; `maxAttributeEntriesPerTarget`). */
const ATTRIBUTE_LENGTH = 128;
const MAX_ATTRIBUTES = 100;
/** How often a signature that is not to be had is asked for, a poll between. */
const MAX_ATTEMPTS = 3;
/** Longest answer that is taken, bytes: a deployment has about a kilobyte for each artifact. */
const MAX_ANSWER = 40_960;

/** A status on its way. */
interface Feedback {
  readonly jobId: string;
  readonly status: JobStatus;
  readonly details: StatusDetails;
  readonly done: UpdateDone | undefined;
}

type Handler = (answer: ExchangeAnswer) => void;
type Answer = ParsedJob extends infer Kind
  ? Kind extends ParsedJob
    ? Omit<Kind, "clientToken">
    : never
  : never;

const NO_FILES: Pick<OtaJob, "files"> = Object.freeze({ files: Object.freeze([]) });

const NONE: Answer = Object.freeze({ kind: "none" });

/**
 * Makes a control plane that speaks DDI, for the agent's option `controlPlane`. The agent needs a `store`, which is not shared
 * with another device.
 * @throws RangeError for an unusable URL; the agent's constructor a TypeError when it has no store
 */
export function ddi(options: DdiOptions): ControlPlaneFactory {
  if (!/^https?:\/\/[^/?#\s]+\/[^?#\s]*[^/?#\s]$/i.test(options.url))
    throw new RangeError('options: "url" is not https://<host>/<tenant>/controller/v1/<controller id>');
  return (agent, tell) => {
    const { store } = agent;
    if (!store) throw new TypeError('options: "store" is no object');
    return new Ddi(options, agent, store, tell);
  };
}

class Ddi implements ControlPlane {
  readonly #options: DdiOptions;
  readonly #agent: ControlContext;
  readonly #memory: Store;
  readonly #tell: ControlListener;
  #open = false;
  #exchange: Exchange | undefined;
  /** Feedback that must arrive, oldest first. */
  readonly #updates: Feedback[] = [];
  /** The last end of an action that the service has not taken: said again when the action is met again. */
  #unheard: Feedback | undefined;
  /** The last report of progress, if it has not been sent. */
  #progress: Feedback | undefined;
  /** The word that an image is ready, which the service has and the agent has not been told: the time to install has not come. */
  #held: Feedback | undefined;
  /** The action that was told of last, and how many reports of progress of it were sent. */
  #at = "";
  #reports = 0;
  /** The job it is, with its signatures. */
  #job: OtaJob | undefined;
  /** It has times of its own to be installed at. */
  #windows = false;
  /** Action that was said to wait for its time; action the device has denied. */
  #scheduled = "";
  #denied = "";
  /** Answers in a row in place of a signature. */
  #unsigned = 0;
  /** Action the server wants to have stopped; the same, until it has been told that it is; action that was said to be. */
  #cancelled = "";
  #closing = "";
  #stopped = "";
  /** Where the device's attributes are wanted. */
  #configData = "";
  /** The agent waits for a job; the held word waits for a look at the action. */
  #asked = false;
  #look = false;
  #failures = 0;
  /** The next poll, and the next attempt after a failure. */
  #pollTimer: Timer | undefined;
  #retryTimer: Timer | undefined;
  roundTrip: number | undefined;
  rate = 0;
  endedAs: unknown;

  constructor(options: DdiOptions, agent: ControlContext, memory: Store, tell: ControlListener) {
    this.#options = options;
    this.#agent = agent;
    this.#memory = memory;
    this.#tell = tell;
  }

  get connected(): boolean {
    return this.#open && this.#failures === 0;
  }

  get reporting(): boolean {
    return this.#updates.length > 0;
  }

  get requesting(): boolean {
    return this.#asked;
  }

  isReporting(jobId: string): boolean {
    return this.#updates.some((update) => update.jobId === jobId);
  }

  open(): void {
    this.#open = true;
    this.#failures = 0;
    // Nobody has to listen before something can be asked.
    this.#retryTimer = this.#agent.clock.set(() => {
      this.#retryTimer = undefined;
      this.#tell(Event.Subscribed);
    }, 0);
  }

  close(): void {
    const { clock } = this.#agent;
    this.#open = this.#asked = this.#look = false;
    this.#exchange?.stop();
    this.#exchange = undefined;
    clock.clear(this.#pollTimer);
    clock.clear(this.#retryTimer);
    this.#retryTimer = undefined;
    this.dropUpdates();
    this.#at = this.#scheduled = this.#denied = this.#configData = "";
    this.#cancelled = this.#closing = this.#stopped = "";
    this.#job = this.#unheard = undefined;
  }

  request(): void {
    this.#asked = true;
    this.#go();
  }

  cancelRequest(): void {
    this.#asked = false;
  }

  update(
    { jobId }: JobReference,
    status: JobStatus,
    details: StatusDetails,
    done?: UpdateDone | false,
  ): void {
    if (!this.#open) return;
    if (done === false) {
      // Nobody waits for it: the newest one is enough.
      if (this.#reports < MAX_PROGRESS) this.#progress = { jobId, status, details, done: undefined };
    } else {
      const update: Feedback = { jobId, status, details, done };
      if (status !== "IN_PROGRESS") this.#progress = this.#held = undefined;
      this.#updates.push(update);
    }
    this.#go();
  }

  dropUpdates(jobId?: string): void {
    const updates = this.#updates;
    for (let at = updates.length - 1; at >= 0; at--)
      if (!jobId || updates[at].jobId === jobId) updates.splice(at, 1);
    this.#progress = this.#held = undefined;
  }

  // Exchanges

  /** Does what is next, unless something is under way or has to wait. */
  #go(): void {
    if (!this.#open || this.#exchange || this.#retryTimer) return;
    const update = this.#updates[0];
    const progress = this.#progress;
    if (update) this.#report(update);
    else if (this.#closing) this.#close(this.#closing);
    else if (this.#configData) this.#putConfigData();
    else if (this.#asked || this.#look) this.#poll();
    else if (progress) {
      this.#progress = undefined;
      this.#reports++;
      this.#post(progress, (result) => {
        if (result === "gone") this.#tell(Event.JobGone, progress.jobId);
      });
    }
  }

  /** @param handler called with an answer that is one; what is next is done again otherwise, after a while */
  #send(request: Omit<ExchangeRequest, "most">, handler: Handler): void {
    const { clock, log } = this.#agent;
    this.#exchange = new Exchange(
      this.#options.http,
      clock,
      { ...request, most: MAX_ANSWER },
      (error, answer) => {
        this.#exchange = undefined;
        const status = answer?.status ?? 0;
        // Too many requests; what is too much of a kind is another matter. Who does not know this device, or not at the
        // moment, has not read what it says: that has to arrive.
        const busy =
          status === 408 ||
          status >= 500 ||
          (status === 429 && !isQuota(answer)) ||
          (status === 401 && request.method !== "GET");
        if (!answer || busy) {
          log("warn", `DDI: ${request.url}: ${error ? error.message : `status ${status}`}`);
          this.#wait(answer ? Math.max(retryAfter(answer.headers), ANSWERED_WAIT_MS) : 0);
        } else {
          // An answer to what the device says is one; those to its questions have to be read first.
          if (request.method !== "GET") this.#failures = 0;
          handler(answer);
          this.#go();
        }
      },
    );
  }

  #wait(atLeast: number): void {
    const { clock } = this.#agent;
    const wait = Math.min(FIRST_WAIT_MS * 2 ** Math.min(this.#failures++, 10), LONGEST_WAIT_MS);
    this.#retryTimer = clock.set(
      () => {
        this.#retryTimer = undefined;
        this.#go();
      },
      Math.max(atLeast, spread(wait, this.#agent)),
    );
  }

  /** Not to be talked to this way: a wrong token, an unknown tenant, no JSON. Asked again in a while. */
  #refused(what: string): void {
    this.#agent.log("error", `DDI: ${what}`);
    this.#wait(ANSWERED_WAIT_MS);
  }

  // Polling

  #poll(): void {
    const { clock } = this.#agent;
    const sentAt = clock.now();
    this.#get(this.#options.url, ({ body }) => {
      this.roundTrip = clock.now() - sentAt;
      const { sleepMs = DEFAULT_SLEEP_MS, configData, cancel, confirmation, deployment } = parseBase(body);
      // The server's pace is the fastest; a fleet does not ask in step.
      const sleep = Math.min(Math.max(sleepMs, LEAST_SLEEP_MS), MOST_SLEEP_MS);
      clock.clear(this.#pollTimer);
      this.#pollTimer = clock.set(
        () => this.#tell(Event.RequestJobDocument),
        sleep * (1 + this.#agent.random() / 4),
      );
      this.#configData = configData;
      const first = this.#first();
      if (cancel) this.#get(cancel, (answer) => this.#cancelWanted(parseCancel(answer.body)));
      else if (first)
        this.#get(
          `${this.#options.url}/deploymentBase/${first}`,
          (answer) => this.#deployed(answer.body),
          () => {
            const held = this.#held;
            this.#held = undefined;
            held?.done?.("gone", held.details);
          },
        );
      else if (confirmation)
        this.#get(confirmation, (answer) => this.#confirm(parseConfirmation(answer.body)));
      else if (deployment) this.#get(deployment, (answer) => this.#deployed(answer.body));
      else this.#answer(NONE);
    });
  }

  /**
   * The action that others wait for, also heavier ones: whose image waits for its time, or is on trial; "" when there is none.
   * @throws what the store and the porting layer do
   */
  #first(): string {
    if (this.#held) return this.#held.jobId;
    return this.#agent.pal.getPlatformImageState() === "pending-commit" ? lastAction(this.#memory) : "";
  }

  /** Asks for a resource. One that is gone by now is looked for again with the next poll, but for the root. */
  #get(url: string, use: Handler, onGone?: () => void): void {
    this.#send({ method: "GET", url }, (answer) => {
      const { status } = answer;
      const gone = status === 404 || status === 410;
      if (gone && url !== this.#options.url) {
        onGone?.();
        return this.#answer(NONE);
      }
      if (status !== 200) return this.#refused(`${url}: status ${status} ${wordsOfAnswer(answer)}`);
      try {
        use(answer);
      } catch (error) {
        // No JSON, or a store that cannot be read: nothing may be concluded from it.
        this.#refused(wordsOf(error));
      }
    });
  }

  /** Tells the agent, if it has asked. */
  #answer(parsed: Answer): void {
    this.#look = false;
    this.#failures = 0;
    if (!this.#asked) return;
    this.#asked = false;
    // It answers a question, unlike a notification of AWS IoT Jobs.
    this.#tell(Event.ReceivedJobDocument, { ...parsed, clientToken: "ddi" } as ParsedJob);
  }

  #confirm(actionId: string): void {
    const { confirm, url } = this.#options;
    const consent = confirm ? confirm(actionId) : true;
    if (consent === undefined || (!consent && this.#denied === actionId)) return this.#answer(NONE);
    const confirmation = consent ? "confirmed" : "denied";
    const body = { confirmation, details: [`${confirmation} by the device`] };
    this.#send(
      { method: "POST", url: `${url}/confirmationBase/${actionId}/feedback`, body },
      ({ status }) => {
        if (!consent) this.#denied = actionId;
        // Confirmed, there is a deployment now, which is asked for next.
        if (status !== 200 || !consent) this.#answer(NONE);
      },
    );
  }

  /** @throws what the store does */
  #cancelWanted(jobId: string): void {
    const [image = "", , , types = [0]] = recall(this.#memory, jobId);
    const url = `${this.#options.url}/cancelAction/${jobId}/feedback`;
    const succeeded = (update: Feedback | undefined) =>
      update?.jobId === jobId && update.status === "SUCCEEDED";
    if (
      isAccepted(this.#agent.pal, image, types) ||
      this.#updates.some(succeeded) ||
      succeeded(this.#unheard)
    ) {
      // Too late: what it brought is accepted. Rejected, the action is open again, and ends as it has.
      const body = feedback("rejected", "none", ["installed and accepted already"]);
      return this.#send({ method: "POST", url, body }, () => {});
    }
    // Said in its turn, also where the agent asks for the next job while it is told.
    this.#cancelled = this.#closing = jobId;
    this.#failures = 0;
    if (this.#held?.jobId === jobId) this.#held = undefined;
    this.#tell(Event.JobGone, jobId);
    // On trial without a job the image is rolled back first: what has been rolled back is confirmed in the next life. The image of
    // another action stays.
    const first = this.#first();
    if (!first || first === jobId) this.#answer(NONE);
  }

  /** Nothing is left of the action. */
  #close(jobId: string): void {
    const url = `${this.#options.url}/cancelAction/${jobId}/feedback`;
    this.#send({ method: "POST", url, body: feedback("closed", "success", ["stopped"]) }, () => {
      this.#ended(jobId);
      if (this.#stopped === jobId) return;
      this.#stopped = jobId;
      // What took its place is not left until the next poll.
      this.#tell(Event.RequestJobDocument);
    });
  }

  /** @throws what the store does */
  #deployed(json: Uint8Array): void {
    const { parts = PARTS } = this.#options;
    const jobId = actionOf(json);
    const unheard = this.#unheard;
    if (unheard?.jobId === jobId) {
      // At the pace of the polls, and not done once more.
      this.#unheard = undefined;
      this.#updates.push(unheard);
      return this.#answer(NONE);
    }
    const progress = progressOf(recall(this.#memory, jobId));
    let deployment: Deployment;
    try {
      deployment = parseDeployment(json, parts, () => progress);
    } catch (cause) {
      if (!jobId) throw cause;
      return this.#invalid(jobId, asOtaError(cause, "job-parser"));
    }
    const { download, update, window, job } = deployment;
    const held = this.#held;
    this.#windows = window !== "";
    if (held?.jobId === jobId && update !== "skip") {
      this.#held = undefined;
      held.done?.("accepted", held.details);
    }
    // What has begun goes on, and what is installed is reported.
    if (jobId !== this.#at && !progress.selfTest) {
      if (update === "skip" && !window)
        return this.#invalid(
          jobId,
          new OtaError("refused", "an action that only downloads is not supported"),
        );
      if (download === "skip") return this.#postpone(jobId);
    }
    // Left to the application until now, and put off perhaps.
    if (job.forced && this.#job?.jobId === jobId && !this.#job.forced) this.#tell(Event.CheckForUpdate);
    this.#sign(deployment, 0, isInUse(this.#agent.pal, progress.image, job.files));
  }

  #invalid(jobId: string, error: OtaError): void {
    this.#answer({ kind: "invalid", jobId, executionNumber: undefined, error });
  }

  /** Says once that it has been seen; it is offered when its time has come. */
  #postpone(jobId: string): void {
    this.#answer(NONE);
    if (this.#scheduled === jobId) return;
    const body = feedback("scheduled", "none", ["waits for its time"]);
    this.#send({ method: "POST", url: this.#feedbackUrl(jobId), body }, () => {
      this.#scheduled = jobId;
    });
  }

  /**
   * Fetches signatures that are artifacts, one after the other, and tells the agent.
   * @param installed nothing will be fetched any more: no signature that is not to be had may cost an image on trial its job
   */
  #sign(deployment: Deployment, n: number, installed = false): void {
    const { job, detached } = deployment;
    const before = this.#job?.jobId === job.jobId ? this.#job : undefined;
    for (; n < detached.length; n++) {
      const { file, url } = detached[n];
      const { filePath, fileSize } = job.files[file];
      const known = before?.files[file];
      if (known?.signature && known.filePath === filePath && known.fileSize === fileSize)
        this.#signed(deployment, n, known.signature.bytes);
      else if (!installed) return this.#fetchSignature(deployment, n, url);
    }
    if (this.#at !== job.jobId) this.#reports = 0;
    this.#at = job.jobId;
    this.#job = job;
    this.#answer({ kind: "ota", job });
  }

  #fetchSignature(deployment: Deployment, n: number, url: string): void {
    this.#send({ method: "GET", url }, ({ status, body }) => {
      if (status !== 200 && ++this.#unsigned < MAX_ATTEMPTS) {
        // Perhaps what it is of is over; otherwise it may come back.
        this.#agent.log("warn", `DDI: ${url}: status ${status}`);
        return this.#answer(NONE);
      }
      this.#unsigned = 0;
      // Without a signature the agent refuses the file, and says so.
      if (status === 200 && body.length > 0 && body.length <= MAX_SIGNATURE)
        this.#signed(deployment, n, body.slice());
      this.#sign(deployment, n + 1);
    });
  }

  #signed({ job, detached }: Deployment, n: number, bytes: Uint8Array): void {
    const { file } = detached[n];
    // DER begins with a SEQUENCE of less than 128 bytes; RSA signatures have 256 and more.
    const algorithm = bytes[0] === 0x30 && bytes.length < 130 ? "sig-sha256-ecdsa" : "sig-sha256-rsa";
    (job.files as OtaJob["files"][number][])[file] = { ...job.files[file], signature: { algorithm, bytes } };
  }

  #putConfigData(): void {
    const { running } = this.#agent.pal;
    const own = this.#options.attributes?.() ?? {};
    const data: Record<string, string> = {};
    const put = (key: string, value: unknown) => {
      if (Object.keys(data).length < MAX_ATTRIBUTES) data[attribute(key)] = attribute(value);
    };
    if (running) {
      put("version", running.version);
      put("build", running.buildId);
      put("project", running.projectName);
      put("chip", running.chipId);
    }
    for (const key of Object.keys(own)) put(key, own[key]);
    this.#send({ method: "PUT", url: this.#configData, body: { mode: "merge", data } }, (answer) => {
      this.#configData = "";
      if (answer.status !== 200)
        this.#agent.log("warn", `DDI: attributes: status ${answer.status} ${wordsOfAnswer(answer)}`);
    });
  }

  // Feedback

  #feedbackUrl(jobId: string): string {
    return `${this.#options.url}/deploymentBase/${jobId}/feedback`;
  }

  #report(update: Feedback): void {
    const { jobId, status, details } = update;
    const finish = (result: UpdateResult) => {
      // Dropped in the meantime?
      if (this.#updates[0] !== update) return;
      this.#updates.shift();
      if (status !== "IN_PROGRESS") {
        // The answer to the word that its image is ready may have come behind the end.
        if (this.#held?.jobId === jobId) this.#held = undefined;
        if (result !== "refused") this.#ended(jobId);
        // Of an action that is gone, too: it may be there again all the same, and what it brought stays.
        if (result === "refused" || (result === "gone" && status === "SUCCEEDED"))
          this.#unheard = { jobId, status, details, done: undefined };
      }
      update.done?.(result, details);
    };
    if (details["self_test"]) {
      try {
        const { files } = this.#job?.jobId === jobId ? this.#job : NO_FILES;
        remember(this.#memory, jobId, details, files);
      } catch (error) {
        // The new image would be a stranger after the restart, and be fetched again and again.
        this.#agent.log("error", `DDI: store: ${wordsOf(error)}`);
        this.#retryTimer = this.#agent.clock.set(() => {
          this.#retryTimer = undefined;
          finish("refused");
          this.#go();
        }, 0);
        return;
      }
    }
    this.#post(update, (result) => {
      const ready = details["self_test"] === "ready" && this.#windows && this.#updates[0] === update;
      if (!ready || result !== "accepted" || this.#held?.jobId === jobId) return finish(result);
      // Is it time to install it?
      this.#updates.shift();
      this.#held = update;
      this.#look = true;
    });
  }

  #post({ jobId, status, details }: Feedback, done: (result: UpdateResult) => void): void {
    const final = status !== "IN_PROGRESS";
    const words = Object.keys(details).map((key) => `${key}: ${details[key]}`.slice(0, MESSAGE_LENGTH));
    // The end of what was to be cancelled is that it has been stopped.
    const cancelled = this.#cancelled === jobId && final && status !== "SUCCEEDED";
    const url = cancelled ? `${this.#options.url}/cancelAction/${jobId}/feedback` : this.#feedbackUrl(jobId);
    const [, count, of] = /^(\d+)\/(\d+)$/.exec(details["receive"] ?? "") ?? [];
    const step = count ? "download" : details["self_test"] === "ready" ? "downloaded" : "proceeding";
    const end = status === "SUCCEEDED" || cancelled ? "success" : "failure";
    const progress = count && { cnt: Number(count), of: Number(of) };
    const send = (messages: readonly string[]) => {
      const body = feedback(final ? "closed" : step, final ? end : "none", messages, progress);
      this.#send({ method: "POST", url, body }, (answer) => {
        const { status: code } = answer;
        if (code === 200) return done("accepted");
        this.#agent.log("warn", `DDI: feedback: status ${code} ${wordsOfAnswer(answer)}`);
        // 405: no longer to be cancelled.
        if (code === 404 || code === 410 || (cancelled && code === 405)) return done("gone");
        // Intermediate statuses that are too many may as well be missing.
        if (code === 429 && !final) return done("accepted");
        // How the end is worded must not keep the action open: of the agent's own words one alone.
        const bare = words.filter((word) => /^(code|reason): /.test(word)).slice(-1);
        if (final && bare.length < messages.length) return send(bare);
        done("refused");
      });
    };
    send(words);
  }

  /** The action is over. */
  #ended(jobId: string): void {
    if (this.#unheard?.jobId === jobId) this.#unheard = undefined;
    if (this.#at === jobId) this.#at = "";
    if (this.#cancelled === jobId) this.#cancelled = this.#closing = "";
  }
}

function feedback(
  execution: "closed" | "proceeding" | "download" | "downloaded" | "scheduled" | "rejected",
  finished: "success" | "failure" | "none",
  details: readonly string[],
  progress?: object | "" | undefined,
): unknown {
  return { status: { execution, result: progress ? { finished, progress } : { finished }, details } };
}

/** Key or value of an attribute, as hawkBit takes it. */
function attribute(text: unknown): string {
  return String(text)
    .slice(0, ATTRIBUTE_LENGTH)
    .replace(/[^ -~]/g, "?");
}

/** "hawkbit.server.error.quota.…" */
function isQuota(answer: ExchangeAnswer | undefined): boolean {
  return answer !== undefined && wordsOfAnswer(answer).includes(".quota.");
}
