/**
 * The MQTT side of file streams: DescribeStream and GetStream in JSON and CBOR, their answers and errors.
 * @module
 */

import { decodeUtf8, encodeUtf8 } from "../src/bytes.js";
import { STRINGS } from "./aws-limits.js";
import { type CborMap, decodeCbor, encodeCbor, encodeIndefiniteMap } from "./cbor.js";
import type { Delivery, Publish } from "./delivery.js";
import { base64Encode, hexDecode } from "./encoding.js";
import { ServiceError } from "./errors.js";
import { checkString } from "./job-records.js";
import type { Stream, StreamFile } from "./stream-records.js";

/** Payload bytes in all answers to one GetStream, and in one block. */
const ANSWER_LIMIT = 131072;
const SMALLEST_BLOCK = 256;
/** 24 MiB in blocks of 256 bytes: bounds `o` and `n`. */
const BLOCKS_LIMIT = 98304;
/** A bitmap is shorter than this, bytes. */
const BITMAP_LIMIT = 12288;
const TOPIC = /^\$aws\/things\/([^/]+)\/streams\/([^/]+)\/(.+)$/;

/** What the requests need of the service that keeps the streams. */
export interface StreamOperations {
  readonly delivery: Delivery;
  /** @throws ServiceError ResourceNotFound */
  stream(streamId: string): Stream;
}

type Format = "json" | "cbor";
type Fields = Readonly<Record<string, unknown>>;

/** A GetStream request whose fields are all within their ranges. */
interface BlockRequest {
  fileId: number;
  blockSize: number;
  offset: number;
  /** Undefined: as many as an answer set holds. */
  count: number | undefined;
  bitmap: Uint8Array | undefined;
}

