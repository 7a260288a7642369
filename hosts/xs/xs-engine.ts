/**
 * Runs the application inside a bare XS engine of its own.
 * @module
 */
import { randomInt } from "node:crypto";
import { nodeClock } from "../node/clock.js";
import type { Engine, EngineOptions } from "../node/engine.js";
import { XsBridge } from "./bridge.js";
import { deviceBundle } from "./bundle.js";
import type { XsReply } from "./worker.js";

export class XsEngine implements Engine {
  readonly #options: EngineOptions;
  readonly #bridge: XsBridge;

  /** @param onReply told what each command to the engine cost */
  constructor(options: EngineOptions, onReply?: (command: number, reply: XsReply) => void) {
    this.#options = options;
    this.#bridge = new XsBridge({
      ...options,
      partitions: [options.slot, options.running, ...Object.values(options.data)],
      script: deviceBundle(),
      clock: nodeClock,
      onEvent: (event) => options.onEvent(event as Parameters<EngineOptions["onEvent"]>[0]),
      onReply,
    });
  }

  start(): Promise<void> {
    const { app, data } = this.#options;
    return this.#bridge.start({ app, data: Object.keys(data), seed: randomInt(2 ** 32) });
  }

  kill(): Promise<void> {
    return this.#bridge.kill();
  }
}
