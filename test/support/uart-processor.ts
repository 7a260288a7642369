/**
 * A second processor behind a UART, as a product would drive it: frames with a checksum, an answer for each, and another
 * attempt when none comes. Its boot loader keeps two images and goes back to the first unless the second is confirmed.
 *
 * Frame: 0xA5, kind, number, length (2 bytes, little-endian), data, CRC-16 of all of it but the 0xA5 (CCITT, 0xFFFF at the start).
 * What is left of a frame that lost bytes is forgotten when nothing has followed it for QUIET_MS: its length may be any.
 * Answer: a frame of kind 0x06 (done) or 0x15 (refused, data: why, a text) with the same number.
 * @module
 */

import type { Clock, Timer } from "../../src/ports.js";

/** As in `SecondProcessor` of xs-ota-agent/components. */
type Answer = (error?: Error) => void;

export const START = 0xa5;
export const BEGIN = 1;
export const WRITE = 2;
export const VERIFY = 3;
export const ACTIVATE = 4;
export const CONFIRM = 5;
export const DONE = 0x06;
export const REFUSED = 0x15;
export const OVERHEAD = 7;
/** Milliseconds. */
export const QUIET_MS = 100;
/** An answer takes no longer than this, milliseconds; so many attempts. */
const ANSWER_MS = 300;
const ATTEMPTS = 5;

export function crc16(bytes: Uint8Array): number {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
  }
  return crc;
}

export function frame(kind: number, number: number, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(OVERHEAD + data.length);
  bytes.set([START, kind, number, data.length & 255, data.length >> 8]);
  bytes.set(data, 5);
  const crc = crc16(bytes.subarray(1, 5 + data.length));
  bytes.set([crc & 255, crc >> 8], 5 + data.length);
  return bytes;
}

/** Finds frames in what comes over the line. */
export class Frames {
  #bytes: number[] = [];

  /** @returns the frames that are complete with these bytes */
  push(bytes: Uint8Array): { kind: number; number: number; data: Uint8Array }[] {
    const found: { kind: number; number: number; data: Uint8Array }[] = [];
    for (const byte of bytes) this.#bytes.push(byte);
    while (this.#bytes.length >= OVERHEAD) {
      const [start, kind, number, low, high] = this.#bytes;
      const length = low | (high << 8);
      // What is no frame, or has lost bytes, is stepped over one by one.
      if (start !== START || length > 2048) {
        this.#bytes.shift();
        continue;
      }
      if (this.#bytes.length < OVERHEAD + length) break;
      const all = Uint8Array.from(this.#bytes.slice(1, 5 + length));
      const crc = this.#bytes[5 + length] | (this.#bytes[6 + length] << 8);
      if (crc !== crc16(all)) {
        this.#bytes.shift();
        continue;
      }
      this.#bytes.splice(0, OVERHEAD + length);
      found.push({ kind, number, data: all.slice(4) });
    }
    return found;
  }

  /** Half a frame that nothing follows is none. */
  clear(): void {
    this.#bytes = [];
  }
}

export interface Uart {
  write(bytes: Uint8Array): void;
  /** Set by the driver; called with what has come. */
  onData: (bytes: Uint8Array) => void;
}

/** A `SecondProcessor` of xs-ota-agent/components. */
export class UartProcessor {
  version: string | undefined;
  readonly #uart: Uart;
  readonly #clock: Clock;
  readonly #frames = new Frames();
  #number = 0;
  #timer: Timer | undefined;
  #answer: Answer | undefined;

  constructor(uart: Uart, clock: Clock) {
    this.#uart = uart;
    this.#clock = clock;
    uart.onData = (bytes) => {
      for (const { kind, number, data } of this.#frames.push(bytes)) this.#answered(kind, number, data);
    };
  }

  begin(byteLength: number, done: Answer): void {
    this.#send(BEGIN, words(byteLength), done);
  }

  write(offset: number, bytes: Uint8Array, done: Answer): void {
    const data = new Uint8Array(4 + bytes.length);
    data.set(words(offset));
    data.set(bytes, 4);
    this.#send(WRITE, data, done);
  }

  verify(digest: Uint8Array, done: Answer): void {
    this.#send(VERIFY, digest, done);
  }

  activate(done: Answer): void {
    this.#send(ACTIVATE, new Uint8Array(), done);
  }

  confirm(done: Answer): void {
    this.#send(CONFIRM, new Uint8Array(), done);
  }

  #send(kind: number, data: Uint8Array, done: Answer): void {
    this.#number = (this.#number + 1) & 255;
    const bytes = frame(kind, this.#number, data);
    let left = ATTEMPTS;
    const attempt = () => {
      if (left-- === 0) return this.#end(new Error("the processor does not answer"));
      this.#frames.clear();
      this.#timer = this.#clock.set(attempt, ANSWER_MS);
      this.#uart.write(bytes);
    };
    this.#clock.clear(this.#timer);
    this.#answer = done;
    attempt();
  }

  #answered(kind: number, number: number, data: Uint8Array): void {
    if (number !== this.#number) return;
    if (kind === DONE) this.#end();
    else if (kind === REFUSED) this.#end(new Error(String.fromCharCode(...data)));
  }

  #end(error?: Error): void {
    const done = this.#answer;
    this.#answer = undefined;
    this.#clock.clear(this.#timer);
    done?.(error);
  }
}

function words(value: number): Uint8Array {
  return Uint8Array.of(value, value >> 8, value >> 16, value >>> 24);
}
