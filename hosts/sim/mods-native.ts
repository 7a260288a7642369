/**
 * The XS machine of the simulator as mods are linked for it: the calls of the host for ESP32, over the same C file. Nothing
 * is mapped: a mod runs from a copy. The count of starts is in the store's file; there is no guard against a mod that hangs.
 * @module
 */

import { openPartition } from "moddable:xs-ota-agent/platform";
import { NativeEngine } from "../moddable/mods-engine.js";
import { FileStore, storeFile } from "./file-store.js";
import { MemoryEngine } from "./mods-memory.js";
import { power } from "./power.js";

const STARTS = "mod-starts";

function store(): FileStore {
  return new FileStore(storeFile(power().flashFile));
}

export class NativeMods extends NativeEngine {
  open(label: string, offset: number, byteLength: number): object {
    const bytes = new Uint8Array(byteLength);
    openPartition(label).read(bytes, offset);
    return new MemoryEngine().open(bytes, 0, byteLength);
  }

  guard(_ms: number): void {}

  starts(): number {
    return Number(store().get(STARTS) ?? 0);
  }

  setStarts(count: number): void {
    store().set(STARTS, String(count));
  }
}
