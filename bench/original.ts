/**
 * How the FreeRTOS OTA agent asks for blocks (OTA library 3.4: bitmap of the whole file, a fixed number of
 * blocks a request, the next request when all have come or after ten seconds), as a yardstick.
 * @module
 */
import { decodeCbor, encodeCbor } from "../service/cbor.js";
import type { JobFile } from "../src/control/job-document.js";
import type { Clock, MqttConnection, Timer } from "../src/ports.js";

/** `otaconfigFILE_REQUEST_WAIT_MS` and `otaconfigMAX_NUM_REQUEST_MOMENTUM`. */
const REQUEST_WAIT_MS = 10_000;
const MOMENTUM = 32;

export interface OriginalOptions {
  mqtt: MqttConnection;
  clock: Clock;
  file: JobFile;
  blockSize: number;
  blocksPerRequest: number;
  thing: string;
}

export class OriginalPolicy {
  requests = 0;
  surplus = 0;
  readonly #options: OriginalOptions;
  readonly #output: { write(offset: number, data: Uint8Array): void; done(failed: boolean): void };
  readonly #bitmap: Uint8Array;
  #remaining: number;
  #expected = 0;
  #momentum = 0;
  #timer: Timer | undefined;

  constructor(
    options: OriginalOptions,
    output: { write(offset: number, data: Uint8Array): void; done(failed: boolean): void },
  ) {
    this.#options = options;
    this.#output = output;
    this.#remaining = Math.ceil(options.file.fileSize / options.blockSize);
    this.#bitmap = new Uint8Array(Math.ceil(this.#remaining / 8));
    for (let block = 0; block < this.#remaining; block++) this.#bitmap[block >> 3] |= 1 << (block & 7);
  }

  start(): void {
    const { mqtt } = this.#options;
    mqtt.subscribe(
      { filter: this.#topic("data"), qos: 0, message: (_topic, payload) => this.#block(payload) },
      () => this.#request(),
    );
  }

  #topic(operation: string): string {
    const { thing, file } = this.#options;
    return `$aws/things/${thing}/streams/${file.streamName}/${operation}/cbor`;
  }

  #arm(): void {
    const { clock } = this.#options;
    clock.clear(this.#timer);
    this.#timer = clock.set(() => this.#request(), REQUEST_WAIT_MS);
  }

  #request(): void {
    const { mqtt, blockSize, blocksPerRequest, file } = this.#options;
    if (this.#momentum >= MOMENTUM) {
      this.#output.done(true);
      return;
    }
    this.#arm();
    this.#momentum++;
    this.requests++;
    this.#expected = blocksPerRequest;
    const body = {
      c: "rdy",
      f: file.fileId,
      l: blockSize,
      o: 0,
      b: this.#bitmap.slice(),
      n: blocksPerRequest,
    };
    mqtt.publish(this.#topic("get"), encodeCbor(body), 0);
  }

  #block(payload: Uint8Array): void {
    if (this.#remaining === 0) return;
    this.#arm();
    const { i, p } = decodeCbor(payload) as { i: number; p: Uint8Array };
    const bit = 1 << (i & 7);
    if (!(this.#bitmap[i >> 3] & bit)) {
      this.surplus++;
      return;
    }
    this.#output.write(i * this.#options.blockSize, p);
    this.#bitmap[i >> 3] &= ~bit;
    this.#momentum = 0;
    if (--this.#remaining === 0) {
      this.#options.clock.clear(this.#timer);
      this.#output.done(false);
    } else if (--this.#expected <= 0) this.#request();
  }
}
