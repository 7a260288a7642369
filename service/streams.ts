/**
 * AWS IoT MQTT-based file delivery: streams of up to 50 files, described and delivered in blocks.
 * Pure logic: requests arrive as topic and bytes, messages leave through a callback.
 * @module
 */
import type { Clock } from "../src/ports.js";
import { COUNTS, STRINGS } from "./aws-limits.js";
import { Delivery, type Intercept, type Publish } from "./delivery.js";
import { ServiceError } from "./errors.js";
import { checkString } from "./job-records.js";
import type { Stream, StreamFile } from "./stream-records.js";
import { handleStreamRequest, type StreamOperations } from "./stream-requests.js";

export type { Stream, StreamFile } from "./stream-records.js";

export interface StreamServiceOptions {
  clock: Clock;
  publish: Publish;
  intercept?: Intercept;
}

/** "Maximum file size", bytes. */
const FILE_SIZE_LIMIT = 24 * 1024 * 1024;

/** A file that is in memory. */
export function memoryFile(fileId: number, bytes: Uint8Array): StreamFile {
  return {
    fileId,
    byteLength: bytes.length,
    read: (offset, length) => bytes.subarray(offset, offset + length),
  };
}

export class StreamService implements StreamOperations {
  readonly delivery: Delivery;
  readonly #streams = new Map<string, Stream>();

  constructor(options: StreamServiceOptions) {
    this.delivery = new Delivery(options.clock, options.publish, options.intercept);
  }

  /**
   * @param streamId 1 … 128 of `a-z A-Z 0-9 _ -`
   * @throws ServiceError InvalidRequest, LimitExceeded, ResourceAlreadyExists
   */
  create(streamId: string, files: readonly StreamFile[], description = ""): Stream {
    checkString(streamId, STRINGS.streamId);
    if (this.#streams.has(streamId))
      throw new ServiceError("ResourceAlreadyExists", `There is a stream "${streamId}" already.`);
    return this.#keep(streamId, 1, files, description);
  }

  /** Replaces the files and counts the version. @throws ServiceError InvalidRequest, LimitExceeded, ResourceNotFound */
  update(streamId: string, files: readonly StreamFile[], description?: string): Stream {
    const stream = this.stream(streamId);
    return this.#keep(streamId, stream.version + 1, files, description ?? stream.description);
  }

  /** @throws ServiceError ResourceNotFound */
  delete(streamId: string): void {
    this.stream(streamId);
    this.#streams.delete(streamId);
  }

  /** @throws ServiceError ResourceNotFound */
  stream(streamId: string): Stream {
    const stream = this.#streams.get(streamId);
    if (!stream) throw new ServiceError("ResourceNotFound", `There is no stream "${streamId}".`);
    return stream;
  }

  has(streamId: string): boolean {
    return this.#streams.has(streamId);
  }

  streams(): Stream[] {
    return [...this.#streams.values()];
  }

  #keep(streamId: string, version: number, files: readonly StreamFile[], description: string): Stream {
    if (files.length < 1 || files.length > COUNTS.streamFiles)
      throw new ServiceError("LimitExceeded", `A stream has 1 to ${COUNTS.streamFiles} files.`);
    const etags = new Map<number, string | undefined>();
    for (const file of files) {
      const { fileId, byteLength } = file;
      if (!Number.isInteger(fileId) || fileId < 0 || fileId > 255 || etags.has(fileId))
        throw new ServiceError("InvalidRequest", "File ids are different whole numbers from 0 to 255.");
      if (!Number.isInteger(byteLength) || byteLength < 1 || byteLength > FILE_SIZE_LIMIT)
        throw new ServiceError("LimitExceeded", `File ${fileId} must have 1 to ${FILE_SIZE_LIMIT} bytes.`);
      etags.set(fileId, file.etag?.());
    }
    const stream = { streamId, version, description, files: [...files], etags };
    this.#streams.set(streamId, stream);
    return stream;
  }

  /**
   * A message that arrived at the service.
   * @param reply where answers go; default: the service's `publish`
   * @returns false when the topic belongs to none of a thing's stream requests
   */
  handle(topic: string, payload: Uint8Array, reply?: Publish): boolean {
    return handleStreamRequest(this, topic, payload, reply);
  }

  /** Delayed messages are not sent any more. */
  close(): void {
    this.delivery.close();
  }
}
