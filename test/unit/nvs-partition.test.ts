/** Partitions of ESP-IDF's NVS: byte for byte as its own code writes them, and read as its own code reads them. */
import { buildNvs, NvsError, type NvsValue } from "../../hosts/formats/nvs-builder.js";
import { readNvs } from "../../hosts/formats/nvs-reader.js";
import { PureSha256 } from "../../hosts/formats/sha256.js";
import { encodeUtf8, toHex } from "../../src/bytes.js";
import type { Flash } from "../../src/ports.js";
import { type NvsVector, nvsBytes, nvsText, worn, written } from "../data/nvs-vectors.js";
import { deepEqual, equal, throws } from "../support/assert.js";
import { fromBase64 } from "../support/base64.js";

/** A partition that is only read. */
class Image implements Flash {
  constructor(readonly bytes: Uint8Array) {}
  read(into: Uint8Array, offset: number): void {
    if (offset < 0 || offset + into.length > this.bytes.length) throw new Error("read failed");
    into.set(this.bytes.subarray(offset, offset + into.length));
  }
  status() {
    return { size: this.bytes.length, blocks: this.bytes.length / 4096, blockLength: 4096 };
  }
  write(): void {
    throw new Error("a reader does not write");
  }
  eraseBlock(): void {
    throw new Error("a reader does not erase");
  }
  close(): void {}
}

function stored([, , type, length, seed]: NvsVector): NvsValue {
  if (type === "i32") return length;
  if (type === "u8") return length === 1;
  return type === "str" ? nvsText(length, seed) : nvsBytes(length, seed);
}

const entriesOf = (vectors: readonly NvsVector[]) =>
  vectors.map((vector) => ({ namespace: vector[0], key: vector[1], value: stored(vector) }));

/** What a reader gives for a text or blob. */
function bytesOf(vector: NvsVector): Uint8Array {
  const value = stored(vector);
  return typeof value === "string" ? encodeUtf8(value) : (value as Uint8Array);
}

function wornImage(): Image {
  const bytes = new Uint8Array(worn.size).fill(0xff);
  for (const [offset, text] of worn.parts) bytes.set(fromBase64(text), offset);
  return new Image(bytes);
}

describe("NVS partition", () => {
  for (const { title, size, sha256, entries } of written)
    it(`is written as ESP-IDF does: ${title}`, () => {
      const image = buildNvs(entriesOf(entries), size);
      const hash = new PureSha256();
      hash.update(image);
      equal(toHex(hash.digest()), sha256);
      for (const vector of entries)
        if (vector[2] === "str" || vector[2] === "blob")
          deepEqual(readNvs(new Image(image), vector[0], vector[1]), bytesOf(vector));
    });

  it("is read after devices have written to it", () => {
    const image = wornImage();
    for (const vector of worn.values) deepEqual(readNvs(image, vector[0], vector[1]), bytesOf(vector));
  });

  it("has nothing under other names, or of types that are neither text nor blob", () => {
    const entries = [
      { namespace: "a", key: "number", value: 1 },
      { namespace: "a", key: "text", value: "x" },
    ];
    const image = new Image(buildNvs(entries, 0x3000));
    for (const [namespace, key] of [
      ["b", "text"],
      ["a", "tex"],
      ["a", "text2"],
      ["a", "number"],
      ["a", "a"],
    ])
      equal(readNvs(image, namespace, key), undefined);
    equal(readNvs(new Image(new Uint8Array(0x3000).fill(0xff)), "a", "text"), undefined);
  });

  it("of two values of a key, as a power cut leaves them, has the newer", () => {
    const build = (text: string) => buildNvs([{ namespace: "a", key: "k", value: text }], 0x3000);
    const image = build("old");
    // A page behind it whose number is higher, with the value as a second one.
    image.copyWithin(4096, 0, 4096);
    const page = build("new").subarray(0, 4096);
    image.set(page, 4096);
    const view = new DataView(image.buffer);
    view.setUint32(4096 + 4, 1, true);
    equal(readNvs(new Image(image), "a", "k")?.length, 3, "a page with a wrong checksum does not count");
    deepEqual(readNvs(new Image(image), "a", "k"), encodeUtf8("old"));
    // The checksum of sequence 1, from a partition of two pages.
    const two = buildNvs([{ namespace: "a", key: "k", value: new Uint8Array(8000) }], 0x5000);
    image.set(two.subarray(4096 + 28, 4096 + 32), 4096 + 28);
    deepEqual(readNvs(new Image(image), "a", "k"), encodeUtf8("new"));
  });

  it("gives no damaged value, and does not read behind its end", () => {
    const entries = [
      { namespace: "a", key: "blob", value: nvsBytes(300, 1) },
      { namespace: "a", key: "text", value: nvsText(90, 2) },
    ];
    const good = buildNvs(entries, 0x2000);
    const used = good.findLastIndex((byte) => byte !== 0xff) + 1;
    for (let at = 0; at < used; at++)
      for (const flip of [0x01, 0x80]) {
        const bytes = good.slice();
        bytes[at] ^= flip;
        const image = new Image(bytes);
        const blob = readNvs(image, "a", "blob");
        const text = readNvs(image, "a", "text");
        if (blob) deepEqual(blob, nvsBytes(300, 1));
        if (text) deepEqual(text, encodeUtf8(nvsText(90, 2)));
      }
  });

  it("takes a blob that is larger than the reader expects for none", () => {
    const image = new Image(buildNvs([{ namespace: "a", key: "k", value: new Uint8Array(20_000) }], 0x8000));
    equal(readNvs(image, "a", "k"), undefined);
    equal(readNvs(image, "a", "k", 20_000)?.length, 20_000);
  });

  it("is refused with words for what cannot be stored", () => {
    const one = (value: NvsValue, key = "k", namespace = "a") => [{ namespace, key, value }];
    const cases: [NvsValue | undefined, string, string, number, string][] = [
      ["x", "", "a", 0x3000, "1 to 15 characters"],
      ["x", "sixteen-letters-", "a", 0x3000, "1 to 15 characters"],
      ["x", "k", "ä", 0x3000, "1 to 15 characters"],
      ["a\0b", "k", "a", 0x3000, "code 0"],
      ["x".repeat(4000), "k", "a", 0x3000, "more than 3999 bytes"],
      [2 ** 31, "k", "a", 0x3000, "32 bits"],
      [0.5, "k", "a", 0x3000, "32 bits"],
      [new Uint8Array(5000), "k", "a", 0x2000, "do not fit"],
      ["x", "k", "a", 0x1000, "size must be"],
      ["x", "k", "a", 0x3001, "size must be"],
    ];
    for (const [value, key, namespace, size, message] of cases)
      throws(() => buildNvs(one(value as NvsValue, key, namespace), size), { type: NvsError, message });
    throws(() => buildNvs([...one("x"), ...one("y")], 0x3000), { type: NvsError, message: "twice" });
  });
});
