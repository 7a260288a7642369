/**
 * The porting layer over flash partitions: writes a file into the app slot that does not run, erasing as it
 * goes, remembers in the journal what is there, proves the image from what flash gives back, and switches.
 * @module
 */
import { equalBytes } from "../bytes.js";
import type { JobFile } from "../control/job-document.js";
import { asOtaError, OtaError, type OtaErrorCode, type OtaPhase, wordsOf } from "../errors.js";
import type {
  AppDescription,
  BootControl,
  BootImageState,
  Clock,
  Crypto,
  Flash,
  Store,
  Timer,
} from "../ports.js";
import { checkRevision, checkStructure, HEAD_LENGTH, parseHead } from "./esp-image.js";
import { digestOf, isJournal, Journal, journalSectors } from "./journal.js";
import { DONE, ERASED, OpenFile, UNTOUCHED } from "./open-file.js";
import type { ImageState, OtaPal, PlatformImageState, Received } from "./pal.js";
import type { TrustedKeys } from "./signature.js";
import { compareVersions } from "./version.js";

export interface FlashPalOptions {
  /** The slot an update is written to (Moddable: partition "nextota"). */
  slot: Flash;
  /** The boot side; absent for a destination that is not an app slot (no image checks, no activation). */
  boot?: BootControl;
  crypto: Crypto;
  clock: Clock;
  /** Keys a signature may be made with. */
  trustedKeys: TrustedKeys;
  /** A data partition for the journal when the slot has no room for it. */
  journal?: Flash;
  /** Remembers the highest version ever confirmed, so that an older signed image stays refused. */
  store?: Store;
  /** Accept an image of the same or an older version. Default false. */
  allowDowngrade?: boolean;
  /**
   * The product's own order of versions: negative when `a` is older than `b`, positive when newer, 0 when neither, NaN when
   * there is none (such an image is refused). Default: `compareVersions` (docs/SPEC.md, "Versions").
   */
  compareVersions?: (a: string, b: string) => number;
  /** Erase this many bytes at a time where possible; 4096 for the shortest stalls. Default 65536. */
  eraseLength?: number;
  /** Told once for each file when an interrupted transfer could not be resumed later. */
  onNoResume?: (reason: string) => void;
}

/** Bytes programmed as one unit under flash encryption (AES block of ESP32 flash encryption). */
const WRITE_ALIGN = 16;
/** How long one slice of hashing may run before the application gets a turn, milliseconds. */
const SLICE_MS = 5;
/** Slices end after this many sectors even if the clock stands still (virtual time). */
const SLICE_SECTORS = 8;
/** `Store` key of the highest confirmed version. */
const HIGHEST_KEY = "xs-ota.highest";

type Closed = (error: OtaError | undefined, left?: Received) => void;

export class FlashPal implements OtaPal {
  readonly headLength = HEAD_LENGTH;
  readonly #options: FlashPalOptions;
  readonly #sectorLength: number;
  /** How many sectors the slot has, and how many are erased at a time. */
  readonly #sectors: number;
  #group: number;
  #open: OpenFile | undefined;
  #timer: Timer | undefined;

