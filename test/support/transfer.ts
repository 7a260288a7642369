/**
 * Both ends of a download for tests: a data plane the test answers by hand, and a destination in memory.
 * @module
 */

import type { JobFile } from "../../src/control/job-document.js";
import type { OtaError } from "../../src/errors.js";
import { FileComplete } from "../../src/events.js";
import type { AppDescription } from "../../src/ports.js";
import type { OtaPal, Received } from "../../src/slot/pal.js";
import type { BlockSink, DataPlane } from "../../src/transfer/data-plane.js";
import { Download, type DownloadOptions, type DownloadTask } from "../../src/transfer/download.js";
import { fail } from "./assert.js";
import { VirtualClock } from "./virtual-clock.js";

export const NOTHING: Received = Object.freeze({ has: () => false, byteLength: 0 });

/** What `received` would say when just these bytes, in whole sectors, are on flash. */
export function having(sectorLength: number, ...sectors: number[]): Received {
  return {
    byteLength: sectors.length * sectorLength,
    has(offset, byteLength) {
      for (let at = offset; at < offset + byteLength; at++)
        if (!sectors.includes(Math.floor(at / sectorLength))) return false;
      return true;
    },
  };
}

export function fileOf(fileSize: number, more: Partial<JobFile> = {}): JobFile {
  return {
    fileId: 3,
    fileSize,
    fileType: 0,
    filePath: "/app.bin",
    certFile: "signer",
    signature: { algorithm: "sig-sha256-ecdsa", bytes: new Uint8Array([1]) },
    unknownSignature: "",
    streamName: "AFR_OTA-XYZ",
    url: "",
    ...more,
  } as JobFile;
}

/** Content of a test file: no two blocks alike. */
export function contentOf(fileSize: number): Uint8Array {
  const content = new Uint8Array(fileSize);
  for (let i = 0; i < fileSize; i++) content[i] = (i * 7 + (i >> 8) * 13 + (i >> 16)) & 0xff;
  return content;
}

/** A plane that records what it is asked for; the test answers. */
export class ScriptedPlane implements DataPlane {
  readonly protocol: "MQTT" | "HTTP";
  maxBlocks = 32;
  reliable = false;
  /** Blocks of each request, oldest first. */
  readonly requests: number[][] = [];
  readonly tokens: number[] = [];
  opened = 0;
  file: JobFile | undefined;
  blockSize = 0;
  sink: BlockSink | undefined;
  /** Whether `open` says at once that it is ready. */
  prompt = true;
  /** Answers every request when set, with the blocks asked for. */
  onRequest: ((blocks: number[], token: number) => void) | undefined;

  constructor(protocol: "MQTT" | "HTTP" = "MQTT") {
    this.protocol = protocol;
  }

  usable(): boolean {
    return true;
  }

  open(file: JobFile, blockSize: number, sink: BlockSink): void {
    this.opened++;
    this.file = file;
    this.blockSize = blockSize;
    this.sink = sink;
    if (this.prompt) sink.ready();
  }

  request(first: number, bitmap: Uint8Array, count: number, token = 0): boolean {
    const blocks: number[] = [];
    for (let bit = 0; bit < bitmap.length * 8; bit++)
      if (bitmap[bit >> 3] & (1 << (bit & 7))) blocks.push(first + bit);
    if (blocks.length !== count || blocks[0] !== first) fail(`request for ${blocks} says ${first}, ${count}`);
    if (count > this.maxBlocks) fail(`${count} blocks in one request`);
    this.requests.push(blocks);
    this.tokens.push(token);
    this.onRequest?.(blocks, token);
    return true;
  }

  close(): void {
    this.sink = undefined;
  }

  /** All blocks asked for so far, in order. */
  get asked(): number[] {
    return this.requests.flat();
  }

  /** Requests since the last call. */
  take(): number[][] {
    return this.requests.splice(0);
  }
}

