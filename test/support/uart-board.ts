/**
 * The other end of a simulated UART: a small processor with two images and a boot loader that keeps to the protocol of
 * uart-processor.ts. Stricter than a real one: order, lengths and digests have to be right. Runs on Node and XS.
 * @module
 */

import { equalBytes } from "../../src/bytes.js";
import { sha256 } from "./sha256.js";
import {
  ACTIVATE,
  BEGIN,
  CONFIRM,
  DONE,
  Frames,
  frame,
  QUIET_MS,
  REFUSED,
  type Uart,
  VERIFY,
  WRITE,
} from "./uart-processor.js";
import type { VirtualClock } from "./virtual-clock.js";

const LINE_MS = 2;

export class UartBoard implements Uart {
  onData: (bytes: Uint8Array) => void = () => {};
  /** What runs; the one before it stays until the new one is confirmed. */
  image: Uint8Array;
  before: Uint8Array | undefined;
  /** Frames that arrived whole. */
  frames = 0;
  /** Of so many frames, in either direction, one loses a byte; 0: none. */
  loseEvery = 0;
  dead = false;
  /** What an image says of itself when it is asked to stay. */
  works: (image: Uint8Array) => boolean = () => true;
  /** Another image runs, or the one that does stays. */
  onImage: () => void = () => {};
  readonly #clock: VirtualClock;
  readonly #frames = new Frames();
  #heardAt = 0;
  #sent = 0;
  #coming = new Uint8Array();
  #filled = 0;
  #verified = false;
  #last: { number: number; answer: Uint8Array } = { number: -1, answer: new Uint8Array() };

  constructor(clock: VirtualClock, image: Uint8Array) {
    this.#clock = clock;
    this.image = image;
  }

  write(bytes: Uint8Array): void {
    const copy = this.#spoil(bytes.slice());
    this.#clock.set(() => {
      if (this.dead) return;
      const now = this.#clock.now();
      if (now - this.#heardAt >= QUIET_MS) this.#frames.clear();
      this.#heardAt = now;
      for (const { kind, number, data } of this.#frames.push(copy)) this.#frame(kind, number, data);
    }, LINE_MS);
  }

  /** Power goes and comes back: what is not confirmed is given up. */
  reset(): void {
    const { before } = this;
    this.image = before ?? this.image;
    this.before = undefined;
    this.#coming = new Uint8Array();
    this.#verified = false;
    this.#frames.clear();
    this.#last.number = -1;
    if (before) this.onImage();
  }

  #spoil(bytes: Uint8Array): Uint8Array {
    return this.loseEvery && ++this.#sent % this.loseEvery === 0 ? bytes.subarray(1) : bytes;
  }

  #frame(kind: number, number: number, data: Uint8Array): void {
    this.frames++;
    // A repeat, because the answer was lost: nothing is done twice, but for what begins anew: numbers do that with each driver.
    if (number !== this.#last.number || kind === BEGIN) {
      const problem = this.#perform(kind, data);
      const text = Uint8Array.from(problem, (letter) => letter.charCodeAt(0));
      this.#last = { number, answer: frame(problem ? REFUSED : DONE, number, text) };
    }
    const answer = this.#spoil(this.#last.answer.slice());
    this.#clock.set(() => this.onData(answer), LINE_MS);
  }

  /** @returns what is wrong with it */
  #perform(kind: number, data: Uint8Array): string {
    const view = new DataView(data.buffer, data.byteOffset);
    switch (kind) {
      case BEGIN:
        if (this.before) this.reset();
        this.#coming = new Uint8Array(view.getUint32(0, true));
        this.#filled = 0;
        this.#verified = false;
        return "";
      case WRITE: {
        const offset = view.getUint32(0, true);
        if (offset !== this.#filled) return "not in order";
        if (offset + data.length - 4 > this.#coming.length) return "too long";
        this.#coming.set(data.subarray(4), offset);
        this.#filled += data.length - 4;
        return "";
      }
      case VERIFY:
        this.#verified =
          this.#filled === this.#coming.length && equalBytes(sha256(this.#coming), data.slice());
        return this.#verified ? "" : "not what was sent";
      case ACTIVATE:
        if (!this.#verified) return "nothing to start";
        this.before = this.image;
        this.image = this.#coming;
        this.#verified = false;
        this.onImage();
        return "";
      case CONFIRM:
        if (!this.before) return "nothing on trial";
        if (!this.works(this.image)) {
          this.reset();
          return "its self-test failed";
        }
        this.before = undefined;
        this.onImage();
        return "";
      default:
        return "unknown";
    }
  }
}
