/**
 * The control plane: AWS IoT Jobs over MQTT. Asks for the next job, listens to `notify-next`, reports status;
 * every question has a deadline and is asked again with back-off and jitter until it is answered.
 * Topics and payloads: AWS IoT developer guide, "Jobs device MQTT API operations".
 * @module
 */
import { encodeUtf8 } from "./bytes.js";
import * as Event from "./events.js";
import { parseJob, parseJson } from "./job-document.js";
import type { CheckedOptions } from "./options.js";
import type { MqttObserver, MqttSubscription, Random, Timer } from "./ports.js";

/** Longest `clientToken` the service takes, in bytes. */
const TOKEN_LENGTH = 64;
/** First wait for a reply, milliseconds; doubled for each further one. */
const FIRST_WAIT_MS = 5_000;
/** Longest wait between two attempts, milliseconds. */
const LONGEST_WAIT_MS = 300_000;

export type JobStatus = "IN_PROGRESS" | "FAILED" | "SUCCEEDED" | "REJECTED";
export type StatusDetails = Readonly<Record<string, string>>;

/** How a status update ended. "gone": the execution is over or unknown, whatever this device says. */
export type UpdateResult = "accepted" | "gone" | "refused";

/** Which execution a status is about. */
export interface JobReference {
  readonly jobId: string;
  readonly executionNumber: number | undefined;
}

/**
 * Told what the service has to say, as events of the agent: Subscribed or Refused; ReceivedJobDocument, as the answer to
 * `request` or unasked for; JobGone, when a progress report was refused since the execution is over;
 * RequestJobDocument, when connected with no request open, since notifications may have been missed.
 */
export type JobsListener = (event: number, data?: unknown) => void;

/** A request or a status update. */
interface Question {
  /** Answers come on `topic`/accepted and `topic`/rejected. */
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly token: string;
  /** Undefined for the request of a job. */
  readonly jobId: string | undefined;
  readonly status: JobStatus | undefined;
  readonly done: ((result: UpdateResult) => void) | undefined;
  tries: number;
  sentAt: number;
  timer: Timer | undefined;
}

interface Body {
  readonly status: JobStatus;
  readonly statusDetails: StatusDetails;
  readonly executionNumber: number | undefined;
}

interface Reply {
  readonly clientToken?: unknown;
  readonly code?: unknown;
  readonly message?: unknown;
  readonly executionState?: { readonly status?: unknown } | null;
}

type Options = Pick<CheckedOptions, "mqtt" | "clock" | "random" | "thingName" | "log">;

/** A time of about `ms`, spread over ±25 % so that a fleet does not act in step. */
export function spread(ms: number, random: Random): number {
  return ms * (0.75 + random() / 2);
}

export class Jobs implements MqttObserver {
  readonly #options: Options;
  readonly #tell: JobsListener;
  readonly #prefix: string;
  readonly #subscriptions: readonly MqttSubscription[];
  #request: Question | undefined;
  /** Updates that must arrive, oldest first; the first one is under way. */
  readonly #updates: Question[] = [];
  /** The last progress report: only its refusal matters. */
  #progress: Question | undefined;
  #sequence = 0;
  #open = false;
  /** Milliseconds the last answered job request took; undefined before. */
  roundTrip: number | undefined;
  /** The status of the execution that was refused an update last, as far as the service told. */
  endedAs: unknown;

