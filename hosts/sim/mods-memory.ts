/**
 * The simulator's machine: archives lie in memory. A file of its own, because only the XS compiler understands `native`.
 * @module
 */

import { NativeEngine } from "../moddable/mods-engine.js";

/** mods.c. The compiler takes each body for a binding only when it is this call and nothing else. */
export class MemoryEngine extends NativeEngine {
  open(bytes: Uint8Array, offset: number, byteLength: number): object {
    return native("xs_ota_modOpen").call(
      this,
      bytes as never,
      offset as never,
      byteLength as never,
    ) as object;
  }
}
