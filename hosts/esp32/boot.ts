/**
 * The `BootControl` port over ESP-IDF: the typed face of boot.c. A file of its own, because only the XS compiler
 * understands `native`.
 * @module
 */
import type { AppDescription, BootControl, BootImageState } from "../../src/ports.js";

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

/** boot.c. The compiler takes each body for a binding only when it is this call and nothing else. */
class Native {
  describe(): AppDescription {
    return native("xs_ota_describe").call(this) as AppDescription;
  }
  rollbackEnabled(): boolean {
    return native("xs_ota_rollbackEnabled").call(this) as boolean;
  }
  imageState(): number {
    return native("xs_ota_imageState").call(this) as number;
  }
  otherState(): number {
    return native("xs_ota_otherState").call(this) as number;
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
  readonly rollbackEnabled: boolean;

  /** @throws Error when the running image can not be read */
  constructor() {
    this.running = Object.freeze(this.#native.describe());
    this.rollbackEnabled = this.#native.rollbackEnabled();
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

  /** The guard before the application runs, with the time the build says (`defines.ota.watchdog`, seconds). */
  static guardFromStart(): void {
    new Native().guardFromStart();
  }
}
