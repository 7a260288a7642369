/**
 * The porting layer over flash partitions: writes a file into the app slot that does not run, erasing as it
 * goes, remembers in the journal what is there, proves the image from what flash gives back, and switches.
 * @module
 */
import { equalBytes } from "./bytes.js";
import { OtaError, type OtaErrorCode, type OtaPhase } from "./errors.js";
import { checkStructure, HEAD_LENGTH, parseHead } from "./esp-image.js";
import type { JobFile } from "./job-document.js";
import { Journal, journalSectors } from "./journal.js";
import type { ImageState, OtaPal, PlatformImageState, Received } from "./pal.js";
import type { AppDescription, BootControl, Clock, Crypto, Flash, Store, Timer } from "./ports.js";
import type { TrustedKeys } from "./signature.js";
import { compareVersions, parseVersion } from "./version.js";

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

/** State of a sector of the open file: not erased yet, */
const UNTOUCHED = 0;
/** erased, plus the number of bytes written since, */
const ERASED = 1;
/** or complete. Sectors are smaller than this. */
const DONE = 0xffff;

type Closed = (error: OtaError | undefined, left?: Received) => void;

/** Everything about the file being received; replaced as a whole so that nothing is inherited. */
class OpenFile implements Received {
  readonly file: JobFile;
  readonly sectorLength: number;
  /** UNTOUCHED, ERASED plus bytes written, or DONE. */
  readonly sectors: Uint16Array;
  /** One sector read back. */
  readonly scratch: Uint8Array;
  readonly journal: Journal | undefined;
  /** True while the journal on flash belongs to this file. */
  journaled = false;
  /** False until the first write has prepared flash for this file. */
  begun = false;
  /** Digest of the verified file. */
  digest: Uint8Array | undefined;
  /** Digest of an erased sector. */
  blank: Uint8Array | undefined;

  constructor(file: JobFile, sectorLength: number, journal: Journal | undefined) {
    this.file = file;
    this.sectorLength = sectorLength;
    this.sectors = new Uint16Array(Math.ceil(file.fileSize / sectorLength));
    this.scratch = new Uint8Array(sectorLength);
    this.journal = journal;
  }

  /** Bytes of the file in `sector`: less than a sector in the last one. */
  lengthOf(sector: number): number {
    const rest = this.file.fileSize - sector * this.sectorLength;
    return rest < this.sectorLength ? rest : this.sectorLength;
  }

  has(offset: number, byteLength: number): boolean {
    const last = Math.floor((offset + byteLength - 1) / this.sectorLength);
    for (let sector = Math.floor(offset / this.sectorLength); sector <= last; sector++)
      if (this.sectors[sector] !== DONE) return false;
    return true;
  }

  get byteLength(): number {
    let sum = 0;
    for (let sector = 0; sector < this.sectors.length; sector++)
      if (this.sectors[sector] === DONE) sum += this.lengthOf(sector);
    return sum;
  }
}

export class FlashPal implements OtaPal {
  readonly headLength = HEAD_LENGTH;
  readonly #options: FlashPalOptions;
  readonly #size: number;
  readonly #sectorLength: number;
  #open: OpenFile | undefined;
  #timer: Timer | undefined;

  /** @throws TypeError when a required option is missing, RangeError for an unusable `eraseLength` */
  constructor(options: FlashPalOptions) {
    for (const name of ["slot", "crypto", "clock", "trustedKeys"] as const)
      if (!options?.[name]) throw new TypeError(`option "${name}" is missing`);
    this.#options = options;
    const { size, blockLength } = options.slot.status();
    this.#size = size;
    this.#sectorLength = blockLength;
    const erase = options.eraseLength ?? 65536;
    if (!(erase >= blockLength && erase % blockLength === 0))
      throw new RangeError(`option "eraseLength" must be a multiple of ${blockLength}, got ${erase}`);
  }

  get running(): AppDescription | undefined {
    return this.#options.boot?.running;
  }

  get rollbackEnabled(): boolean {
    return this.#options.boot?.rollbackEnabled ?? true;
  }

  get rolledBack(): boolean {
    const state = this.#options.boot?.otherState();
    return state === "invalid" || state === "aborted" || state === "pending-verify";
  }

