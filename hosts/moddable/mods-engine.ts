/**
 * What mods.c says of the XS machine that mods are linked for, wherever it runs. A file of its own, because only the XS
 * compiler understands `native`.
 * @module
 */

/** mods.c. The compiler takes each body for a binding only when it is this call and nothing else. */
export class NativeEngine {
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
}