  /** @throws TypeError when a required option is missing, RangeError for an unusable `eraseLength` */
  constructor(options: FlashPalOptions) {
    for (const name of "slot crypto clock trustedKeys".split(" "))
      if (!options?.[name as keyof FlashPalOptions]) throw new TypeError(`option "${name}" is missing`);
    this.#options = options;
    const { blockLength, blocks } = options.slot.status();
    this.#sectorLength = blockLength;
    this.#sectors = blocks;
    this.#group = (options.eraseLength ?? 65536) / blockLength;
    if (!(this.#group >= 1) || this.#group % 1 !== 0)
      throw new RangeError(`option "eraseLength" must be a multiple of ${blockLength}`);
  }

  get running(): AppDescription | undefined {
    return this.#options.boot?.running;
  }

  get rollbackEnabled(): boolean {
    return this.#options.boot?.rollbackEnabled ?? true;
  }

  get notices(): readonly string[] | undefined {
    return this.#options.boot?.notices;
  }

  get resetReason(): string | undefined {
    return this.#options.boot?.resetReason;
  }

  /** SHA-256 of the file that is open and verified; undefined before. */
  get digest(): Uint8Array | undefined {
    return this.#open?.digest;
  }

  secure(): void {
    this.#options.boot?.secure?.();
  }

  get rolledBack(): boolean {
    const state = this.#options.boot?.otherState();
    return state === "pending-verify" || platformState(state) === "invalid";
  }

  createFile(file: JobFile, done: (error: OtaError | undefined, received: Received) => void): void {
    this.abort(false);
    const { slot, boot } = this.#options;
    const open = new OpenFile(file, slot, this.#sectorLength, this.#sectors);
    const { sectors } = open;
    this.#inSlices(
      "file-create",
      () => {
        const { journal } = open;
        if (journal) {
          // Believes those records whose sectors still hold what they say.
          const sector = journal.next(sectors.length);
          if (sector === undefined) return true;
          if (journal.holds(sector, open.content(sector))) {
            sectors[sector] = DONE;
            open.recorded = sector;
          }
          return false;
        }
        if (file.fileSize > this.#sectors * this.#sectorLength)
          throw new OtaError("file-too-large", `the file has ${file.fileSize} bytes, more than the slot`);
        // As the original's porting layer for ESP32 has it; back ends test for it.
        if (!file.filePath) throw new OtaError("file-create", "the job names no file path");
        this.#options.trustedKeys.require(file);
        this.#keepWayBack();
        open.journal = this.#journal(file, sectors.length);
        if (!open.journal?.open()) return true;
        this.#open = open;
        // What the boot loader thought of this slot before is about to be tried anew.
        boot?.clearOther();
        return false;
      },
      (error) => {
        if (!error) this.#open = open;
        done(error, open);
      },
    );
  }

  inspect(file: JobFile, head: Uint8Array): AppDescription | undefined {
    const { running } = this;
    if (!running) return undefined;
    const offered = parseHead(head, file.fileSize);
    if (offered.chipId !== running.chipId) mismatch("wrong-chip", "chip", offered.chipId, running.chipId);
    checkRevision(head, this.#options.boot?.chipRevision);
    if (offered.projectName !== running.projectName)
      mismatch("wrong-project", "project", offered.projectName, running.projectName);
    if (offered.secureVersion < running.secureVersion)
      mismatch("secure-version", "secure version", offered.secureVersion, running.secureVersion);
    // The very image that runs is no news, and no older one: the agent says so.
    const same = offered.version === running.version && offered.buildId === running.buildId;
    if (!this.#options.allowDowngrade && !same) {
      this.#requireNewer(offered.version, running.version, "");
      let highest: string | undefined;
      const failure = failureOf(
        "store-failed",
        () => (highest = this.#options.store?.get(HIGHEST_KEY)),
        "image",
      );
      // Without knowing it an older image might get in.
      if (failure) throw failure;
      // One without an order, of another rule's time, would keep every image out for good.
      if (highest && this.#isOrdered(highest))
        this.#requireNewer(offered.version, highest, ", the highest confirmed");
    }
    return offered;
  }

  readBack(offset: number, into: Uint8Array): void {
    const error = failureOf("flash-write", () => this.#options.slot.read(into, offset));
    if (error) throw error;
  }

  writeBlock(offset: number, data: Uint8Array): void {
    const open = this.#open ?? this.#required();
    const { sectorLength, sectors } = open;
    const end = offset + data.length;
    if (end > open.file.fileSize) throw new OtaError("flash-write", "a block beyond the end of the file");
    try {
      let at = offset;
      while (at < end) {
        const sector = (at / sectorLength) | 0;
        const boundary = (sector + 1) * sectorLength;
        const next = end < boundary ? end : boundary;
        if (sectors[sector] === UNTOUCHED) this.#erase(open, sector);
        if (sectors[sector] !== DONE) {
          const whole = next - at === data.length;
          this.#write(open, sector, at, whole ? data : data.subarray(at - offset, next - offset));
        }
        at = next;
      }
    } catch (cause) {
      throw asOtaError(cause, "flash-write");
    }
  }

  closeFile(done: Closed): void {
    const open = this.#required();
    const { file } = open;
    this.#hash(
      open,
      (digest) => {
        this.#options.trustedKeys.verify(this.#options.crypto, digest, file);
        // Judged once more, as it was signed: what came as the head might have been replaced since.
        this.inspect(file, open.read(0, HEAD_LENGTH));
        if (this.#options.boot) checkStructure((at, length) => open.read(at, length), file.fileSize);
        open.digest = digest;
      },
      (error) => {
        if (error?.code !== "signature-check" || !open.journal?.live) return done(error);
        // The file may be good and the flash not: fetch again what its records no longer vouch for.
        this.createFile(file, (problem, left) => {
          const whole = left.byteLength === file.fileSize;
          done(problem ?? error, problem || whole ? undefined : left);
        });
      },
    );
  }

  abort(discard: boolean): void {
    const open = this.#open;
    this.#options.clock.clear(this.#timer);
    this.#open = undefined;
    if (!discard || !open?.journal?.live) return;
    const error = failureOf("abort-failed", () => open.journal?.clear(), "transfer");
    if (error) throw error;
  }

  activate(done: (error?: OtaError) => void): void {
    const open = this.#open;
    const { boot, clock } = this.#options;
    const verified = open?.digest;
    if (!open || !verified || !boot)
      return done(new OtaError("activate-failed", "there is no verified image to activate"));
    // Time has passed since the proof: what boots must be what was verified (time of check to time of use).
    this.#hash(
      open,
      (digest) => {
        if (!equalBytes(digest, verified))
          throw new OtaError("activate-failed", "the image on flash changed after it was verified");
      },
      (error) => {
        if (error) return done(error);
        // In a turn of its own, as ESP-IDF reads through all of the image once more in one go.
        this.#timer = clock.set(() => {
          const failure = failureOf("activate-failed", () => {
            this.#keepWayBack();
            boot.setBoot();
          });
          // From here on the image boots, now or later: what fails behind it does not change that.
          if (!failure) failureOf("activate-failed", () => boot.restart());
          done(failure);
        }, 0);
      },
    );
  }

  reset(): void {
    this.#options.boot?.restart();
  }

  setPlatformImageState(state: ImageState): OtaError | undefined {
    const { boot, store } = this.#options;
    if (!boot || state === "testing") return undefined;
    const accepted = state === "accepted";
    const rejected = state === "rejected";
    if (!accepted && !rejected && state !== "aborted")
      throw new OtaError("bad-image-state", `no image state to set: ${state}`);
    const error = failureOf(accepted ? "commit-failed" : rejected ? "reject-failed" : "abort-failed", () => {
      const current = boot.imageState();
      if (accepted) {
        if (current === "pending-verify" || current === "new") boot.markValid();
      } else if (undecided(current)) boot.markInvalid();
    });
    if (error) throw error;
    if (!accepted) return undefined;
    // Confirmed it is, whatever the store makes of it.
    return failureOf("store-failed", () => {
      const { version } = boot.running;
      const highest = store?.get(HIGHEST_KEY);
      // What has no order is never the highest.
      const higher = !highest || !this.#isOrdered(highest) || this.#compare(version, highest) > 0;
      if (higher && this.#isOrdered(version)) store?.set(HIGHEST_KEY, version);
    });
  }

  getPlatformImageState(): PlatformImageState {
    return platformState(this.#options.boot?.imageState());
  }

  get ordered(): boolean {
    const { running } = this;
    return !running || this.#options.allowDowngrade === true || this.#isOrdered(running.version);
  }

  #compare(a: string, b: string): number {
    return (this.#options.compareVersions ?? compareVersions)(a, b);
  }

  #isOrdered(version: string): boolean {
    return this.#compare(version, version) === 0;
  }

  /** @throws OtaError unless `offered` is a later version than `present` */
  #requireNewer(offered: string, present: string, note: string): void {
    const order = offered === present ? 0 : this.#compare(offered, present);
    if (order > 0) return;
    if (order <= 0) mismatch(order < 0 ? "downgrade" : "same-version", "version", offered, present + note);
    for (const version of [offered, present])
      if (!this.#isOrdered(version))
        throw new OtaError("bad-version", `the version "${version}" has no order: is it older or newer?`);
    mismatch("bad-version", "version", offered, present + note);
  }

  /** @throws OtaError "no-way-back" when the running image would not boot again should the new one be given up */
  #keepWayBack(): void {
    const error = failureOf("no-way-back", () => this.#options.boot?.keepWayBack());
    if (error) throw error;
  }

  #required(): OpenFile {
    if (!this.#open) throw new OtaError("file-close", "no file is open");
    return this.#open;
  }

  /** The journal of a signed file of `data` sectors: behind it in the slot, or in the partition of its own, or none. */
  #journal(file: JobFile, data: number): Journal | undefined {
    const { slot, journal, crypto } = this.#options;
    const { fileSize: size, signature } = file;
    const sectors = journalSectors(data, this.#sectorLength);
    const bytes = Uint8Array.of(size, size >> 8, size >> 16, size >> 24);
    const identity = digestOf(crypto, bytes, signature!.bytes);
    if (data + sectors <= this.#sectors)
      return new Journal(slot, this.#sectors - 1, -sectors, crypto, identity);
    if (journal && journal.status().blocks >= sectors)
      return new Journal(journal, 0, sectors, crypto, identity);
    this.#noResume(`no room for a journal of ${sectors} sectors`);
    return undefined;
  }

  /** The update goes on, whatever the application makes of this. */
  #noResume(reason: string): void {
    try {
      this.#options.onNoResume?.(reason);
    } catch {
      // The application's fault, not the file's.
    }
  }

  /**
   * Erases `sector`, and with it untouched ones in its `eraseLength`. Also what reads as erased: after a power cut in the middle
   * of an erasure it may read otherwise the next time.
   */
  #erase(open: OpenFile, sector: number): void {
    const { slot, boot } = this.#options;
    const { sectors } = open;
    // From here on the slot belongs to the file. An old verdict about it must not be taken for one about the image
    // that is coming.
    boot?.clearOther();
    if (!open.begun) this.#begin(open);
    const first = sector - (sector % this.#group);
    const own: number[] = [];
    let at = first;
    for (; at < first + this.#group && at < sectors.length; at++)
      if (sectors[at] === UNTOUCHED) {
        own.push(at);
        sectors[at] = ERASED;
      }
    // ESP-IDF turns a range into block erases, each of which takes as long as three or four sectors alone.
    if (own.length === at - first) slot.eraseBlock(first, at);
    else for (const s of own) slot.eraseBlock(s);
  }

  /** No journal of another file may outlive the first erasure, wherever it is. */
  #begin(open: OpenFile): void {
    const { slot, journal } = this.#options;
    open.begun = true;
    if (open.journal?.live) return this.repeatRecord();
    const last = this.#sectors - 1;
    // Where the file fills the slot the last sector is its own, and may hold what it is made of.
    if (open.sectors.length <= last || isJournal(slot, last)) {
      slot.eraseBlock(last);
      open.sectors[last] = ERASED;
    }
    journal?.eraseBlock(0);
  }

  /** From here on no sector is erased before something comes for it: those around it may be another's by now. */
  eraseSingly(): void {
    this.#group = 1;
  }

  /**
   * Writes the record that was believed last once more, before anything is erased in the belief of it: the power may have gone
   * while it was written, and what reads right now may not read right in the next life.
   */
  repeatRecord(): void {
    const open = this.#open;
    const recorded = open?.recorded;
    if (!open || recorded === undefined) return;
    open.recorded = undefined;
    // One that cannot be repeated does no harm: the next one fails as well, and is told.
    failureOf("flash-write", () => open.journal?.append(recorded, open.content(recorded)));
  }

  /** Writes `part` of `sector`, and records the sector once it is complete. */
  #write(open: OpenFile, sector: number, offset: number, part: Uint8Array): void {
    const { sectors } = open;
    const { length } = part;
    // The last bytes of a file are padded: an encrypted partition takes whole units only.
    const rest = length % WRITE_ALIGN;
    let bytes = part;
    if (rest) {
      bytes = open.scratch.subarray(0, length - rest + WRITE_ALIGN).fill(0xff);
      bytes.set(part);
    }
    open.slot.write(bytes, offset);
    const complete = sector < sectors.length - 1 ? open.sectorLength : open.lengthOf(sector);
    if ((sectors[sector] += length) < ERASED + complete) return;
    sectors[sector] = DONE;
    try {
      open.journal?.append(sector, length < complete ? open.content(sector) : part);
    } catch (cause) {
      // The file itself is unharmed by a journal that fails; it just cannot be resumed from here.
      open.journal = undefined;
      this.#noResume(`the journal cannot be written: ${wordsOf(cause)}`);
    }
  }

  /**
   * Calls `step` until it returns true or throws, with turns for the application between, and then `done`.
   * @param code of an error that has none
   */
  #inSlices(code: OtaErrorCode, step: () => boolean, done: (error?: OtaError) => void): void {
    const { clock } = this.#options;
    const slice = () => {
      const deadline = clock.now() + SLICE_MS;
      let over = false;
      const error = failureOf(code, () => {
        for (let n = 0; n < SLICE_SECTORS && !over && clock.now() < deadline; n++) over = step();
      });
      if (error || over) done(error);
      else this.#timer = clock.set(slice, 0);
    };
    this.#timer = clock.set(slice, 0);
  }

  /** Gives `judge`, which may throw, the SHA-256 of the open file as flash gives it back. */
  #hash(open: OpenFile, judge: (digest: Uint8Array) => void, done: (error?: OtaError) => void): void {
    const hash = this.#options.crypto.sha256();
    let sector = 0;
    this.#inSlices(
      "file-close",
      () => {
        hash.update(open.content(sector));
        const over = ++sector === open.sectors.length;
        if (over) judge(hash.digest());
        return over;
      },
      done,
    );
  }
}

function platformState(state: BootImageState = "valid"): PlatformImageState {
  if (state === "pending-verify") return "pending-commit";
  // "undefined" is an image that did not come by update, or whose boot loader has no rollback, as "new" always is.
  if (state === "undefined" || state === "new") return "unknown";
  return state === "valid" ? "valid" : "invalid";
}

/** Nobody has decided about an image in this state. */
function undecided(state: BootImageState): boolean {
  const platform = platformState(state);
  return platform === "pending-commit" || platform === "unknown";
}

function mismatch(
  code: OtaErrorCode,
  what: string,
  offered: string | number,
  present: string | number,
): never {
  throw new OtaError(code, `the image has ${what} ${offered}, this device ${present}`);
}

/** What `action` throws, undefined when it does not. */
function failureOf(code: OtaErrorCode, action: () => unknown, phase?: OtaPhase): OtaError | undefined {
  try {
    action();
  } catch (cause) {
    return asOtaError(cause, code, phase);
  }
  return undefined;
}