  createFile(file: JobFile, done: (error: OtaError | undefined, received: Received) => void): void {
    this.abort(false);
    const { trustedKeys, clock, boot } = this.#options;
    const open = new OpenFile(file, this.#sectorLength, this.#journal(file));
    let error: OtaError | undefined;
    try {
      if (file.fileSize > this.#size)
        throw new OtaError("file-too-large", `the file has ${file.fileSize} bytes, the slot ${this.#size}`);
      // As the original's porting layer for ESP32 has it; back ends test for it.
      if (!file.filePath) throw new OtaError("file-create", "the job names no file path");
      trustedKeys.require(file);
      open.journaled = open.journal?.open() ?? false;
      // What the boot loader thought of this slot before is about to be tried anew.
      if (open.journaled) boot?.clearOther();
    } catch (cause) {
      error = asOtaError(cause, "file-create", "transfer");
    }
    if (error || !open.journaled) {
      this.#timer = clock.set(() => {
        if (!error) this.#open = open;
        done(error, open);
      }, 0);
      return;
    }
    open.begun = true;
    this.#open = open;
    this.#recall(open, (cause) => done(cause, open));
  }

  inspect(file: JobFile, head: Uint8Array): AppDescription | undefined {
    const { running } = this;
    if (!running) return undefined;
    const offered = parseHead(head, file.fileSize);
    if (offered.chipId !== running.chipId)
      throw new OtaError(
        "wrong-chip",
        `the image is for chip ${offered.chipId}, this is chip ${running.chipId}`,
      );
    if (offered.projectName !== running.projectName)
      throw new OtaError(
        "wrong-project",
        `the image is of project "${offered.projectName}", this device runs "${running.projectName}"`,
      );
    if (offered.secureVersion < running.secureVersion)
      throw new OtaError(
        "secure-version",
        `the image has secure version ${offered.secureVersion}, this device runs ${running.secureVersion}`,
      );
    if (!this.#options.allowDowngrade) {
      requireNewer(offered.version, running.version, "running");
      const highest = this.#options.store?.get(HIGHEST_KEY);
      if (highest && highest !== running.version) requireNewer(offered.version, highest, "highest confirmed");
    }
    return offered;
  }

  readBack(offset: number, into: Uint8Array): void {
    try {
      this.#options.slot.read(into, offset);
    } catch (cause) {
      throw asOtaError(cause, "flash-write", "transfer");
    }
  }

  writeBlock(offset: number, data: Uint8Array): void {
    const open = this.#required();
    const { sectorLength, sectors } = open;
    const end = offset + data.length;
    if (end > open.file.fileSize) throw new OtaError("flash-write", "a block beyond the end of the file");
    try {
      if (!open.begun) this.#begin(open);
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
      throw asOtaError(cause, "flash-write", "transfer");
    }
  }

