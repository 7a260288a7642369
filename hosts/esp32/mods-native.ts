/**
 * The XS machine as mods are linked for it, and what the chip does for them: the typed face of mods.c. A file of its own,
 * because only the XS compiler understands `native`.
 * @module
 */

import { NativeEngine } from "../moddable/mods-engine.js";

/** mods.c. The compiler takes each body for a binding only when it is this call and nothing else. */
export class NativeMods extends NativeEngine {
  open(label: string, offset: number, byteLength: number): object {
    return native("xs_ota_modOpen").call(
      this,
      label as never,
      offset as never,
      byteLength as never,
    ) as object;
  }
  guard(ms: number): void {
    return native("xs_ota_modGuard").call(this, ms as never) as undefined;
  }
  starts(): number {
    return native("xs_ota_modStarts").call(this) as number;
  }
  setStarts(count: number): void {
    return native("xs_ota_modStarts").call(this, count as never) as undefined;
  }
}
