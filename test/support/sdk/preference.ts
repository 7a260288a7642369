/**
 * `preference` on ESP32 (modules/files/preference/esp32/modPreference-esp.c) over ESP-IDF's NVS: domain and key of 1 to
 * 15 bytes; a key is erased before it is written, so that a power cut in between loses it; text of at most 4000 bytes
 * with its NUL, ending at its first NUL; no floats.
 * @module
 */
import { encodeUtf8 } from "../../../src/bytes.js";
import { sdk } from "./machine.js";

/** ESP-IDF's NVS_KEY_NAME_MAX_SIZE without the NUL, and its longest string with it. */
const MAX_NAME = 15;
const MAX_TEXT = 4_000;

// biome-ignore lint/complexity/noStaticOnlyClass: the SDK's shape
export default class Preference {
  static set(domain: string, key: string, value: boolean | number | string | ArrayBuffer): void {
    if (!named(domain)) throw new Error("nvs_open fail");
    if (!named(key)) throw new Error("nvs set fail");
    if (typeof value === "number" && value !== (value | 0)) throw new Error("float unsupported");
    if (typeof value === "object" && !(value instanceof ArrayBuffer)) throw new Error("unsupported type");
    const stored = typeof value === "string" ? value.split("\0", 1)[0] : value;
    const values = sdk.preferences.get(domain) ?? new Map<string, unknown>();
    sdk.preferences.set(domain, values);
    sdk.powerCut?.("before erase");
    values.delete(key);
    sdk.powerCut?.("between erase and write");
    if (typeof stored === "string" && encodeUtf8(stored).length >= MAX_TEXT) throw new Error("nvs set fail");
    values.set(key, stored);
    sdk.powerCut?.("after write");
  }

  static get(domain: string, key: string): unknown {
    if (!named(key)) throw new Error("nvs get fail");
    return sdk.preferences.get(domain)?.get(key);
  }

  static delete(domain: string, key: string): void {
    sdk.preferences.get(domain)?.delete(key);
  }

  static keys(domain: string): string[] {
    return [...(sdk.preferences.get(domain)?.keys() ?? [])];
  }
}

function named(name: string): boolean {
  const { length } = encodeUtf8(name);
  return length > 0 && length <= MAX_NAME;
}
