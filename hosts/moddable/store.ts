/**
 * The `Store` port over the SDK's preferences, which are NVS on ESP32 (keys and domain of at most 15 characters). The SDK
 * erases a preference before it writes it (8.2.3, modules/files/preference/esp32): hence two keys for each value.
 * @module
 */
import Preference from "preference";
import type { Store } from "../../src/ports.js";
import { TwoKeys } from "./two-keys.js";

const DOMAIN = "xs-ota-agent";

class Preferences implements Store {
  get(key: string): string | undefined {
    const value = Preference.get(DOMAIN, key);
    return typeof value === "string" ? value : undefined;
  }

  set(key: string, value: string): void {
    Preference.set(DOMAIN, key, value);
  }
}

/** Keys have at most 14 characters. A power cut leaves the value before or the new one. */
export class PreferenceStore extends TwoKeys {
  constructor() {
    super(new Preferences());
  }
}
