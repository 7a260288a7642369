/**
 * Options of the package inside a bare XS engine, each made by a command of its own: what is left of it on the heap is what it
 * takes at rest. Ports cost next to nothing.
 * @module
 */
import { Components } from "../../src/components/index.js";
import { FailureLog } from "../../src/control/failure-log.js";
import { type Flash, FlashPal, TrustedKeys } from "../../src/index.js";
import { Mods } from "../../src/mods/index.js";
import { StagedPal } from "../../src/payload/index.js";
import { jsDecoder } from "../../src/payload/js-decoder.js";
import { HttpPlane } from "../../src/transfer/http.js";
import { boot, crypto, digest } from "./ports.js";

declare const gc: () => void;
declare const publicKey: number[];

const clock = { now: () => 0, set: () => 0, clear() {} };
const status = { size: 65_536, blocks: 16, blockLength: 4096 };
const flash: Flash = {
  eraseBlock() {},
  read: (buffer: Uint8Array) => void buffer.fill(0xff),
  write() {},
  status: () => status,
  close() {},
};
const trustedKeys = new TrustedKeys({ signer: Uint8Array.from(publicKey) });
const parts = { crypto, clock, trustedKeys, boot };
const firmware = new FlashPal({ ...parts, slot: flash });
const engine = {
  ...{ xs: [17, 7, 0] as const, host: digest, codeSizes: new Int8Array(1), profileCode: 0, keyRoom: 100 },
  has: () => true,
  id: () => 1,
};
const assets = { name: "assets", fileType: 10, places: [flash, flash] };
const http = { get: () => () => {}, close() {} };

const MAKERS: Readonly<Record<string, () => unknown>> = {
  components: () => new Components({ ...parts, firmware, log: flash, components: [assets] }),
  mods: () => {
    const places = [flash, flash] as const;
    const mods = new Mods({ ...parts, engine, places, links: flash, fileType: 12, firmware: "1.0.0" });
    return [mods, new Components({ ...parts, firmware, log: flash, components: [mods.definition] })];
  },
  payload: () => new StagedPal({ ...parts, slot: flash, running: flash, decoder: jsDecoder }),
  "failure-log": () => new FailureLog(),
  http: () => new HttpPlane({ http, clock }),
};

const kept: unknown[] = [];

Object.assign(globalThis, {
  handleCommand(command: ArrayBuffer) {
    const name = String.fromCharCode(...new Uint8Array(command));
    if (name !== "gc") kept.push((MAKERS[name] as () => unknown)());
    gc();
    let held = 0;
    for (const buffer of globalThis.buffers ?? []) held += buffer.deref()?.byteLength ?? 0;
    return { result: Uint8Array.from(String(held), (digit) => digit.charCodeAt(0)).buffer };
  },
});
