/**
 * Whether the boot loader rolls back, found out before the first update and without a guess: a mark in `otadata` that no
 * boot loader starts anything by, and that one with rollback changes (boot.c says how). What was found is remembered together
 * with the checksum of the boot loader, so that another one is asked anew. Pure.
 * @module
 */
import type { Store } from "../../src/ports.js";

/** What boot.c does for it. */
export interface ProofHooks {
  builtForRollback(): boolean;
  /** `esp_ota_img_states_t` of the running image; -1 for none. */
  imageState(): number;
  /** 0: there is no mark for this boot loader; 1: it is pending; 2: the boot loader has seen it. */
  proof(): number;
  beginProof(): void;
  /** Tells one boot loader from another. */
  bootLoader(): number;
  /** `esp_reset_reason_t` */
  resetReason(): number;
}

export const PROOF_KEY = "rollback";
/** How often the mark may disappear before this is given up. */
const ATTEMPTS = 2;

const PENDING_VERIFY = 1;
const MARK_PENDING = 1;
const MARK_SEEN = 2;
/** `ESP_RST_DEEPSLEEP`: such a start may pass the boot loader's choice by. */
const DEEP_SLEEP = 8;

export class RollbackProof {
  readonly #hooks: ProofHooks;
  readonly #store: Store;

  constructor(hooks: ProofHooks, store: Store) {
    this.#hooks = hooks;
    this.#store = store;
  }

  /** "yes" or "no" when it is known, or else how many times it was tried to find out. Never throws. */
  get known(): string {
    try {
      return this.#find();
    } catch {
      // Without the flash or the store there is nothing to go by.
      return String(ATTEMPTS);
    }
  }

  /**
   * Makes the mark, when there is something to be found out. Never throws.
   * @returns whether the device has to restart now
   */
  begin(): boolean {
    const tried = Number(this.known);
    if (!(tried < ATTEMPTS) || this.#hooks.resetReason() === DEEP_SLEEP) return false;
    try {
      // Counted first, and for certain: a restart at every start would be worse than not to know.
      const count = String(tried + 1);
      this.#remember(count);
      if (this.#recall() !== count) return false;
      this.#hooks.beginProof();
      return this.#hooks.proof() === MARK_PENDING;
    } catch {
      return false;
    }
  }

  #find(): string {
    const hooks = this.#hooks;
    if (!hooks.builtForRollback()) return "no";
    const recalled = this.#recall();
    if (recalled === "yes" || recalled === "no") return recalled;
    const mark = hooks.proof();
    if (mark === MARK_SEEN) return this.#remember("yes");
    // An image that finds itself pending was made so by the boot loader. That is as good for this life, in which another
    // start would give the image up, but otadata may be older than the boot loader.
    if (hooks.imageState() === PENDING_VERIFY) return "yes";
    if (mark === MARK_PENDING && hooks.resetReason() !== DEEP_SLEEP) return this.#remember("no");
    return recalled;
  }

  #recall(): string {
    const [loader, known] = (this.#store.get(PROOF_KEY) ?? "").split(" ");
    return loader === String(this.#hooks.bootLoader()) && known ? known : "0";
  }

  #remember(known: string): string {
    try {
      this.#store.set(PROOF_KEY, `${this.#hooks.bootLoader()} ${known}`);
    } catch {
      // Then it is found out anew at the next start: the mark is still there.
    }
    return known;
  }
}
