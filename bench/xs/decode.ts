/**
 * The payload decoder inside a bare XS engine. The host's commands, one byte and what belongs to it: "b" the base, "p" the
 * payload; "d" decodes, with sectors of 4096 bytes, and answers with the sum of the image.
 * @module
 */
import { beginSegment } from "../../src/payload/decoder.js";
import { PayloadHeader, START_LENGTH } from "../../src/payload/header.js";
import { jsDecoder } from "../../src/payload/js-decoder.js";

const SECTOR = 4096;

let base = new Uint8Array();
let payload = new Uint8Array();

function reader(from: Uint8Array): (into: Uint8Array, offset: number) => void {
  return (into, offset) => into.set(from.subarray(offset, offset + into.length));
}

function decode(): Uint8Array {
  const header = new PayloadHeader(payload.subarray(0, START_LENGTH), payload.length);
  const image = new Uint8Array(header.imageLength);
  const decoder = jsDecoder(header, {
    payload: reader(payload),
    base: reader(base),
    output: reader(image),
  });
  const length = 1 << header.segmentLog2;
  for (let at = 0; at < image.length; at += SECTOR) {
    if (at % length === 0) beginSegment(decoder, header, at);
    decoder.decode(image.subarray(at, Math.min(at + SECTOR, image.length)));
  }
  return image;
}

let image = new Uint8Array();

Object.assign(globalThis, {
  handleCommand(command: ArrayBuffer) {
    const bytes = new Uint8Array(command);
    const rest = bytes.slice(1);
    let result = new Uint8Array();
    if (bytes[0] === 0x62) base = rest;
    else if (bytes[0] === 0x70) payload = rest;
    else if (bytes[0] === 0x64) image = decode() as typeof image;
    else result = image;
    return { result: result.buffer };
  },
});
