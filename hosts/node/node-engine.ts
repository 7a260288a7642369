/**
 * Runs the application inside this process.
 * @module
 */
import type { HttpClient, HttpHandler } from "../../src/ports.js";
import { startApp } from "../emulated/device-app.js";
import { nodeClock, nodeRandom } from "./clock.js";
import type { Engine, EngineOptions } from "./engine.js";
import { Guard, GuardedClock, GuardedMqtt } from "./guard.js";

export class NodeEngine implements Engine {
  readonly #options: EngineOptions;
  readonly #guard: Guard;
  readonly #clock: GuardedClock;
  #watchdog: unknown;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#guard = new Guard((error) => options.onCrash(`${error.name}: ${error.message}`));
    this.#clock = new GuardedClock(nodeClock, this.#guard);
  }

  async start(): Promise<void> {
    const { app, mqtt, http, slot, running, data, boot, crypto, store, log, onEvent, onCrash, watchdogMs } =
      this.#options;
    const guard = this.#guard;
    guard.run(() => {
      startApp(
        {
          ...{ slot, running, data, boot, crypto, store, log },
          clock: this.#clock,
          random: nodeRandom,
          mqtt: new GuardedMqtt(mqtt, guard),
          http: guardedHttp(http, guard),
          report: (event) => {
            if (!guard.over) onEvent(event);
          },
          hang: () => {
            guard.end();
            this.#watchdog = nodeClock.set(
              () => onCrash("the watchdog bit: the application hangs"),
              watchdogMs,
            );
          },
        },
        app,
      );
    });
  }

  async kill(): Promise<void> {
    this.#guard.end();
    this.#clock.clearAll();
    nodeClock.clear(this.#watchdog);
  }
}

function guardedHttp(http: HttpClient, guard: Guard): HttpClient {
  const EMPTY = new Uint8Array(1);
  const guarded = (handler: HttpHandler): HttpHandler => ({
    headers: (status, names) => ask(guard, false, () => handler.headers(status, names)),
    buffer: () => ask(guard, EMPTY, () => handler.buffer()),
    data: (length) => ask(guard, false, () => handler.data(length)),
    done: (error) => guard.run(() => handler.done(error)),
  });
  return {
    get: (url, headers, handler) => http.get(url, headers, guarded(handler)),
    send: (method, url, headers, body, handler) => {
      if (!http.send) throw new TypeError("this HTTP client sends no bodies");
      return http.send(method, url, headers, body, guarded(handler));
    },
    close: () => http.close(),
  };
}

function ask<T>(guard: Guard, otherwise: T, question: () => T): T {
  let answer = otherwise;
  guard.run(() => {
    answer = question();
  });
  return answer;
}
