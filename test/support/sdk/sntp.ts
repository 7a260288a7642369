/**
 * `sntp` (modules/network/sntp/sntp.js): resolves the host, asks every 5 s, and tells an error when the fifth time has
 * passed without an answer; on an error the callback may name another host, otherwise the client is closed. It makes a
 * socket at once, which may throw.
 * @module
 */
import { sdk } from "./machine.js";
import Timer from "./timer.js";

/** The time servers of the world. */
export const timeServers = {
  /** Seconds since 1970 that a server says, by host; undefined: it does not answer. */
  answers: new Map<string, number | undefined>(),
  asked: [] as string[],
  /** No socket can be made. */
  noSocket: false,
  open: 0,
  reset(): void {
    Object.assign(timeServers, { answers: new Map(), asked: [], noSocket: false, open: 0 });
  },
};

export default class SNTP {
  static readonly time = 1;
  static readonly retry = 2;
  static readonly error = -1;
  readonly #callback: (message: number, value?: unknown) => string | undefined;
  #timer: object | undefined;
  #left = 5;
  #host = "";

  constructor(
    { host }: { host: string },
    callback: (message: number, value?: unknown) => string | undefined,
  ) {
    if (timeServers.noSocket) throw new Error("no socket");
    this.#callback = callback;
    timeServers.open++;
    this.#start(host);
  }

  close(): void {
    if (!this.#timer) return;
    Timer.clear(this.#timer);
    this.#timer = undefined;
    timeServers.open--;
  }

  #start(host: string): void {
    this.#host = host;
    this.#left = 5;
    timeServers.asked.push(host);
    Timer.clear(this.#timer);
    this.#timer = Timer.repeat(() => {
      if (--this.#left === 0) return this.#failed("no response from SNTP server");
      this.#ask();
      this.#callback(SNTP.retry);
    }, 5_000);
    if (timeServers.answers.has(host)) sdk.clock.set(() => this.#ask(), 20);
    else sdk.clock.set(() => this.#timer && this.#failed(`cannot resolve ${host}`), 20);
  }

  #ask(): void {
    const host = this.#host;
    sdk.clock.set(() => {
      const seconds = timeServers.answers.get(host);
      if (!this.#timer || seconds === undefined || host !== this.#host) return;
      this.close();
      this.#callback(SNTP.time, seconds);
    }, 80);
  }

  #failed(message: string): void {
    const host = this.#callback(SNTP.error, message);
    if (host) this.#start(host);
    else this.close();
  }
}
