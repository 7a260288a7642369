/**
 * The host's side of an engine that runs: gives it commands one after the other, wakes it for its timers, and
 * notices when it crashes or hangs.
 * @module
 */
import type { Clock } from "../../src/ports.js";
import { type HostPorts, XsCalls } from "./calls.js";
import { Command, Reader, toUtf8, Writer } from "./wire.js";
import { type XsReply, XsWorker } from "./worker.js";

export interface XsBridgeOptions extends HostPorts {
  /** Source of the bundle with the runtime. */
  readonly script: string;
  readonly clock: Clock;
  /** How long a command may take before the watchdog ends the engine, in ms. Default: for ever. */
  readonly watchdogMs?: number;
  /** The application crashed, or the engine ended by itself. At most one call. */
  onCrash(reason: string): void;
  /** Told what each command cost. */
  onReply?(command: number, reply: XsReply): void;
}

const EMPTY = new Uint8Array(0);

export class XsBridge {
  readonly #options: XsBridgeOptions;
  readonly #worker: XsWorker;
  readonly #calls: XsCalls;
  readonly #observer = {
    online: () => this.#send(Command.online, EMPTY),
    offline: () => this.#send(Command.offline, EMPTY),
  };
  #timer: unknown;
  #deadline = Number.POSITIVE_INFINITY;
  #over = false;
  /** Commands without an answer. */
  #unanswered = 0;
  #watchdog: unknown;

  constructor(options: XsBridgeOptions) {
    this.#options = options;
    this.#calls = new XsCalls(options, (command, ...fields) => this.#send(command, ...fields));
    this.#worker = new XsWorker({ onCommand: (bytes) => this.#calls.answer(bytes) });
    void this.#worker.exit.then(({ code, signal }) => this.#crash(`the engine ended (${signal ?? code})`));
  }

  /** Loads the bundle and starts the application. Rejects when the bundle cannot be evaluated. */
  async start(config: unknown): Promise<void> {
    await this.#worker.evaluate(this.#options.script);
    if (this.#over) return;
    const { mqtt } = this.#options;
    mqtt.addObserver(this.#observer);
    if (mqtt.connected) this.#send(Command.online, EMPTY);
    this.#send(Command.start, toUtf8(JSON.stringify(config)));
  }

  /** Ends the engine at once, as a restart does. */
  async kill(): Promise<void> {
    this.#release();
    await this.#worker.kill();
  }

  #release(): void {
    this.#over = true;
    const { mqtt, clock } = this.#options;
    mqtt.removeObserver(this.#observer);
    this.#calls.release();
    clock.clear(this.#timer);
    clock.clear(this.#watchdog);
  }

  #crash(reason: string): void {
    if (this.#over) return;
    this.#release();
    void this.#worker.kill();
    this.#options.onCrash(reason);
  }

  // Commands to XS

  #send(command: number, ...fields: Uint8Array[]): void {
    if (this.#over) return;
    const length = fields.reduce((sum, field) => sum + field.length, 9);
    const message = new Writer(length).u8(command).f64(this.#options.clock.now());
    for (const field of fields) message.bytes(field);
    if (this.#unanswered++ === 0) this.#feed();
    this.#worker.command(message.finish()).then(
      (reply) => {
        this.#unanswered--;
        this.#feed();
        this.#options.onReply?.(command, reply);
        this.#wake(new Reader(reply.result).f64());
      },
      // An exception that leaves a callback ends a device.
      (error: Error) => this.#crash(error.message),
    );
  }

  #feed(): void {
    const { clock, watchdogMs } = this.#options;
    if (watchdogMs === undefined || this.#over) return;
    clock.clear(this.#watchdog);
    if (this.#unanswered)
      this.#watchdog = clock.set(() => this.#crash("the watchdog bit: the application hangs"), watchdogMs);
  }

  #wake(deadline: number): void {
    if (this.#over || deadline === this.#deadline) return;
    const { clock } = this.#options;
    clock.clear(this.#timer);
    this.#deadline = deadline;
    if (deadline === Number.POSITIVE_INFINITY) return;
    const tick = () => {
      this.#deadline = Number.NaN;
      this.#send(Command.tick, EMPTY);
    };
    this.#timer = clock.set(tick, Math.max(0, deadline - clock.now()));
  }
}
