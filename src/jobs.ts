/**
 * The control plane: AWS IoT Jobs over MQTT. Asks for the next job, listens to `notify-next`, reports status;
 * every question has a deadline and is asked again with back-off and jitter until it is answered.
 * Topics and payloads: AWS IoT developer guide, "Jobs device MQTT API operations".
 * @module
 */
import { decodeUtf8, encodeUtf8 } from "./bytes.js";
import { type ParsedJob, parseJob } from "./job-document.js";
import type { Clock, Log, MqttConnection, MqttObserver, MqttSubscription, Random, Timer } from "./ports.js";

/** Longest `clientToken` the service takes, in bytes. */
const TOKEN_LENGTH = 64;
/** First wait for a reply, milliseconds; doubled for each further one. */
const FIRST_WAIT_MS = 5_000;
/** Longest wait between two attempts, milliseconds. */
const LONGEST_WAIT_MS = 300_000;
/** Longest reply that is read: a job document has at most 32768 characters, the message at most 128 KB. */
const LONGEST_REPLY = 65_536;

export type JobStatus = "IN_PROGRESS" | "FAILED" | "SUCCEEDED" | "REJECTED";
export type StatusDetails = Readonly<Record<string, string>>;

/** How a status update ended. "gone": the execution is over or unknown, whatever this device says. */
export type UpdateResult = "accepted" | "gone" | "refused";

export interface JobsOptions {
  mqtt: MqttConnection;
  clock: Clock;
  random: Random;
  thingName: string;
  log: Log;
  /** A job (or the news that there is none): as the answer to `request`, or unasked for. */
  onJob: (parsed: ParsedJob) => void;
  /** The service says that this execution no longer wants updates (cancelled, timed out, deleted). */
  onGone: (jobId: string) => void;
  /** Connected with no request open: notifications may have been missed. */
  onReturn: () => void;
}

interface Update {
  readonly jobId: string;
  readonly executionNumber: number | undefined;
  readonly status: JobStatus;
  readonly details: StatusDetails;
  readonly token: string;
  readonly done: (result: UpdateResult) => void;
}

export class Jobs implements MqttObserver {
  readonly #options: JobsOptions;
  readonly #prefix: string;
  readonly #subscriptions: MqttSubscription[];
  /** Updates that must arrive, oldest first; the first one is under way. */
  readonly #updates: Update[] = [];
  #sequence = 0;
  #requestToken = "";
  #requestedAt = 0;
  #requestTries = 0;
  #requestTimer: Timer | undefined;
  #updateTries = 0;
  #updateTimer: Timer | undefined;
  /** Token and job of the last progress report: only its refusal matters. */
  #progressToken = "";
  #progressJob = "";
  /** Milliseconds the last answered job request took; undefined before. */
  roundTrip: number | undefined;
  /** The status of the execution that was "gone" last, as far as the service told. */
  endedAs: unknown;

