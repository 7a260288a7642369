/**
 * The XS machine of the simulator as mods are linked for it: the calls of the host for ESP32, over the same C file. Nothing
 * is mapped: a mod runs from a copy. The count of starts is in the store's file; there is no guard against a mod that hangs.
 * @module
 */

import { openPartition } from "moddable:xs-ota-agent/platform";
import { NativeEngine } from "../moddable/mods-engine.js";
import { FileStore, storeFile } from "./file-store.js";
import { power } from "./power.js";

const STARTS = "mod-starts";

/** mods.c. The compiler takes each body for a binding only when it is this call and nothing else. */
class Native {
  open(bytes: Uint8Array, offset: number, byteLength: number): object {
    return native("xs_ota_modOpen").call(
      this,
      bytes as never,
      offset as never,
      byteLength as never,
    ) as object;
  }
}

function store(): FileStore {
  return new FileStore(storeFile(power().flashFile));
}

export class NativeMods extends NativeEngine {
  open(label: string, offset: number, byteLength: number): object {
    const bytes = new Uint8Array(byteLength);
    openPartition(label).read(bytes, offset);
    return new Native().open(bytes, 0, byteLength);
  }

  guard(_ms: number): void {}

  starts(): number {
    return Number(store().get(STARTS) ?? 0);
  }

  setStarts(count: number): void {
    store().set(STARTS, String(count));
  }
}
