/**
 * The ports of the Moddable runtime.
 * @module
 */
import { File } from "file";
import { FlashPartition } from "../../hosts/emulated/flash-partition.js";
import { NorFlash } from "../../hosts/emulated/nor-flash.js";
import { xorWords } from "../../hosts/formats/esp-image-check.js";
import { ModdableClock } from "../../hosts/moddable/clock.js";
import { ModdableCrypto } from "../../hosts/moddable/crypto.js";
import { PreferenceStore } from "../../hosts/moddable/store.js";
import { FileStorage } from "../../hosts/sim/file-storage.js";
import { FileStore } from "../../hosts/sim/file-store.js";
import { foldWords } from "../../hosts/sim/fold-words.js";
import { cryptoConformance } from "../conformance/crypto.js";
import { flashConformance } from "../conformance/flash.js";
import { equal, ok, throws } from "../support/assert.js";

const SIZE = 40 * 4096;
const PATH = `/tmp/xs-ota-test-${Date.now()}.bin`;

/** What the checksum of an image makes of the sum, whatever the byte order. */
function lowByte(sum: number): number {
  const folded = sum ^ (sum >>> 16);
  return (folded ^ (folded >>> 8)) & 0xff;
}

cryptoConformance("crypto of the SDK", () => new ModdableCrypto());

describe("simulated flash", () => {
  flashConformance("in a file", () => {
    const storage = new FileStorage(PATH, () => new Uint8Array(SIZE).fill(0xff));
    return new FlashPartition(new NorFlash(storage), { offset: 0, size: SIZE });
  });
  after(() => File.delete(PATH));
});

describe("sum over an image", () => {
  it("is the one of the words", () => {
    const bytes = Uint8Array.from({ length: 16384 }, (_, i) => (i * 151 + (i >> 5)) ^ 0xa5);
    for (const [start, end] of [
      [0, 16384],
      [0, 16],
      [4, 16384],
      [16380, 16384],
      [8, 8],
    ])
      equal(lowByte(foldWords(bytes.subarray(start, end))), lowByte(xorWords(bytes.subarray(start, end))));
    equal(foldWords(new Uint8Array(64)), 0);
    throws(() => foldWords(new Uint8Array(16388)), { type: RangeError });
  });
});

describe("clock", () => {
  it("runs forwards, and calls back once, later", async () => {
    const clock = new ModdableClock();
    const start = clock.now();
    let calls = 0;
    await new Promise<void>((resolve) => {
      clock.set(() => {
        calls++;
        resolve();
      }, 25);
      equal(calls, 0);
    });
    ok(clock.now() - start >= 25, `${clock.now() - start} ms`);
    equal(calls, 1);
  });

  it("does not call back when cleared, and clears without harm", async () => {
    const clock = new ModdableClock();
    let calls = 0;
    const timer = clock.set(() => calls++, 10);
    const fired = clock.set(() => {}, 1);
    clock.clear(timer);
    clock.clear(undefined);
    await new Promise<void>((resolve) => void clock.set(resolve, 40));
    clock.clear(fired);
    clock.clear(timer);
    equal(calls, 0);
  });

  it("takes waits longer than the SDK's timer", () => {
    const clock = new ModdableClock();
    const timer = clock.set(() => {}, 2_592_000_000);
    clock.clear(timer);
  });
});

for (const [title, create] of [
  ["preferences", () => new PreferenceStore()],
  ["file store", () => new FileStore(`${PATH}.json`)],
] as const)
  describe(title, () => {
    it("keeps what was set", () => {
      const key = `k${Date.now() % 100_000}`;
      equal(create().get(key), undefined);
      create().set(key, "value");
      equal(create().get(key), "value");
      create().set(key, "other");
      equal(create().get(key), "other");
    });
  });
