/**
 * The device's end of `xs-ota push`: whoever shows that he knows the secret may ask what runs, and have the agent look at a
 * manifest. The image itself comes by the agent's own way, with its checks. Pure: sockets are the caller's.
 *
 * A connection has one command. The device begins with `xs-ota-push 1 <nonce>`, 32 hexadecimal digits. The answer is
 * `<code> <command>`, the code HMAC-SHA-256 (RFC 2104) with the secret of `xs-ota-push 1 <nonce> <command>` in hexadecimal,
 * the command `status` or `update <URL>`. The device says `ok`, for `status` and JSON, or `error` and why, and closes. Lines end
 * with LF.
 * @module
 */
import { decodeUtf8, encodeUtf8, toHex } from "xs-ota-agent";
import type { Clock, Crypto, Log, Random, Timer } from "../../src/ports.js";

const GREETING = "xs-ota-push 1";
/** Bytes of a line: a code, a command, a URL of 512. */
const LONGEST_LINE = 1024;
/** A connection has to be done by then, milliseconds. */
const DEADLINE_MS = 10_000;
/** Connections at a time. */
const MOST = 2;
/** After a wrong code nobody is heard for a while, which doubles, milliseconds. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
/** Characters of a secret at the least. */
const SHORTEST_SECRET = 16;
/** Bytes SHA-256 works on at a time. */
const BLOCK = 64;

export interface PushDeskOptions {
  /** At least 16 characters, known to the developer's machine as well. */
  readonly secret: string;
  readonly crypto: Crypto;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** What runs, and what has become of the job worked on last. */
  readonly status: () => object;
  /** @throws Error when the URL is none */
  readonly update: (url: string) => void;
}

/** The device's side of a connection. */
export interface PushWire {
  send(bytes: Uint8Array): void;
  /** Closes once all is sent. */
  end(): void;
}

export interface PushSession {
  received(bytes: Uint8Array): void;
  /** The other side has gone. */
  closed(): void;
}

/** HMAC-SHA-256 in hexadecimal. */
export function hmac(crypto: Crypto, secret: string, text: string): string {
  const digest = (...parts: readonly Uint8Array[]) => {
    const hash = crypto.sha256();
    for (const part of parts) hash.update(part);
    return hash.digest();
  };
  const bytes = encodeUtf8(secret);
  const key = new Uint8Array(BLOCK);
  key.set(bytes.length > BLOCK ? digest(bytes) : bytes);
  const padded = (value: number) => key.map((byte) => byte ^ value);
  return toHex(digest(padded(0x5c), digest(padded(0x36), encodeUtf8(text))));
}

/** In a time that does not depend on where they differ. */
function same(a: string, b: string): boolean {
  let differing = a.length ^ b.length;
  for (let i = 0; i < b.length; i++) differing |= a.charCodeAt(i % (a.length || 1)) ^ b.charCodeAt(i);
  return differing === 0;
}

export class PushDesk {
  readonly #options: PushDeskOptions;
  #open = 0;
  #failures = 0;
  #deafUntil = Number.NEGATIVE_INFINITY;

  /** @throws RangeError for a secret that is too short */
  constructor(options: PushDeskOptions) {
    if (typeof options.secret !== "string" || options.secret.length < SHORTEST_SECRET)
      throw new RangeError(`secret must have at least ${SHORTEST_SECRET} characters`);
    this.#options = options;
  }

  /** @returns undefined: the connection is to be closed at once */
  accept(wire: PushWire): PushSession | undefined {
    const { clock, random } = this.#options;
    if (this.#open >= MOST || clock.now() < this.#deafUntil) return undefined;
    const nonce = Array.from({ length: 8 }, () =>
      Math.floor(random() * 65536)
        .toString(16)
        .padStart(4, "0"),
    ).join("");
    this.#open++;
    let line = new Uint8Array(0);
    let timer: Timer | undefined;
    let over = false;
    const done = (answer?: string) => {
      if (over) return;
      over = true;
      this.#open--;
      clock.clear(timer);
      if (answer !== undefined) wire.send(encodeUtf8(`${answer}\n`));
      wire.end();
    };
    timer = clock.set(() => done("error too slow"), DEADLINE_MS);
    wire.send(encodeUtf8(`${GREETING} ${nonce}\n`));
    return {
      received: (bytes) => {
        if (over) return;
        if (line.length + bytes.length > LONGEST_LINE) return done("error line too long");
        const longer = new Uint8Array(line.length + bytes.length);
        longer.set(line);
        longer.set(bytes, line.length);
        line = longer;
        const end = line.indexOf(10);
        if (end >= 0) done(this.#command(nonce, line.subarray(0, end)));
      },
      closed: () => done(),
    };
  }

  /** @returns the answer */
  #command(nonce: string, bytes: Uint8Array): string {
    const { secret, crypto, clock, log, status, update } = this.#options;
    try {
      const text = decodeUtf8(bytes);
      const [code, name, url] = text.split(" ");
      const command = text.slice(code.length + 1);
      // One that came before this one was found out is not heard either.
      if (clock.now() < this.#deafUntil) return "error not now";
      if (!same(code, hmac(crypto, secret, `${GREETING} ${nonce} ${command}`))) {
        const pause = Math.min(FIRST_PAUSE_MS * 2 ** this.#failures++, LONGEST_PAUSE_MS);
        this.#deafUntil = clock.now() + pause;
        log("warn", `push: wrong secret, nobody is heard for ${pause} ms`);
        return "error wrong secret";
      }
      this.#failures = 0;
      if (command === "status") return `ok ${JSON.stringify(status())}`;
      if (name !== "update" || !url) return "error no such command";
      log("info", `push: update from ${url}`);
      update(url);
      return "ok";
    } catch (error) {
      return `error ${(error as Error).message.replace(/\s+/g, " ")}`;
    }
  }
}