/** A destination in memory that checks what it is told. */
export class MemoryPal {
  readonly headLength = 288;
  readonly running = undefined;
  readonly rollbackEnabled = true;
  readonly rolledBack = false;
  readonly bytes: Uint8Array;
  /** Offsets written, in order. */
  readonly writes: number[] = [];
  /** What each `inspect` was given. */
  readonly heads: Uint8Array[] = [];
  /** Thrown by `inspect`, by `writeBlock`. */
  refusal: OtaError | undefined;
  fault: Error | undefined;
  onWrite: (() => void) | undefined;

  constructor(fileSize: number) {
    this.bytes = new Uint8Array(fileSize);
  }

  inspect(_file: JobFile, head: Uint8Array): AppDescription | undefined {
    this.heads.push(head.slice());
    if (this.refusal) throw this.refusal;
    return undefined;
  }

  readBack(offset: number, into: Uint8Array): void {
    into.set(this.bytes.subarray(offset, offset + into.length));
  }

  writeBlock(offset: number, data: Uint8Array): void {
    if (this.heads.length === 0) fail("written before the head was judged");
    if (this.fault) throw this.fault;
    this.writes.push(offset);
    this.bytes.set(data, offset);
    this.onWrite?.();
  }
}

export interface TransferSetup extends Partial<DownloadOptions & DownloadTask> {
  plane?: ScriptedPlane;
  /** There is another plane to go on with. */
  hasAlternative?: boolean;
}

/** A download with everything around it. */
export class Transfer {
  readonly clock: VirtualClock;
  readonly content: Uint8Array;
  readonly file: JobFile;
  readonly plane: ScriptedPlane;
  readonly pal: MemoryPal;
  readonly download: Download;
  /** "head", "complete", "refresh" and the codes of failures, in order. */
  readonly events: string[] = [];
  /** Messages of failures. */
  readonly failures: OtaError[] = [];
  readonly progress: [number, number, number][] = [];

  constructor(fileSize: number, options: TransferSetup = {}) {
    this.clock = (options.clock as VirtualClock) ?? new VirtualClock();
    this.content = contentOf(fileSize);
    this.file = options.file ?? fileOf(fileSize);
    this.plane = options.plane ?? new ScriptedPlane();
    this.pal = new MemoryPal(fileSize);
    const all = {
      received: NOTHING,
      random: () => 0.5,
      maxOutstandingBytes: 524_288,
      maxBlockSize: 4096,
      noProgressTimeoutMs: 60_000,
      onHead: () => this.events.push("head"),
      onProgress: (...numbers: [number, number, number]) => this.progress.push(numbers),
      tell: (event: number, error?: OtaError) => {
        this.events.push(error?.code ?? (event === FileComplete ? "complete" : "refresh"));
        if (error) this.failures.push(error);
      },
      ...options,
      clock: this.clock,
      file: this.file,
      planes: options.hasAlternative ? [this.plane, new ScriptedPlane()] : [this.plane],
      pal: this.pal as unknown as OtaPal,
    };
    this.download = new Download(all, all);
  }

  /** Starts, and lets the first requests be sent. */
  start(): this {
    this.download.start();
    this.clock.run(0);
    return this;
  }

  /** Bytes in a block, as a scripted plane was opened with. */
  get blockSize(): number {
    return this.plane.blockSize ?? 4096;
  }

  /** The payload of a block. */
  payload(block: number): Uint8Array {
    return this.content.subarray(block * this.blockSize, (block + 1) * this.blockSize);
  }

  /** Blocks arrive, one after the other. */
  deliver(...blocks: number[]): void {
    for (const block of blocks) this.plane.sink?.block(block, this.payload(block), 0);
  }

  /** From now on whatever is asked for arrives `ms` later. */
  answer(ms: number, lose: (block: number) => boolean = () => false): void {
    this.plane.onRequest = (blocks) => {
      const kept = blocks.filter((block) => !lose(block));
      this.clock.post(this.clock.now() + ms, () => this.deliver(...kept));
    };
  }

  get complete(): boolean {
    return this.events.includes("complete");
  }
}
