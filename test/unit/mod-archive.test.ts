import { readArchive } from "../../hosts/formats/mod-archive.js";
import { instructionsOf } from "../../hosts/formats/xs-instructions.js";
import { ArchiveWalk, type Instructions } from "../../src/mods/archive.js";
import { parseModHeader } from "../../src/mods/header.js";
import { GREET_ARCHIVE } from "../data/greet-archive.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { concat, hex } from "../support/hex.js";
import { buildArchive, modFileOf, program } from "../support/mod-engine.js";

const ARCHIVE = hex(GREET_ARCHIVE.trim());
const XS_17 = instructionsOf([17, 7, 0]) as Instructions;
/** What the linker writes beside the names and paths that are in the source. */
const GREET = {
  xs: [17, 7, 0],
  name: "demo",
  symbols: ["@", "#n", "default", "greet", "Counter", "counter", "name", "show", "step"],
  modules: [{ path: "greet", byteLength: 282 }],
  resources: [{ path: "note.txt", byteLength: 10 }],
  operands: 19,
  linked: false,
  checksum: true,
};

/** Of the module, in its file. */
const FIRST_OPERATION = 288 + GREET_ARCHIVE.split("\n").join("").indexOf("434f4445") / 2 + 4;

function refusal(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return (error as Error).message;
  }
  return "";
}

describe("archives of mods", () => {
  it("are read as the SDK's linker wrote them", () => deepEqual(readArchive(ARCHIVE), GREET));

  it("are read as the stand-in wrote them", () => {
    const { symbols, checksum, operands } = readArchive(buildArchive(program(1, 9000)));
    deepEqual(symbols, program(1, 9000).symbols);
    ok(checksum && operands > 100);
  });

  it("of an engine that is not known are not looked into", () => {
    const bytes = ARCHIVE.slice();
    bytes[16] = 16;
    ok(/XS 16\.7\.0, which is not known/.test(refusal(() => readArchive(bytes))));
  });

  it("cut anywhere are none", () => {
    for (let length = 0; length < ARCHIVE.length; length++)
      ok(refusal(() => readArchive(ARCHIVE.subarray(0, length))) !== "", `${length} bytes`);
    ok(refusal(() => readArchive(concat(ARCHIVE, [0]))) !== "");
  });

  it("with any byte inverted are refused, or their checksum tells, or the byte is the linker's", () => {
    let unseen = 0;
    for (let at = 0; at < ARCHIVE.length; at++) {
      const bytes = ARCHIVE.slice();
      bytes[at] = (bytes[at] as number) ^ 0xff;
      try {
        const { checksum, linked, xs } = readArchive(bytes);
        // Version and padding are not in the checksum; the signature of the file covers them.
        if (checksum && xs[1] === 7 && xs[2] === 0) unseen++;
        else ok(checksum === false || linked || at === 17 || at === 18, `byte ${at}`);
      } catch {
        // Refused.
      }
    }
    equal(unseen, 2, "padding behind a path");
  });

  it("any lengths in it are checked before they are followed", () => {
    for (let at = 0; at + 4 <= ARCHIVE.length; at++)
      for (const value of [0, 7, 0x7fffffff, 0x80000000, 0xffffffff]) {
        const bytes = ARCHIVE.slice();
        new DataView(bytes.buffer).setUint32(at, value);
        try {
          readArchive(bytes);
        } catch (error) {
          ok(!(error instanceof RangeError || error instanceof TypeError), `${at} ${value} ${error}`);
        }
      }
  });
});

describe("the walk over a mod's file", () => {
  const file = modFileOf(ARCHIVE, "1");
  const over = (bytes: Uint8Array) =>
    new ArchiveWalk((offset, into) => into.set(bytes.subarray(offset, offset + into.length)), bytes.length);
  const written = (bytes: Uint8Array, ids?: Uint16Array) => {
    const out = new Uint8Array(bytes.length);
    const found = over(bytes).walk(XS_17, ids, (offset, part) => out.set(part, offset));
    return { out, found };
  };
  const ids = Uint16Array.from(GREET.symbols, (_, n) => (n ? 500 + 3 * n : 0));

  it("gives the file as it was built, whatever ids are in it", () => {
    const linked = written(file, ids).out;
    ok(linked.some((byte, at) => byte !== file[at]));
    const { out, found } = written(linked);
    deepEqual(out, file);
    deepEqual([...found.ids], [...ids]);
    ok(found.consistent);
    deepEqual([found.modules, found.operands], [1, 19]);
  });

  it("notices an operand that has not the id of its name", () => {
    const linked = written(file, ids).out;
    let seen = 0;
    for (let at = 288 + 0xc0; at < linked.length; at++) {
      const bytes = linked.slice();
      bytes[at] = (bytes[at] as number) ^ 0xff;
      try {
        const { out, found } = written(bytes);
        const same = out.every((byte, n) => byte === file[n]);
        if (same) {
          ok(!found.consistent, `byte ${at}`);
          seen++;
        }
      } catch {
        // Not an archive any more.
      }
    }
    ok(seen >= 2 * 17, `${seen} bytes`);
  });

  it("refuses operations that XS numbers anew, and those it does not link", () => {
    for (const [code, why] of [
      [XS_17.profileCode, /is none/],
      [246, /is none/],
      [255, /is none/],
      [XS_17.codeSizes.indexOf(-4), /does not link/],
    ] as const) {
      const bytes = file.slice();
      bytes[FIRST_OPERATION] = code;
      ok(why.test(refusal(() => written(bytes))), `operation ${code}`);
    }
  });

  it("reads its header within the first 288 bytes", () => {
    deepEqual(parseModHeader(file.subarray(0, 288), file.length), {
      xs: [17, 7, 0],
      newNames: 0,
      host: undefined,
    });
    ok(/too short/.test(refusal(() => parseModHeader(file.subarray(0, 287), file.length))));
    ok(/too short/.test(refusal(() => parseModHeader(file, 300))));
    for (const at of [256, 260, 263, 267]) {
      const bytes = file.slice();
      bytes[at] = (bytes[at] as number) ^ 1;
      ok(refusal(() => parseModHeader(bytes, bytes.length)) !== "", `byte ${at}`);
    }
  });
});
