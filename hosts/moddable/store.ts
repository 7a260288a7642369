/**
 * The `Store` port over the SDK's preferences, which are NVS on ESP32 (keys and domain of at most 15 characters).
 * @module
 */
import Preference from "preference";
import type { Store } from "../../src/ports.js";

const DOMAIN = "xs-ota-agent";

export class PreferenceStore implements Store {
  get(key: string): string | undefined {
    const value = Preference.get(DOMAIN, key);
    return typeof value === "string" ? value : undefined;
  }

  set(key: string, value: string): void {
    if (this.get(key) !== value) Preference.set(DOMAIN, key, value);
  }
}
