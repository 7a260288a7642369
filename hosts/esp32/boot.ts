/**
 * The `BootControl` port over ESP-IDF: the typed face of boot.c. A file of its own, because only the XS compiler
 * understands `native`.
 * @module
 */
import type { AppDescription, BootControl, BootImageState, Store } from "../../src/ports.js";
import { RollbackProof } from "./rollback-proof.js";

/** By `esp_ota_img_states_t`. */
const STATES: readonly BootImageState[] = Object.freeze([
  "new",
  "pending-verify",
  "valid",
  "invalid",
  "aborted",
]);

/** By `esp_reset_reason_t`, as far as ESP-IDF numbers them alike on all chips. */
const RESET_REASONS = Object.freeze([
  "unknown",
  "power-on",
  "external",
  "software",
  "panic",
  "interrupt-watchdog",
  "task-watchdog",
  "watchdog",
  "deep-sleep",
  "brownout",
]);

/** By the bits of boot.c: what the build has to have for an image that does not work to be rolled back. */
const NEEDED =
  "BOOTLOADER_APP_ROLLBACK_ENABLE=y BOOTLOADER_SKIP_VALIDATE_ALWAYS=n BOOTLOADER_SKIP_VALIDATE_ON_POWER_ON=n " +
  "BOOTLOADER_SKIP_VALIDATE_IN_DEEP_SLEEP=n ESP_SYSTEM_PANIC_PRINT_REBOOT=y ESP_INT_WDT=y ESP_TASK_WDT_EN=y " +
  "ESP_TASK_WDT_INIT=y ESP_TASK_WDT_PANIC=y BOOTLOADER_WDT_ENABLE=y";
const MODS =
  "XS_MODS: a mod is linked again after each firmware update, in place; a power cut then, or a rollback, can spoil it";

/** boot.c. The compiler takes each body for a binding only when it is this call and nothing else. */
class Native {
  describe(): AppDescription {
    return native("xs_ota_describe").call(this) as AppDescription;
  }
  chipRevision(): number {
    return native("xs_ota_chipRevision").call(this) as number;
  }
  builtForRollback(): boolean {
    return native("xs_ota_builtForRollback").call(this) as boolean;
  }
  lacks(): number {
    return native("xs_ota_lacks").call(this) as number;
  }
  proof(): number {
    return native("xs_ota_proof").call(this) as number;
  }
  beginProof(): void {
    return native("xs_ota_beginProof").call(this) as undefined;
  }
  bootLoader(): number {
    return native("xs_ota_bootLoader").call(this) as number;
  }
  imageState(): number {
    return native("xs_ota_imageState").call(this) as number;
  }
  otherState(): number {
    return native("xs_ota_otherState").call(this) as number;
  }
  keepWayBack(): void {
    return native("xs_ota_keepWayBack").call(this) as undefined;
  }
  clearOther(): void {
    return native("xs_ota_clearOther").call(this) as undefined;
  }
  setBoot(): void {
    return native("xs_ota_setBoot").call(this) as undefined;
  }
  markValid(): void {
    return native("xs_ota_markValid").call(this) as undefined;
  }
  markInvalid(): void {
    return native("xs_ota_markInvalid").call(this) as undefined;
  }
  secure(): void {
    return native("xs_ota_secure").call(this) as undefined;
  }
  restart(): void {
    return native("xs_ota_restart").call(this) as undefined;
  }
  resetReason(): number {
    return native("xs_ota_resetReason").call(this) as number;
  }
  guard(ms: number): void {
    return native("xs_ota_guard").call(this, ms as never) as undefined;
  }
  guardFromStart(): void {
    return native("xs_ota_guard").call(this) as undefined;
  }
}

export class EspBootControl implements BootControl {
  readonly #native = new Native();
  readonly running: AppDescription;
  readonly chipRevision: number;
  readonly rollbackEnabled: boolean;
  readonly notices: readonly string[];

  /**
   * @param store remembers what is known of the boot loader
   * @throws Error when the running image cannot be read
   */
  constructor(store: Store) {
    const lacks = this.#native.lacks();
    this.running = Object.freeze(this.#native.describe());
    this.chipRevision = this.#native.chipRevision();
    this.rollbackEnabled = new RollbackProof(this.#native, store).known === "yes";
    const names = NEEDED.split(" ");
    this.notices = names
      .filter((_, bit) => (lacks >> bit) & 1)
      .map((name) => `sdkconfig lacks CONFIG_${name}`)
      .concat((lacks >> names.length) & 1 ? [MODS] : []);
  }

  /** Why the chip was reset last. */
  get resetReason(): string {
    return RESET_REASONS[this.#native.resetReason()] ?? "unknown";
  }

  imageState(): BootImageState {
    return STATES[this.#native.imageState()] ?? "undefined";
  }

  otherState(): BootImageState {
    return STATES[this.#native.otherState()] ?? "undefined";
  }

  keepWayBack(): void {
    this.#native.keepWayBack();
  }

  clearOther(): void {
    this.#native.clearOther();
  }

  setBoot(): void {
    this.#native.setBoot();
  }

  markValid(): void {
    this.#native.markValid();
  }

  markInvalid(): void {
    this.#native.markInvalid();
  }

  secure(): void {
    this.#native.secure();
  }

  restart(): void {
    this.#native.restart();
  }

  /**
   * While the image is on trial: restarts, and so rolls back, unless the image is confirmed or given up within
   * `ms` milliseconds. Works while JavaScript hangs. Replaces the guard before.
   */
  guard(ms: number): void {
    this.#native.guard(ms);
  }

  /**
   * Before the application runs: guards an image on trial for as long as the build says (`defines.ota.watchdog`, seconds), and
   * finds out whether the boot loader rolls back, for which the first start after the boot loader was written restarts once.
   * @returns whether the device restarts
   */
  static begin(store: Store): boolean {
    const native = new Native();
    native.guardFromStart();
    const restart = new RollbackProof(native, store).begin();
    if (restart) native.restart();
    return restart;
  }
}
