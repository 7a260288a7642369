/**
 * The XS machine of the simulator as mods are linked for it: the calls of the host for ESP32, over the same C file. Nothing
 * is mapped: a mod runs from a copy. The count of starts is in the store's file; there is no guard against a mod that hangs.
 * @module
 */

import { openPartition } from "moddable:xs-ota-agent/platform";
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

export class NativeMods {
  version(): number {
    return native("xs_ota_modVersion").call(this) as number;
  }
  profile(): number {
    return native("xs_ota_modProfile").call(this) as number;
  }
  codeSizes(): ArrayBuffer {
    return native("xs_ota_modCodeSizes").call(this) as ArrayBuffer;
  }
  host(): ArrayBuffer {
    return native("xs_ota_modHost").call(this) as ArrayBuffer;
  }
  keyRoom(): number {
    return native("xs_ota_modKeyRoom").call(this) as number;
  }
  has(name: Uint8Array): boolean {
    return native("xs_ota_modHas").call(this, name as never) as boolean;
  }
  id(name: Uint8Array): number {
    return native("xs_ota_modId").call(this, name as never) as number;
  }
  paths(archive: object): string[] {
    return native("xs_ota_modPaths").call(this, archive as never) as string[];
  }

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
