/**
 * Mods on the engine itself: bytes inverted on flash, where the engine's own linker and the byte code that runs would believe
 * whatever they read. Built with AddressSanitizer, so that a read beyond an end does not pass. Which bytes it is about
 * tools/moddable/mod-bytes.ts says in a file: the memory of a mod that was started is the machine's until its end, so that each
 * byte of a large one needs several lives.
 * @module
 */

import Resource from "Resource";
import { File } from "file";
import * as agent from "xs-ota-agent";
import * as components from "../../src/components/index.js";
import * as ddi from "../../src/ddi/index.js";
import * as http from "../../src/transfer/http.js";
import { GREET_ARCHIVE } from "../data/greet-archive.js";
import { equal, ok } from "../support/assert.js";
import { hex } from "../support/hex.js";
import { flipMods, MOD_FLIPS, STARTS } from "../support/mod-flips.js";
import { hosted } from "./mod-host.js";

/** Path of that file: JSON. */
declare const BYTES_FILE: string;

function asked(): { small: boolean; first: number; end: number; step: number } {
  const file = new File(BYTES_FILE);
  try {
    return JSON.parse(file.read(String));
  } finally {
    file.close();
  }
}

const { small, ...bytes } = asked();

if (small)
  describe("a mod on the engine: every byte inverted", () => {
    const mod = hosted({
      archive: hex(GREET_ARCHIVE),
      main: "greet",
      modules: (told) => ({ contract: { show: told } }),
      says: ["hello XS, 1", "hello XS, 2"],
      use: (exports) => {
        const greet = exports["default"] as (name: string) => void;
        greet("XS");
        greet("XS");
        return [];
      },
    });
    for (const what of MOD_FLIPS)
      it(what, () => {
        flipMods(what, {}, mod);
      });
  });

describe("a large mod on the engine: bytes inverted", () => {
  const mod = hosted({
    archive: new Uint8Array(new Resource("large.xsa").slice(0)),
    main: "main",
    modules: () => ({ "xs-ota-agent": agent }),
    says: Object.keys({ ...components, ...ddi, ...http }).sort(),
    use: (exports) => Object.keys(exports).sort(),
  });
  it("is large", () => {
    ok(mod.file.length > 58_000, `${mod.file.length} bytes`);
  });
  for (const what of MOD_FLIPS.slice(0, 2))
    it(what, () => {
      trace(`${STARTS}${JSON.stringify(flipMods(what, bytes, mod))}\n`);
    });
  it("what was started is one archive", () => {
    equal(mod.ran.size, 1);
  });
});