  constructor(options: JobsOptions) {
    this.#options = options;
    this.#prefix = `$aws/things/${options.thingName}/jobs/`;
    const message = (topic: string, payload: Uint8Array) => this.#message(topic, payload);
    const subscription = (suffix: string): MqttSubscription => ({
      filter: this.#prefix + suffix,
      qos: 1,
      message,
    });
    this.#subscriptions = [
      subscription("notify-next"),
      subscription("$next/get/+"),
      subscription("+/update/+"),
    ];
  }

  /** Subscribes; `done` is called once everything is, or with the first refusal. */
  open(done: (error?: Error) => void): void {
    const { mqtt } = this.#options;
    mqtt.addObserver(this);
    let open = this.#subscriptions.length;
    for (const subscription of this.#subscriptions)
      mqtt.subscribe(subscription, (error) => {
        if (open > 0 && (error || --open === 0)) {
          open = 0;
          done(error);
        }
      });
  }

  close(): void {
    const { mqtt, clock } = this.#options;
    mqtt.removeObserver(this);
    for (const subscription of this.#subscriptions) mqtt.unsubscribe(subscription);
    clock.clear(this.#requestTimer);
    clock.clear(this.#updateTimer);
    this.#requestToken = "";
    this.#updates.length = 0;
  }

  /** True while an update that must arrive has not been answered. */
  get reporting(): boolean {
    return this.#updates.length > 0;
  }

  /** Asks for the next job; `onJob` is called with the answer, however long the service takes. */
  request(): void {
    this.#requestToken = this.#token();
    this.#requestTries = 0;
    this.#sendRequest();
  }

  /** Gives up an unanswered request. */
  cancelRequest(): void {
    this.#requestToken = "";
    this.#options.clock.clear(this.#requestTimer);
  }

  /** Reports progress: sent once at QoS 0, never waited for. */
  progress(jobId: string, executionNumber: number | undefined, details: StatusDetails): void {
    if (!this.#options.mqtt.connected || this.reporting) return;
    this.#progressToken = this.#token();
    this.#progressJob = jobId;
    this.#publishUpdate(jobId, executionNumber, "IN_PROGRESS", details, this.#progressToken, 0);
  }

  /** Reports a status that must arrive: repeated until the service has answered. Updates keep their order. */
  update(
    jobId: string,
    executionNumber: number | undefined,
    status: JobStatus,
    details: StatusDetails,
    done: (result: UpdateResult) => void,
  ): void {
    this.#updates.push({ jobId, executionNumber, status, details, token: this.#token(), done });
    if (this.#updates.length === 1) this.#startUpdate();
  }

  /** Forgets updates of a job that nobody waits for any more. */
  dropUpdates(): void {
    this.#updates.length = 0;
    this.#options.clock.clear(this.#updateTimer);
  }

  online(): void {
    this.#requestTries = 0;
    if (this.#requestToken) this.#sendRequest();
    else this.#options.onReturn();
    this.#startUpdate();
  }

  /** Nothing is sent without a connection; `online` begins anew. */
  offline(): void {}

  #token(): string {
    const head = `${this.#sequence++}:`;
    return head + this.#options.thingName.slice(0, TOKEN_LENGTH - 11);
  }

  /** Wait before attempt `tries` + 1: doubled each time, spread over ±25 % so that a fleet does not ask in step. */
  #wait(tries: number): number {
    const wait = Math.min(FIRST_WAIT_MS * 2 ** tries, LONGEST_WAIT_MS);
    return wait * (0.75 + this.#options.random() / 2);
  }

  #sendRequest(): void {
    const { mqtt, clock } = this.#options;
    clock.clear(this.#requestTimer);
    if (!mqtt.connected) return;
    this.#requestedAt = clock.now();
    mqtt.publish(
      `${this.#prefix}$next/get`,
      encodeUtf8(JSON.stringify({ clientToken: this.#requestToken })),
      1,
    );
    this.#requestTimer = clock.set(() => this.#sendRequest(), this.#wait(this.#requestTries++));
  }

  #startUpdate(): void {
    this.#updateTries = 0;
    this.#sendUpdate();
  }

  #sendUpdate(): void {
    const { mqtt, clock } = this.#options;
    clock.clear(this.#updateTimer);
    const update = this.#updates[0];
    if (!update || !mqtt.connected) return;
    this.#publishUpdate(update.jobId, update.executionNumber, update.status, update.details, update.token, 1);
    this.#updateTimer = clock.set(() => this.#sendUpdate(), this.#wait(this.#updateTries++));
  }

  #publishUpdate(
    jobId: string,
    executionNumber: number | undefined,
    status: JobStatus,
    statusDetails: StatusDetails,
    clientToken: string,
    qos: 0 | 1,
  ): void {
    const body = JSON.stringify({ status, statusDetails, executionNumber, clientToken });
    this.#options.mqtt.publish(`${this.#prefix}${jobId}/update`, encodeUtf8(body), qos);
  }

  #message(topic: string, payload: Uint8Array): void {
    const { log, onJob } = this.#options;
    if (payload.length > LONGEST_REPLY) return log("warn", `a reply of ${payload.length} bytes is ignored`);
    const rest = topic.slice(this.#prefix.length);
    if (rest === "notify-next") return onJob(parseJob(payload));
    if (rest === "$next/get/accepted") {
      const parsed = parseJob(payload);
      // Replies go to everybody who subscribes: only the one to this request counts.
      if (!this.#requestToken || parsed.clientToken !== this.#requestToken) return;
      this.roundTrip = this.#options.clock.now() - this.#requestedAt;
      this.cancelRequest();
      return onJob(parsed);
    }
    const reply = parseReply(payload);
    if (!reply) return log("warn", `an unreadable reply on ${topic} is ignored`);
    if (rest === "$next/get/rejected") {
      if (reply.clientToken === this.#requestToken) log("warn", `job request refused: ${describe(reply)}`);
      return;
    }
    const [jobId, , outcome] = rest.split("/");
    this.#reply(jobId, outcome === "accepted", reply);
  }

  #reply(jobId: string, accepted: boolean, reply: Reply): void {
    const { log, onGone } = this.#options;
    const update = this.#updates[0];
    if (update && update.jobId === jobId && reply.clientToken === update.token) {
      const result = accepted ? "accepted" : verdict(reply, update.status);
      if (result === "gone") this.endedAs = reply.executionState?.status;
      if (!result) return log("warn", `status update refused, will be repeated: ${describe(reply)}`);
      if (result !== "accepted")
        log("warn", `status ${update.status} of ${jobId} refused: ${describe(reply)}`);
      this.#updates.shift();
      this.#startUpdate();
      update.done(result);
    } else if (!accepted && jobId === this.#progressJob && reply.clientToken === this.#progressToken) {
      if (verdict(reply, "IN_PROGRESS") !== "gone") return;
      this.endedAs = reply.executionState?.status;
      onGone(jobId);
    }
  }
}

interface Reply {
  clientToken?: unknown;
  code?: unknown;
  message?: unknown;
  executionState?: { status?: unknown } | null;
}

function parseReply(payload: Uint8Array): Reply | undefined {
  try {
    const reply: unknown = JSON.parse(decodeUtf8(payload));
    return typeof reply === "object" && reply !== null ? (reply as Reply) : undefined;
  } catch {
    return undefined;
  }
}

function describe(reply: Reply): string {
  return `${String(reply.code)} ${String(reply.message ?? "")}`;
}

/** What a refusal means for an update to `status`; undefined: ask again. */
function verdict(reply: Reply, status: JobStatus): UpdateResult | undefined {
  switch (reply.code) {
    case "RequestThrottled":
    case "InternalError":
      return undefined;
    case "InvalidStateTransition":
    case "TerminalStateReached":
      // The answer to an earlier attempt may have been lost: then the execution has the status already.
      return reply.executionState?.status === status ? "accepted" : "gone";
    case "ResourceNotFound":
    case "VersionMismatch":
      return "gone";
    default:
      return "refused";
  }
}
