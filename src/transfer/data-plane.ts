/**
 * Where the blocks of a file come from. One small interface, two transports (`stream.ts`, `http.ts`).
 * A data plane asks and delivers; which blocks are wanted, and when, is decided in `download.ts`.
 * @module
 */

import type { JobFile } from "../control/job-document.js";
import type { OtaError } from "../errors.js";

/** What a data plane reports. Implemented by the download. */
export interface BlockSink {
  /** The plane can take requests (subscribed, or connected again after a loss). What was asked before may be lost. */
  ready(): void;
  /** The plane cannot take requests for now; `ready` follows. */
  waiting(): void;
  /**
   * A buffer for one incoming message of `byteLength` bytes (payload and framing), or undefined when such a
   * message cannot be a block of this file.
   */
  buffer(byteLength: number): Uint8Array | undefined;
  /**
   * Block `index` of the file; the length of `payload` is already the one block `index` must have. Valid during the call.
   * @param token of the request it answers, if the plane can tell; otherwise 0
   */
  block(index: number, payload: Uint8Array, token: number): void;
  /**
   * A message that is not a block asked for was dropped (malformed, foreign file, wrong length …).
   * @param misfit true for a block the file has not got as the job describes it: it may be another file's stream
   */
  bad(reason: string, misfit?: boolean): void;
  /**
   * The service says no, and nothing asked for so far will come: "retry" after a back-off of at least `afterMs`,
   * "refresh" the job document first, or it is "final" for this plane.
   */
  refused(error: OtaError, remedy: "retry" | "refresh" | "final", afterMs?: number): void;
}

export interface DataPlane {
  /** As in the job document's `protocols`. */
  readonly protocol: "MQTT" | "HTTP";
  /** The most blocks one request may ask for. */
  readonly maxBlocks: number;
  /**
   * True when every block asked for comes, in whatever order, or a refusal does: flow control and time-outs are
   * the plane's own business then.
   */
  readonly reliable: boolean;
  /** Bytes of the longest file it can bring; undefined: any. */
  readonly maxFileSize?: number;
  /** True when this job can be served by this plane (stream name present, URL usable). */
  usable(file: JobFile): boolean;
  /** Starts delivering a file. `sink.ready()` follows, perhaps before this returns. */
  open(file: JobFile, blockSize: number, sink: BlockSink): void;
  /**
   * Asks for the blocks whose bits are set: bit k of byte j (least significant first) is block `first` + 8j + k.
   * @param count how many bits are set
   * @param token 1 to 63: what the blocks that come are to be told by from the answers to other requests; 0: nothing
   * @returns false when the request could not be sent; it then counts as lost
   */
  request(first: number, bitmap: Uint8Array, count: number, token: number): boolean;
  /** Stops delivering and frees everything. Harmless when not open. */
  close(): void;
}
