/**
 * Facts about the sdkconfig files of Moddable SDK 8.2.3 (build/devices/esp32/xsProj-…: sdkconfig.defaults, .release, .inst):
 * which of the options that matter to rollback they set, in their order, "CONFIG_" left out. "unset": a line
 * "# CONFIG_… is not set".
 * @module
 */

export const SDK_VERSION = "8.2.3";

export interface SdkDefaults {
  /** Of every build. */
  readonly base: readonly string[];
  /** Added in release builds, */
  readonly release: readonly string[];
  /** and in instrumented ones after that. */
  readonly instrumented: readonly string[];
}

const WATCHDOGS_OFF = ["ESP_INT_WDT unset", "ESP_TASK_WDT_EN unset"];

export const SDK_DEFAULTS: Readonly<Record<string, SdkDefaults>> = Object.freeze({
  esp32: {
    base: ["BOOTLOADER_SKIP_VALIDATE_ALWAYS=y", "ESPTOOLPY_FLASHSIZE_4MB=y", ...WATCHDOGS_OFF],
    release: ["ESP_SYSTEM_PANIC_GDBSTUB=n"],
    instrumented: ["ESP_SYSTEM_PANIC_GDBSTUB=y"],
  },
  esp32s2: {
    base: ["ESPTOOLPY_FLASHSIZE_4MB=y", "ESP_SYSTEM_PANIC_GDBSTUB=y", ...WATCHDOGS_OFF],
    release: [],
    instrumented: [],
  },
  esp32s3: {
    base: ["ESPTOOLPY_FLASHSIZE_4MB=y", "ESP_SYSTEM_PANIC_GDBSTUB=y", ...WATCHDOGS_OFF],
    release: [],
    instrumented: [],
  },
  esp32c3: {
    base: ["ESPTOOLPY_FLASHSIZE_4MB=y", ...WATCHDOGS_OFF],
    release: [],
    instrumented: ["ESP_SYSTEM_PANIC_GDBSTUB=y"],
  },
  esp32c6: { base: ["ESPTOOLPY_FLASHSIZE_4MB=y", ...WATCHDOGS_OFF], release: [], instrumented: [] },
  esp32h2: { base: ["ESPTOOLPY_FLASHSIZE_4MB=y", ...WATCHDOGS_OFF], release: [], instrumented: [] },
});
