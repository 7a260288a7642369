/**
 * Drives the `xsnap-worker` program of @agoric/xsnap, a bare XS engine, over its two pipes. The package's own
 * API is not used: it locks down the intrinsics of the process that calls it.
 *
 * Protocol (xsnap-worker.c): netstrings on file descriptors 3 (to XS) and 4 (from XS). To XS: `e` + source,
 * `?` + bytes for `handleCommand`, `w` + path for a snapshot. From XS: `.` + meter JSON + 0x01 + result, `!` + error text, and `?` + bytes
 * for a call of `issueCommand`, which blocks XS until `/` + bytes come back.
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { Netstrings } from "./netstrings.js";

/** What one evaluation or command cost. */
export interface XsMeter {
  /** Computrons: roughly one for each byte code executed. */
  readonly compute: number;
  /** Heap slots in use afterwards (32 bytes each on a 64-bit machine, 16 on ESP32). */
  readonly currentHeapCount: number;
  /** Bytes taken from the operating system. */
  readonly allocate: number;
}

export interface XsReply {
  readonly meter: XsMeter;
  /** What `handleCommand` left in `result`; empty when there is none. */
  readonly result: Uint8Array;
}

export interface XsExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface XsWorkerOptions {
  /** Answers `issueCommand`, synchronously. `bytes` is valid during the call only. */
  onCommand?(bytes: Uint8Array): Uint8Array;
  /** Most computrons one evaluation or command may take; the engine exits when they are spent. 0, the default: no limit. */
  meteringLimit?: number;
  /** A snapshot to go on from, as `writeSnapshot` made it. */
  snapshot?: string;
  /** Where `print` goes. */
  stdout?: "inherit" | "ignore";
}

interface Request {
  readonly bytes: Uint8Array;
  resolve(reply: XsReply): void;
  reject(error: Error): void;
}

/** Size of the engine's parser buffer in KB: the longest token it takes. */
const PARSER_BUFFER = 8192;
const QUESTION = 0x3f;
const DOT = 0x2e;
const EVALUATE = 0x65;
const WRITE = 0x77;

/** Path of the engine built by @agoric/xsnap's install script. Throws when it is not there. */
export function xsnapPath(): string {
  let root: string;
  try {
    root = dirname(createRequire(import.meta.url).resolve("@agoric/xsnap/package.json"));
  } catch {
    throw new Error("The XS engine is not installed: npm install @agoric/xsnap");
  }
  const platform =
    { linux: "lin", darwin: "mac", win32: "win" }[process.platform as string] ?? process.platform;
  const path = join(root, `xsnap-native/xsnap/build/bin/${platform}/release/xsnap-worker`);
  if (!existsSync(path))
    throw new Error(
      "The XS engine has not been built: allow @agoric/xsnap's install script, then npm rebuild @agoric/xsnap",
    );
  return path;
}

export class XsWorker {
  /** Settles when the process has ended; never rejects. */
  readonly exit: Promise<XsExit>;
  #process: ChildProcess;
  #toXs: Writable;
  #onCommand: (bytes: Uint8Array) => Uint8Array;
  #queue: Request[] = [];
  #current: Request | undefined;
  #dead: Error | undefined;

