/**
 * The control plane: AWS IoT Jobs over MQTT. Asks for the next job, listens to `notify-next`, reports status;
 * every question has a deadline and is asked again with back-off and jitter until it is answered.
 * Topics and payloads: AWS IoT developer guide, "Jobs device MQTT API operations".
 * @module
 */
import { encodeUtf8 } from "../bytes.js";
import { findRow } from "../errors.js";
import * as Event from "../events.js";
import type { MqttObserver, MqttSubscription, Timer } from "../ports.js";
import type { ControlContext, ControlListener, ControlPlane, UpdateDone } from "./control-plane.js";
import { spread } from "./jitter.js";
import { MAX_JOB_MESSAGE, parseJob, parseReply } from "./job-document.js";
import type { JobRequest } from "./job-messages.js";
import type { JobReference, JobStatus, StatusDetails, UpdateResult } from "./job-status.js";
import { plainDetails } from "./words.js";

/** Longest `clientToken` the service takes, in bytes. */
const TOKEN_LENGTH = 64;
/** First wait for a reply, milliseconds; doubled for each further one. */
const FIRST_WAIT_MS = 5_000;
/** Longest wait between two attempts, milliseconds. */
const LONGEST_WAIT_MS = 300_000;

/**
 * What refusals of an update mean by their code: ask again; the execution is gone; or over, which may be by an earlier
 * attempt whose answer was lost.
 */
const VERDICTS = `
RequestThrottled again
InternalError again
InvalidStateTransition over
TerminalStateReached over
ResourceNotFound gone
VersionMismatch gone
`;

/** A request or a status update. */
interface Question {
  /** Answers come on `topic`/accepted and `topic`/rejected. */
  readonly topic: string;
  readonly body: JobRequest;
  readonly payload: Uint8Array;
  /** Undefined for the request of a job. */
  readonly jobId: string | undefined;
  readonly done: UpdateDone | false | undefined;
  sentAt?: number;
  /** When the broker acknowledged the request of a job. */
  acknowledgedAt?: number;
  timer?: Timer;
}

type Options = Pick<ControlContext, "mqtt" | "clock" | "random" | "thingName" | "log">;

/** A final status that was refused, with the agent's own words alone, after that without any; then undefined. */
function inFewerWords({ status, statusDetails, executionNumber }: JobRequest): JobRequest | undefined {
  if (status === "IN_PROGRESS" || !statusDetails) return undefined;
  const { reason, code, message } = statusDetails;
  return { status, statusDetails: message ? { reason, code } : undefined, executionNumber };
}

export class Jobs implements ControlPlane, MqttObserver {
  readonly #options: Options;
  readonly #tell: ControlListener;
  readonly #prefix: string;
  readonly #subscriptions: readonly MqttSubscription[];
  #request: Question | undefined;
  /** Updates that must arrive, oldest first; the first one is under way. */
  readonly #updates: Question[] = [];
  /** The last progress report: only its refusal matters. */
  #progress: Question | undefined;
  /** Begins anywhere, so that answers to questions of an earlier life are not taken for answers of this one. */
  #sequence: number;
  #open = false;
  roundTrip: number | undefined;
  /** Behind the acknowledgement, on the same connection. */
  rate = 0;
  endedAs: unknown;