  constructor(options: Options, tell: JobsListener) {
    this.#options = options;
    this.#tell = tell;
    this.#prefix = `$aws/things/${options.thingName}/jobs/`;
    const message = (topic: string, payload: Uint8Array) => this.#message(topic, payload);
    this.#subscriptions = ["notify-next", "$next/get/+", "+/update/+"].map((suffix) => ({
      filter: this.#prefix + suffix,
      qos: 1,
      message,
    }));
  }

  /** Subscribes; "Subscribed" is told once everything is, "Refused" with the first refusal. */
  open(): void {
    const { mqtt } = this.#options;
    this.#open = true;
    mqtt.addObserver(this);
    let open = this.#subscriptions.length;
    for (const subscription of this.#subscriptions)
      mqtt.subscribe(subscription, (error) => {
        if (open > 0 && (error || --open === 0)) {
          open = 0;
          this.#tell(error ? Event.Refused : Event.Subscribed, error);
        }
      });
  }

  close(): void {
    const { mqtt } = this.#options;
    this.#open = false;
    mqtt.removeObserver(this);
    for (const subscription of this.#subscriptions) mqtt.unsubscribe(subscription);
    this.cancelRequest();
    this.dropUpdates();
  }

  /** True while an update that must arrive has not been answered. */
  get reporting(): boolean {
    return this.#updates.length > 0;
  }

  /** Asks for the next job, however long the service takes. */
  request(): void {
    this.cancelRequest();
    this.#request = this.#question("$next/get");
    this.#start(this.#request);
  }

  /** Gives up an unanswered request. */
  cancelRequest(): void {
    this.#options.clock.clear(this.#request?.timer);
    this.#request = undefined;
  }

  /** Reports progress: sent once at QoS 0, never waited for. */
  progress(job: JobReference, details: StatusDetails): void {
    const { mqtt } = this.#options;
    if (!mqtt.connected || this.reporting) return;
    this.#progress = this.#update(job, "IN_PROGRESS", details);
    mqtt.publish(this.#progress.topic, this.#progress.payload, 0);
  }

  /**
   * Reports a status that must arrive: repeated until the service has answered, or `close`. Updates keep their order.
   * Before `open` nothing is reported.
   */
  update(
    job: JobReference,
    status: JobStatus,
    details: StatusDetails,
    done?: (result: UpdateResult) => void,
  ): void {
    if (!this.#open) return;
    const update = this.#update(job, status, details, done);
    if (this.#updates.push(update) === 1) this.#start(update);
  }

  /** Forgets updates of a job that nobody waits for any more. */
  dropUpdates(): void {
    this.#options.clock.clear(this.#updates[0]?.timer);
    this.#updates.length = 0;
  }

  online(): void {
    if (!this.#request) this.#tell(Event.RequestJobDocument);
    else this.#start(this.#request);
    this.#start(this.#updates[0]);
  }

  /** Nothing is sent without a connection; `online` begins anew. */
  offline(): void {}

  #update(
    { jobId, executionNumber }: JobReference,
    status: JobStatus,
    statusDetails: StatusDetails,
    done?: (result: UpdateResult) => void,
  ): Question {
    return this.#question(`${jobId}/update`, { status, statusDetails, executionNumber }, jobId, done);
  }

  #question(
    path: string,
    body: Partial<Body> = {},
    jobId?: string,
    done?: (result: UpdateResult) => void,
  ): Question {
    const head = `${this.#sequence++}:`;
    const token = head + this.#options.thingName.slice(0, TOKEN_LENGTH - 11);
    return {
      topic: this.#prefix + path,
      payload: encodeUtf8(JSON.stringify({ ...body, clientToken: token })),
      token,
      jobId,
      status: body.status,
      done,
      tries: 0,
      sentAt: 0,
      timer: undefined,
    };
  }

  #start(question: Question | undefined): void {
    if (!question) return;
    question.tries = 0;
    this.#send(question);
  }

  #send(question: Question): void {
    const { mqtt, clock, random } = this.#options;
    clock.clear(question.timer);
    if (!mqtt.connected) return;
    question.sentAt = clock.now();
    mqtt.publish(question.topic, question.payload, 1);
    const wait = Math.min(FIRST_WAIT_MS * 2 ** question.tries++, LONGEST_WAIT_MS);
    question.timer = clock.set(() => this.#send(question), spread(wait, random));
  }

  #message(topic: string, payload: Uint8Array): void {
    if (topic.endsWith("/notify-next")) return this.#tell(Event.ReceivedJobDocument, parseJob(payload));
    let reply: Reply;
    try {
      reply = parseJson(payload);
    } catch (error) {
      return this.#options.log("warn", `a reply is ignored: ${(error as Error).message}`);
    }
    // Replies go to everybody who subscribes: only those to what was asked here count.
    for (const question of [this.#request, this.#progress, this.#updates[0]])
      if (question && question.token === reply.clientToken && topic.startsWith(question.topic))
        return this.#answered(question, topic.endsWith("/accepted"), reply, payload);
  }

  #answered(question: Question, accepted: boolean, reply: Reply, payload: Uint8Array): void {
    const { clock, log } = this.#options;
    if (!accepted) {
      this.endedAs = reply.executionState?.status;
      log("warn", `${question.topic} refused: ${reply.code} ${reply.message}`);
    }
    if (question === this.#request) {
      if (!accepted) return;
      this.roundTrip = clock.now() - question.sentAt;
      this.cancelRequest();
      return this.#tell(Event.ReceivedJobDocument, parseJob(payload));
    }
    const result = accepted ? "accepted" : verdict(reply.code, this.endedAs === question.status);
    if (question === this.#progress) {
      if (result === "gone") this.#tell(Event.JobGone, question.jobId);
    } else if (result) {
      clock.clear(question.timer);
      this.#updates.shift();
      this.#start(this.#updates[0]);
      question.done?.(result);
    }
  }
}

/**
 * What the refusal of an update means; undefined: ask again.
 * @param arrived the execution has the status already: the answer to an earlier attempt may have been lost
 */
function verdict(code: unknown, arrived: boolean): UpdateResult | undefined {
  switch (code) {
    case "RequestThrottled":
    case "InternalError":
      return undefined;
    case "InvalidStateTransition":
    case "TerminalStateReached":
      return arrived ? "accepted" : "gone";
    case "ResourceNotFound":
    case "VersionMismatch":
      return "gone";
    default:
      return "refused";
  }
}