  closeFile(done: Closed): void {
    const open = this.#required();
    const { trustedKeys, crypto, boot } = this.#options;
    open.digest = undefined;
    this.#hash(open, (failure, digest) => {
      if (!digest) return done(failure);
      try {
        trustedKeys.verify(crypto, digest, open.file);
        // Judged once more, as it was signed: what came as the head might have been replaced since.
        const { fileSize } = open.file;
        this.inspect(open.file, this.#view(open, 0, fileSize < HEAD_LENGTH ? fileSize : HEAD_LENGTH));
        if (boot) checkStructure((at, length) => this.#view(open, at, length), fileSize);
      } catch (cause) {
        const error = asOtaError(cause, "file-close", "verify");
        if (error.code !== "signature-check" || !open.journaled) return done(error);
        // The file may be good and the flash not: fetch again what its records no longer vouch for.
        return this.#recall(open, (problem) => {
          const whole = open.byteLength === open.file.fileSize;
          done(problem ?? error, problem || whole ? undefined : open);
        });
      }
      open.digest = digest;
      done(undefined);
    });
  }

  abort(discard: boolean): void {
    const { clock } = this.#options;
    clock.clear(this.#timer);
    this.#timer = undefined;
    const open = this.#open;
    this.#open = undefined;
    if (!discard || !open?.journaled) return;
    try {
      open.journal?.clear();
    } catch (cause) {
      throw asOtaError(cause, "abort-failed", "transfer");
    }
  }

  activate(done: (error?: OtaError) => void): void {
    const open = this.#open;
    const { boot } = this.#options;
    const verified = open?.digest;
    if (!open || !verified || !boot)
      return done(new OtaError("activate-failed", "there is no verified image to activate"));
    // Time has passed since the proof: what boots must be what was verified (time of check to time of use).
    this.#hash(open, (failure, digest) => {
      if (!digest) return done(failure);
      try {
        if (!equalBytes(digest, verified))
          throw new OtaError("activate-failed", "the image on flash changed after it was verified");
        boot.setBoot();
      } catch (cause) {
        return done(asOtaError(cause, "activate-failed", "activate"));
      }
      boot.restart();
      done();
    });
  }

  reset(): void {
    this.#options.boot?.restart();
  }

  setPlatformImageState(state: ImageState): void {
    const { boot, store } = this.#options;
    if (!boot) return;
    const current = boot.imageState();
    if (state === "accepted") {
      try {
        if (current === "pending-verify" || current === "new") boot.markValid();
        this.#remember(boot, store);
      } catch (cause) {
        throw asOtaError(cause, "commit-failed", "self-test");
      }
    } else if (state === "rejected" || state === "aborted") {
      if (current !== "pending-verify") return;
      try {
        boot.markInvalid();
      } catch (cause) {
        throw asOtaError(cause, state === "rejected" ? "reject-failed" : "abort-failed", "self-test");
      }
    } else if (state !== "testing") {
      throw new OtaError("bad-image-state", `no image state to set: ${state}`);
    }
  }

  getPlatformImageState(): PlatformImageState {
    const state = this.#options.boot?.imageState();
    if (state === "pending-verify") return "pending-commit";
    // "undefined" is a factory app or a slot booted for the first time: nothing speaks against it.
    return state === "invalid" || state === "aborted" ? "invalid" : "valid";
  }

  #required(): OpenFile {
    if (!this.#open) throw new OtaError("file-close", "no file is open", "transfer");
    return this.#open;
  }

  /** The journal of a file: behind it in the slot, or in the partition of its own, or none. */
  #journal(file: JobFile): Journal | undefined {
    const { slot, journal, crypto, onNoResume } = this.#options;
    if (!file.signature) return undefined;
    const sectorLength = this.#sectorLength;
    const data = Math.ceil(file.fileSize / sectorLength);
    const sectors = journalSectors(data, sectorLength);
    const hash = crypto.sha256();
    const size = new Uint8Array(4);
    new DataView(size.buffer).setUint32(0, file.fileSize, true);
    hash.update(size);
    hash.update(file.signature.bytes);
    const identity = hash.digest();
    const total = this.#size / sectorLength;
    if (data + sectors <= total)
      return new Journal(
        { flash: slot, firstSector: total - sectors, sectors, sectorLength },
        crypto,
        identity,
      );
    if (journal && journal.status().blocks >= sectors)
      return new Journal({ flash: journal, firstSector: 0, sectors, sectorLength }, crypto, identity);
    onNoResume?.(`no room for a journal: it takes ${sectors} sectors behind the ${data} of the file`);
    return undefined;
  }

  /** First write of a file: from here on the slot belongs to it. */
  #begin(open: OpenFile): void {
    // An old verdict about this slot must not be taken for one about the image that is coming.
    this.#options.boot?.clearOther();
    try {
      open.journal?.create();
      open.journaled = open.journal !== undefined;
    } catch (cause) {
      this.#noResume(open, cause);
    }
    open.begun = true;
  }

  /** Erases `sector`, and with it untouched neighbours in its `eraseLength`, unless blank already. */
  #erase(open: OpenFile, sector: number): void {
    const { slot, eraseLength = 65536 } = this.#options;
    const { sectors, sectorLength } = open;
    const group = eraseLength / sectorLength;
    const first = Math.floor(sector / group) * group;
    const limit = Math.min(sectors.length, first + group);
    let start = sector;
    while (start > first && sectors[start - 1] === UNTOUCHED) start--;
    let end = sector + 1;
    while (end < limit && sectors[end] === UNTOUCHED) end++;
    const dirty: number[] = [];
    for (let s = start; s < end; s++) {
      if (!this.#blank(open, s)) dirty.push(s);
      sectors[s] = ERASED;
    }
    // ESP-IDF turns a range into block erases, each of which takes as long as three or four sectors alone.
    if (dirty.length * 4 > end - start) slot.eraseBlock(start, end);
    else for (const s of dirty) slot.eraseBlock(s);
  }

  #blank(open: OpenFile, sector: number): boolean {
    const { scratch } = open;
    this.#options.slot.read(scratch, sector * open.sectorLength);
    // A sector in use shows in its first bytes; only a likely blank one is worth a digest.
    if (scratch[0] !== 0xff || scratch[1] !== 0xff || scratch[2] !== 0xff) return false;
    const digest = this.#digest(scratch);
    open.blank ??= this.#digest(scratch.fill(0xff));
    return equalBytes(digest, open.blank);
  }

  /** A few bytes of the file, good until the next read. */
  #view(open: OpenFile, offset: number, length: number): Uint8Array {
    const view = open.scratch.subarray(0, length);
    this.#options.slot.read(view, offset);
    return view;
  }

  #digest(bytes: Uint8Array): Uint8Array {
    const hash = this.#options.crypto.sha256();
    hash.update(bytes);
    return hash.digest();
  }

  /** Writes `part` of `sector`, and records the sector once it is complete. */
  #write(open: OpenFile, sector: number, offset: number, part: Uint8Array): void {
    const { slot } = this.#options;
    const { sectors, journal, scratch } = open;
    // The last bytes of a file are padded: an encrypted partition takes whole units only.
    const rest = part.length % WRITE_ALIGN;
    const whole = part.length - rest;
    if (whole) slot.write(rest ? part.subarray(0, whole) : part, offset);
    if (rest) {
      const tail = scratch.subarray(0, WRITE_ALIGN).fill(0xff);
      tail.set(part.subarray(whole));
      slot.write(tail, offset + whole);
    }
    const length = open.lengthOf(sector);
    if ((sectors[sector] += part.length) < ERASED + length) return;
    sectors[sector] = DONE;
    if (!journal || !open.journaled) return;
    try {
      const hash = journal.begin(sector);
      if (part.length < length) slot.read(scratch, sector * open.sectorLength);
      hash.update(part.length < length ? scratch.subarray(0, length) : part);
      journal.append(sector, journal.finish(hash));
    } catch (cause) {
      this.#noResume(open, cause);
    }
  }

  /** The file itself is unharmed by a journal that fails; it just can not be resumed from here. */
  #noResume(open: OpenFile, cause: unknown): void {
    open.journaled = false;
    this.#options.onNoResume?.(`the journal can not be written: ${(cause as Error).message}`);
  }

  /** Believes those records of the journal whose sectors still hold what they say; in slices. */
  #recall(open: OpenFile, done: (error?: OtaError) => void): void {
    const { slot, clock } = this.#options;
    const { sectors, scratch, sectorLength } = open;
    const journal = open.journal as Journal;
    const holds = (sector: number, digest: Uint8Array): boolean => {
      if (sector >= sectors.length) return false;
      slot.read(scratch, sector * sectorLength);
      const hash = journal.begin(sector);
      hash.update(scratch.subarray(0, open.lengthOf(sector)));
      return equalBytes(journal.finish(hash), digest);
    };
    sectors.fill(UNTOUCHED);
    let slotNumber = 0;
    const slice = () => {
      const deadline = clock.now() + SLICE_MS;
      try {
        for (let looked = 0; looked < SLICE_SECTORS && clock.now() < deadline; ) {
          const sector = journal.scan(slotNumber++, holds);
          if (sector === undefined) {
            this.#timer = undefined;
            return done();
          }
          if (sector < 0) continue;
          sectors[sector] = DONE;
          looked++;
        }
      } catch (cause) {
        return done(asOtaError(cause, "file-create", "transfer"));
      }
      this.#timer = clock.set(slice, 0);
    };
    this.#timer = clock.set(slice, 0);
  }

  /** SHA-256 of the open file as flash gives it back; in slices, so that the application keeps its deadlines. */
  #hash(open: OpenFile, done: (error: OtaError | undefined, digest?: Uint8Array) => void): void {
    const { slot, clock, crypto } = this.#options;
    const { scratch, sectorLength, sectors } = open;
    const hash = crypto.sha256();
    let sector = 0;
    const slice = () => {
      const deadline = clock.now() + SLICE_MS;
      let digest: Uint8Array | undefined;
      try {
        for (let n = 0; n < SLICE_SECTORS && sector < sectors.length && clock.now() < deadline; n++) {
          slot.read(scratch, sector * sectorLength);
          hash.update(scratch.subarray(0, open.lengthOf(sector++)));
        }
        if (sector === sectors.length) digest = hash.digest();
      } catch (cause) {
        this.#timer = undefined;
        return done(asOtaError(cause, "file-close", "verify"));
      }
      this.#timer = digest ? undefined : clock.set(slice, 0);
      if (digest) done(undefined, digest);
    };
    this.#timer = clock.set(slice, 0);
  }

  #remember(boot: BootControl, store: Store | undefined): void {
    const { version } = boot.running;
    const highest = store?.get(HIGHEST_KEY);
    if (!highest || compareVersions(version, highest) > 0) store?.set(HIGHEST_KEY, version);
  }
}

/** @throws OtaError unless `offered` is a later version than `present` */
function requireNewer(offered: string, present: string, which: string): void {
  if (offered === present)
    throw new OtaError("same-version", `the image has the ${which} version, ${present}`);
  if (!parseVersion(offered) || !parseVersion(present))
    throw new OtaError(
      "bad-version",
      `no order between image version "${offered}" and the ${which} version "${present}"`,
    );
  const order = compareVersions(offered, present);
  if (order === 0)
    throw new OtaError("same-version", `image version ${offered} equals the ${which} one, ${present}`);
  if (order < 0)
    throw new OtaError("downgrade", `image version ${offered} is older than the ${which} one, ${present}`);
}

function asOtaError(cause: unknown, code: OtaErrorCode, phase: OtaPhase): OtaError {
  if (cause instanceof OtaError) return cause;
  return new OtaError(code, cause instanceof Error ? cause.message : String(cause), phase);
}