  constructor({ onCommand, meteringLimit = 0, snapshot, stdout = "ignore" }: XsWorkerOptions = {}) {
    this.#onCommand = onCommand ?? (() => new Uint8Array(0));
    const limit = meteringLimit ? ["-l", String(meteringLimit)] : [];
    const from = snapshot ? ["-r", snapshot] : [];
    this.#process = spawn(xsnapPath(), ["xs-ota", ...limit, ...from, "-s", String(PARSER_BUFFER)], {
      stdio: ["ignore", stdout, "inherit", "pipe", "pipe", "ignore", "ignore"],
    });
    this.#toXs = this.#process.stdio[3] as Writable;
    const fromXs = this.#process.stdio[4] as Readable;
    this.#toXs.on("error", () => {}); // the exit tells
    const netstrings = new Netstrings();
    fromXs.on("data", (chunk: Buffer) => {
      try {
        netstrings.push(chunk, (message) => this.#receive(message));
      } catch (error) {
        this.#die(error as Error);
        this.#process.kill("SIGKILL");
      }
    });
    this.exit = new Promise((resolve) => {
      this.#process.on("error", (error) => {
        this.#die(error);
        resolve({ code: null, signal: null });
      });
      this.#process.on("exit", (code, signal) => {
        this.#die(new Error(`The XS engine ended (${signal ?? describeExit(code)})`));
        resolve({ code, signal });
      });
    });
  }

  /** Evaluates a script in the global scope and runs the promise jobs it leaves. Rejects with what it throws. */
  evaluate(source: string): Promise<XsReply> {
    return this.#request(EVALUATE, Buffer.from(source));
  }

  /** Calls `handleCommand(ArrayBuffer)` in XS and runs the promise jobs it leaves. */
  command(bytes: Uint8Array): Promise<XsReply> {
    return this.#request(QUESTION, bytes);
  }

  /** Writes the heap into a file, for the option `snapshot`. */
  writeSnapshot(path: string): Promise<XsReply> {
    return this.#request(WRITE, Buffer.from(path));
  }

  /** Of the engine's process. */
  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Lets the engine finish what it does and end. */
  close(): Promise<XsExit> {
    this.#toXs.end();
    return this.exit;
  }

  /** Ends the engine at once, as a power cut would. */
  kill(): Promise<XsExit> {
    this.#die(new Error("The XS engine was killed"));
    this.#process.kill("SIGKILL");
    return this.exit;
  }

  #request(kind: number, payload: Uint8Array): Promise<XsReply> {
    if (this.#dead) return Promise.reject(this.#dead);
    const bytes = Buffer.allocUnsafe(payload.length + 1);
    bytes[0] = kind;
    bytes.set(payload, 1);
    return new Promise((resolve, reject) => {
      this.#queue.push({ bytes, resolve, reject });
      this.#next();
    });
  }

  /** One request at a time: while XS waits for the answer to its own call it takes nothing else. */
  #next(): void {
    if (this.#current) return;
    this.#current = this.#queue.shift();
    if (this.#current) this.#send(this.#current.bytes);
  }

  #send(bytes: Uint8Array): void {
    this.#toXs.cork();
    this.#toXs.write(`${bytes.length}:`);
    this.#toXs.write(bytes);
    this.#toXs.write(",");
    this.#toXs.uncork();
  }

  #receive(message: Buffer): void {
    if (this.#dead) return;
    if (message[0] === QUESTION) {
      const answer = this.#onCommand(message.subarray(1));
      const bytes = Buffer.allocUnsafe(answer.length + 1);
      bytes[0] = 0x2f;
      bytes.set(answer, 1);
      this.#send(bytes);
      return;
    }
    const request = this.#current;
    this.#current = undefined;
    if (message[0] === DOT) {
      const end = message.indexOf(1, 1);
      const meter = JSON.parse(message.toString("latin1", 1, end)) as XsMeter;
      request?.resolve({ meter, result: new Uint8Array(message.subarray(end + 1)) });
    } else {
      request?.reject(new Error(message.toString("utf8", 1)));
    }
    this.#next();
  }

  #die(error: Error): void {
    if (this.#dead) return;
    this.#dead = error;
    const requests = this.#current ? [this.#current, ...this.#queue] : this.#queue;
    this.#current = undefined;
    this.#queue = [];
    for (const request of requests) request.reject(error);
  }
}

/** Exit codes of xsnap-worker.c. */
function describeExit(code: number | null): string {
  const words: Record<number, string> = {
    2: "I/O error",
    11: "not enough memory",
    12: "stack overflow",
    15: "unhandled exception",
    16: "no more keys",
    17: "too much computation",
  };
  return words[code ?? -1] ?? `exit code ${code}`;
}
