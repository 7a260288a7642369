/**
 * How messages leave the service, and where a test may come between: what a network and a busy service do to
 * requests, replies and notifications.
 * @module
 */
import type { Clock } from "../src/ports.js";
import { ServiceError, type ServiceErrorCode } from "./errors.js";

/** Sends one message. The payload is not changed afterwards. */
export type Publish = (topic: string, payload: Uint8Array, qos: 0 | 1) => void;

/** What a request asks for; `jobId` and `streamId` where the topic names one. */
export interface ServiceRequest {
  readonly operation:
    | "get"
    | "start-next"
    | "describe"
    | "update"
    | "get-stream"
    | "describe-stream"
    | "unknown";
  readonly thingName: string;
  readonly jobId?: string;
  readonly streamId?: string;
  readonly topic: string;
  readonly payload: Uint8Array;
}

/** A reply or notification about to leave. */
export interface ServiceMessage {
  readonly kind: "accepted" | "rejected" | "notify" | "notify-next" | "block" | "description";
  readonly thingName: string;
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1;
}

/** Faults on request, for tests. */
export interface Intercept {
  /** Asked before a request is handled: "drop" loses it, an error code answers it with that error. */
  request?(request: ServiceRequest): "drop" | ServiceErrorCode | undefined;
  /**
   * Asked before a message leaves: the delays in milliseconds after which copies of it are sent. No delay loses
   * it, two send it twice; undefined sends it once, now.
   */
  message?(message: ServiceMessage): readonly number[] | undefined;
}

/** Applies an `Intercept` to the traffic of a service. */
export class Delivery {
  readonly #clock: Clock;
  readonly #publish: Publish;
  readonly #intercept: Intercept;
  readonly #timers = new Set<unknown>();

  constructor(clock: Clock, publish: Publish, intercept: Intercept = {}) {
    this.#clock = clock;
    this.#publish = publish;
    this.#intercept = intercept;
  }

  /**
   * @returns false when the request is lost
   * @throws ServiceError when it is to be answered with an error
   */
  admit(request: ServiceRequest): boolean {
    const verdict = this.#intercept.request?.(request);
    if (verdict === undefined) return true;
    if (verdict === "drop") return false;
    throw new ServiceError(verdict, `The request was answered with ${verdict} on purpose.`);
  }

  /** @param publish where the message goes; default: to everybody who has subscribed */
  send(message: ServiceMessage, publish: Publish = this.#publish): void {
    const delays = this.#intercept.message?.(message);
    const { topic, payload, qos } = message;
    if (!delays) publish(topic, payload, qos);
    else for (const delay of delays) this.#later(() => publish(topic, payload, qos), delay);
  }

  #later(action: () => void, delay: number): void {
    if (delay <= 0) {
      action();
      return;
    }
    const timer = this.#clock.set(() => {
      this.#timers.delete(timer);
      action();
    }, delay);
    this.#timers.add(timer);
  }

  /** Forgets what was delayed. */
  close(): void {
    for (const timer of this.#timers) this.#clock.clear(timer);
    this.#timers.clear();
  }
}
