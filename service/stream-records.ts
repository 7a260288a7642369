/**
 * What the service knows of streams and their files.
 * @module
 */

/** Where a file of a stream comes from. */
export interface StreamFile {
  /** 0 … 255 */
  readonly fileId: number;
  /** Bytes, 1 … 24 MiB. */
  readonly byteLength: number;
  /** The bytes from `offset`; the service does not change them. @throws ServiceError Unauthorized, ResourceNotFound */
  read(offset: number, length: number): Uint8Array;
  /** Changes when the content does; a stream whose file has changed answers ETagMismatch. */
  etag?(): string;
}

export interface Stream {
  readonly streamId: string;
  /** 1 at first; counts updates. */
  readonly version: number;
  readonly description: string;
  readonly files: readonly StreamFile[];
  /** By file id, as the files were when the stream was created or updated. */
  readonly etags: ReadonlyMap<number, string | undefined>;
}