  constructor(options: Options, tell: ControlListener) {
    this.#options = options;
    this.#tell = tell;
    this.#sequence = (options.random() * 2 ** 32) >>> 0;
    this.#prefix = `$aws/things/${options.thingName}/jobs/`;
    const message = (topic: string, payload: Uint8Array) => this.#message(topic, payload);
    this.#subscriptions = ["notify-next", "$next/get/+", "+/update/+"].map((suffix) => ({
      filter: this.#prefix + suffix,
      qos: 1,
      buffer: (topic, length) => {
        // Made for this message alone: a job keeps its document in it.
        if (length <= MAX_JOB_MESSAGE) return new Uint8Array(length);
        // No memory for what would not be read.
        options.log("warn", `${topic}: message of ${length} bytes ignored`);
        return undefined;
      },
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

  get connected(): boolean {
    return this.#options.mqtt.connected;
  }

  get reporting(): boolean {
    return this.#updates.length > 0;
  }

  isReporting(jobId: string): boolean {
    return this.#updates.some((update) => update.jobId === jobId);
  }

  get requesting(): boolean {
    return this.#request !== undefined;
  }

  request(): void {
    this.cancelRequest();
    this.#request = this.#question("$next/get", {});
    this.#send(this.#request);
  }

  cancelRequest(): void {
    this.#options.clock.clear(this.#request?.timer);
    this.#request = undefined;
  }

  /**
   * A final status that is refused as such is repeated with fewer words, in the end with none: how the end of a job is worded
   * must not keep it in front of the queue. A report of progress goes at QoS 0.
   */
  update(
    job: JobReference,
    status: JobStatus,
    statusDetails: StatusDetails,
    done?: UpdateDone | false,
  ): void {
    const { mqtt } = this.#options;
    const { jobId, executionNumber } = job;
    if (!this.#open) return;
    const body = { status, statusDetails: plainDetails(statusDetails), executionNumber };
    const update = this.#question(`${jobId}/update`, body, jobId, done);
    if (done !== false) {
      if (this.#updates.push(update) === 1) this.#send(update);
    } else if (mqtt.connected && !this.reporting) {
      this.#progress = update;
      mqtt.publish(update.topic, update.payload, 0);
    }
  }

  dropUpdates(jobId?: string): void {
    const updates = this.#updates;
    const [first] = updates;
    for (let at = updates.length - 1; at >= 0; at--)
      if (!jobId || updates[at].jobId === jobId) updates.splice(at, 1);
    if (updates[0] === first) return;
    this.#options.clock.clear(first.timer);
    this.#send(updates[0]);
  }

  online(): void {
    if (!this.#request) this.#tell(Event.RequestJobDocument);
    else this.#send(this.#request);
    this.#send(this.#updates[0]);
  }

  /** Nothing is sent without a connection; `online` begins anew. */
  offline(): void {}

  #question(path: string, body: JobRequest, jobId?: string, done?: Question["done"]): Question {
    const head = `${this.#sequence++}:`;
    body.clientToken = head + this.#options.thingName.slice(0, TOKEN_LENGTH - 11);
    return { topic: this.#prefix + path, body, payload: encodeUtf8(JSON.stringify(body)), jobId, done };
  }

  /** @param tries how often it has been asked already */
  #send(question: Question | undefined, tries = 0): void {
    const { mqtt, clock } = this.#options;
    if (!question || !mqtt.connected) return;
    clock.clear(question.timer);
    question.sentAt = clock.now();
    mqtt.publish(question.topic, question.payload, 1, (error) => {
      if (!error) question.acknowledgedAt = clock.now();
    });
    const wait = spread(Math.min(FIRST_WAIT_MS * 2 ** tries, LONGEST_WAIT_MS), this.#options);
    question.timer = clock.set(() => this.#send(question, tries + 1), wait);
  }

  #message(topic: string, payload: Uint8Array): void {
    const { clock, log } = this.#options;
    const updates = this.#updates;
    if (topic.endsWith("/notify-next")) return this.#tell(Event.ReceivedJobDocument, parseJob(payload));
    const { clientToken, code, message, status } = parseReply(payload);
    const accepted = topic.endsWith("/accepted");
    // What the service could not read it refuses without the token: a status on this topic can only be the one under way.
    const unread = !clientToken && !accepted && /^Invalid(Request|Json)$/.test(code);
    // Replies go to everybody who subscribes: only those to what was asked here count.
    const question = [this.#request, this.#progress, updates[0]].find(
      (asked) =>
        asked &&
        (unread ? asked === updates[0] : asked.body.clientToken === clientToken) &&
        topic.startsWith(asked.topic),
    );
    if (!question) return;
    let result = "accepted";
    if (!accepted) {
      log("warn", `${question.topic} refused: ${code} ${message}`);
      this.endedAs = status;
      result = findRow(VERDICTS, code)?.[1] ?? "refused";
      if (result === "over") result = this.endedAs === question.body.status ? "accepted" : "gone";
    }
    if (question === this.#progress) {
      if (result === "gone") this.#tell(Event.JobGone, question.jobId);
    } else if (question !== this.#request) {
      if (result === "again") return;
      const { body, jobId, done } = question;
      const repeat = result === "refused" && inFewerWords(body);
      clock.clear(question.timer);
      if (repeat) updates[0] = this.#question(`${jobId}/update`, repeat, jobId, done);
      else updates.shift();
      this.#send(updates[0]);
      if (done && !repeat) done(result as UpdateResult, body.statusDetails ?? {});
    } else if (accepted) {
      const now = clock.now();
      this.roundTrip = now - (question.sentAt as number);
      // Without an acknowledgement yet both came together.
      this.rate = (payload.length * 1000) / Math.max(1, now - (question.acknowledgedAt ?? now));
      this.cancelRequest();
      this.#tell(Event.ReceivedJobDocument, parseJob(payload));
    }
  }
}