/** @returns false when `topic` is not one of a thing's stream requests */
export function handleStreamRequest(
  service: StreamOperations,
  topic: string,
  payload: Uint8Array,
  reply: Publish | undefined,
): boolean {
  const match = TOPIC.exec(topic);
  if (!match || /^(data|description|rejected)\//.test(match[3])) return false;
  const [, thingName, streamId, rest] = match;
  const known = /^(get|describe)\/(json|cbor)$/.exec(rest);
  const operation = !known ? "unknown" : known[1] === "get" ? "get-stream" : "describe-stream";
  const format: Format = /\/cbor$/.test(rest) ? "cbor" : "json";
  const prefix = `$aws/things/${thingName}/streams/${streamId}/`;
  const send = (kind: "block" | "description" | "rejected", bytes: Uint8Array): void => {
    const name = kind === "block" ? "data" : kind;
    const message = { kind, thingName, topic: `${prefix}${name}/${format}`, payload: bytes, qos: 0 } as const;
    service.delivery.send(message, reply);
  };
  let token: string | undefined;
  try {
    if (!service.delivery.admit({ operation, thingName, streamId, topic, payload })) return true;
    if (!known) throw new ServiceError("InvalidTopic", "The topic belongs to no operation of file streams.");
    const fields = decode(payload, format);
    token = clientToken(fields);
    if (operation === "describe-stream")
      send("description", encode(description(service.stream(streamId), token), format));
    else for (const block of blocks(service, streamId, fields, token)) send("block", encode(block, format));
  } catch (error) {
    const code = error instanceof ServiceError ? error.code : "InternalError";
    const body: CborMap = { o: code, m: error instanceof Error ? error.message : String(error) };
    if (token !== undefined) body["c"] = token;
    send("rejected", format === "cbor" ? encodeIndefiniteMap(body) : encode(body, format));
  }
  return true;
}

function decode(payload: Uint8Array, format: Format): Fields {
  let fields: unknown;
  try {
    fields = format === "cbor" ? decodeCbor(payload) : JSON.parse(decodeUtf8(payload));
  } catch {
    throw format === "cbor"
      ? new ServiceError("InvalidCbor", "The request is not a CBOR document.")
      : new ServiceError("InvalidJson", "The request is not a JSON document.");
  }
  if (typeof fields !== "object" || fields === null || Array.isArray(fields) || fields instanceof Uint8Array)
    throw new ServiceError("InvalidRequest", "The request must be a map.");
  return fields as Fields;
}

/** In JSON the payload of a block is base64. */
function encode(body: CborMap, format: Format): Uint8Array {
  if (format === "cbor") return encodeCbor(body);
  const { p } = body;
  return encodeUtf8(JSON.stringify(p instanceof Uint8Array ? { ...body, p: base64Encode(p) } : body));
}

function clientToken({ c }: Fields): string | undefined {
  if (c === undefined) return undefined;
  checkString(c, STRINGS.clientToken);
  return c;
}

function description(stream: Stream, token: string | undefined): CborMap {
  return {
    ...(token === undefined ? {} : { c: token }),
    s: stream.version,
    d: stream.description,
    r: stream.files.map(({ fileId, byteLength }) => ({ f: fileId, z: byteLength })),
  };
}

function* blocks(
  service: StreamOperations,
  streamId: string,
  fields: Fields,
  token: string | undefined,
): Generator<CborMap> {
  const request = parse(fields);
  const stream = service.stream(streamId);
  if (fields["s"] !== undefined && fields["s"] !== stream.version)
    throw new ServiceError("VersionMismatch", `The stream has version ${stream.version}.`);
  const file = stream.files.find(({ fileId }) => fileId === request.fileId);
  if (!file) throw new ServiceError("ResourceNotFound", `The stream has no file ${request.fileId}.`);
  if (file.etag?.() !== stream.etags.get(file.fileId))
    throw new ServiceError("ETagMismatch", "The file is not the one the stream was made of.");
  const { blockSize } = request;
  let room = ANSWER_LIMIT;
  for (const index of wanted(request, file)) {
    const length = Math.min(blockSize, file.byteLength - index * blockSize);
    if (length > room) return;
    room -= length;
    yield {
      ...(token === undefined ? {} : { c: token }),
      f: file.fileId,
      i: index,
      l: length,
      p: file.read(index * blockSize, length),
    };
  }
}

/** Indices of the blocks asked for that exist, ascending. @throws ServiceError when there are none */
function wanted({ blockSize, offset, count, bitmap }: BlockRequest, file: StreamFile): number[] {
  const total = Math.ceil(file.byteLength / blockSize);
  if (count === undefined && !bitmap && offset + Math.floor(ANSWER_LIMIT / blockSize) > total)
    throw new ServiceError("InvalidRequest", "With neither n nor b, the data requested is out of range.");
  const limit = count ?? Math.floor(ANSWER_LIMIT / blockSize);
  const end = bitmap ? offset + bitmap.length * 8 : offset + limit;
  const indices: number[] = [];
  for (let index = offset; index < Math.min(end, total) && indices.length < limit; index++) {
    const bit = index - offset;
    if (!bitmap || bitmap[bit >> 3] & (1 << (bit & 7))) indices.push(index);
  }
  if (indices.length === 0)
    throw new ServiceError("ResourceNotFound", "The file has no block that was asked for.");
  return indices;
}

function parse(fields: Fields): BlockRequest {
  const { s, f, l, o, n, b } = fields;
  if (s !== undefined) integer(s, "s");
  integer(f, "f");
  if (f < 0 || f > 255) throw new ServiceError("ResourceNotFound", "File ids are 0 to 255.");
  integer(l, "l");
  if (l < SMALLEST_BLOCK || l > ANSWER_LIMIT)
    throw new ServiceError("BlockSizeOutOfBounds", `A block has ${SMALLEST_BLOCK} to ${ANSWER_LIMIT} bytes.`);
  if (o !== undefined) integer(o, "o");
  if (o !== undefined && (o < 0 || o > BLOCKS_LIMIT))
    throw new ServiceError("OffsetOutOfBounds", `The block offset is 0 to ${BLOCKS_LIMIT}.`);
  if (n !== undefined) integer(n, "n");
  if (n !== undefined && (n < 0 || n > BLOCKS_LIMIT))
    throw new ServiceError("BlockCountLimitExceeded", `The number of blocks is 0 to ${BLOCKS_LIMIT}.`);
  return { fileId: f, blockSize: l, offset: o ?? 0, count: n, bitmap: b === undefined ? b : bitmapOf(b) };
}

function integer(value: unknown, name: string): asserts value is number {
  if (!Number.isInteger(value)) throw new ServiceError("InvalidRequest", `"${name}" must be a whole number.`);
}

/** CBOR: a byte string. JSON: hexadecimal digits after "0x". */
function bitmapOf(value: unknown): Uint8Array {
  const hex = typeof value === "string" && /^0x/i.test(value) ? hexDecode(value.slice(2)) : undefined;
  const bitmap = value instanceof Uint8Array ? value : hex;
  if (!bitmap) throw new ServiceError("InvalidRequest", '"b" is no bitmap.');
  if (bitmap.length >= BITMAP_LIMIT)
    throw new ServiceError("BlockBitmapLimitExceeded", `A bitmap is shorter than ${BITMAP_LIMIT} bytes.`);
  return bitmap;
}
