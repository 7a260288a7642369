/**
 * The XS machine as mods are linked for it, and what the chip does for them: the typed face of mods.c. A file of its own,
 * because only the XS compiler understands `native`.
 * @module
 */

/** mods.c. The compiler takes each body for a binding only when it is this call and nothing else. */
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
  open(label: string, offset: number, byteLength: number): object {
    return native("xs_ota_modOpen").call(
      this,
      label as never,
      offset as never,
      byteLength as never,
    ) as object;
  }
  paths(archive: object): string[] {
    return native("xs_ota_modPaths").call(this, archive as never) as string[];
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
