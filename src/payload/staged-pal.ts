/**
 * The porting layer for payloads: a delta or a compressed image is fetched to the end of the slot, like any file, and
 * then applied to the slot's start, a sector at a time. Both have a journal: neither a fetched sector nor a finished one is
 * written twice. Whole images go straight to `FlashPal`. Layout in docs/SPEC.md, "Payloads".
 * @module
 */
import { equalBytes } from "../bytes.js";
import type { JobFile } from "../control/job-document.js";
import { type Variant, variantOf } from "../control/variant.js";
import { asOtaError, OtaError } from "../errors.js";
import type { AppDescription, BootControl, Flash } from "../ports.js";
import { FlashPal, type FlashPalOptions } from "../slot/flash-pal.js";
import { journalSectors } from "../slot/journal.js";
import {
  type Applied,
  type ImageState,
  MAX_REPAIRS,
  type OtaPal,
  type PlatformImageState,
  type Received,
} from "../slot/pal.js";
import type { TrustedKeys } from "../slot/signature.js";
import { beginSegment, type MakeDecoder, type PayloadDecoder } from "./decoder.js";
import { badPayload, HEADER_LENGTH, PayloadHeader, START_LENGTH } from "./header.js";
import { NOTHING, OpenPayload } from "./open-payload.js";
import { PartFlash } from "./part-flash.js";
import { type RunningImage, RunningSum } from "./running-image.js";
import { Slices } from "./slices.js";

export interface StagedPalOptions extends FlashPalOptions {
  boot: BootControl;
  /** The slot that runs, as it was before encryption (Moddable: partition "running"): what deltas are from. */
  running: Flash;
  /** Makes what decodes a payload: natively, or `jsDecoder` of `xs-ota-agent/payload-decoder`. */
  decoder: MakeDecoder;
  /** Take compressed images. Default false: a decoder in JavaScript takes minutes for one. */
  packed?: boolean | undefined;
}

type Done = (error: OtaError | undefined, left?: Received) => void;

export class StagedPal implements OtaPal {
  readonly #options: StagedPalOptions;
  readonly #whole: FlashPal;
  readonly #slices: Slices;
  readonly #sectorLength: number;
  /** Sectors of the slot before the journal of the image. */
  readonly #sectors: number;
  #open: OpenPayload | undefined;
  /** The file that is being created. */
  #opening: OpenPayload | undefined;
  /** Counts files given up. */
  #life = 0;
  /** What runs, once it was summed up: it does not change in this life. */
  #base: readonly RunningImage[] | undefined;
  /** Files of the job at hand, which are one image. */
  #files: readonly JobFile[] = [];

  /** @throws TypeError when a required option is missing, RangeError for an unusable `eraseLength` */
  constructor(options: StagedPalOptions) {
    this.#whole = new FlashPal(options);
    for (const name of ["boot", "running", "decoder"] as const)
      if (!options[name]) throw new TypeError(`option "${name}" is missing`);
    this.#options = options;
    this.#slices = new Slices(options.clock);
    const { blockLength, blocks } = options.slot.status();
    this.#sectorLength = blockLength;
    this.#sectors = blocks - journalSectors(blocks, blockLength);
  }

  get running(): AppDescription | undefined {
    return this.#whole.running;
  }

  get rollbackEnabled(): boolean {
    return this.#whole.rollbackEnabled;
  }

  get rolledBack(): boolean {
    return this.#whole.rolledBack;
  }

  get ordered(): boolean {
    return this.#whole.ordered;
  }

  secure(): void {
    this.#whole.secure();
  }

  get resetReason(): string | undefined {
    return this.#whole.resetReason;
  }

  get notices(): readonly string[] | undefined {
    return this.#whole.notices;
  }

  /** SHA-256 of the image that is open and verified; undefined before. */
  get digest(): Uint8Array | undefined {
    return (this.#open?.image ?? this.#whole).digest;
  }

  get headLength(): number {
    return this.#open ? START_LENGTH : this.#whole.headLength;
  }

  rank(files: readonly JobFile[]): JobFile[] {
    const { boot, packed } = this.#options;
    const deltas: JobFile[] = [];
    const alone: JobFile[] = [];
    const whole: JobFile[] = [];
    this.#files = files;
    for (const file of files) {
      const variant = variantOf(file);
      if (variant === undefined) whole.push(file);
      else if (variant?.base === boot.running.buildId) deltas.push(file);
      else if (variant?.base === "" && packed) alone.push(file);
    }
    return [...deltas, ...alone, ...whole];
  }

  createFile(file: JobFile, done: (error: OtaError | undefined, received: Received) => void): void {
    this.abort(false);
    const variant = variantOf(file);
    if (variant === undefined) return this.#whole.createFile(file, done);
    let open: OpenPayload | undefined;
    let sum: RunningSum | undefined;
    this.#slices.run(
      "file-create",
      () => {
        if (!open) open = this.#stage(file, variant);
        else if (open.variant.base && !this.#base) {
          sum ??= new RunningSum(this.#options.running, this.#options.crypto);
          if (sum.step()) this.#base = sum.images;
        } else return true;
        return false;
      },
      (error) => {
        if (error || !open) return done(error, NOTHING);
        this.#resume(open, done);
      },
    );
  }

  /** @throws OtaError when this file cannot be taken */
  #stage(file: JobFile, variant: Variant | null): OpenPayload {
    const { slot, boot, crypto, clock, trustedKeys, eraseLength, onNoResume } = this.#options;
    if (!variant) throw new OtaError("file-create", "a kind of file this agent does not know");
    const { base } = variant;
    const { buildId } = boot.running;
    if (base && base !== buildId)
      throw new OtaError("wrong-base", `the delta is from ${base}, this device runs ${buildId}`);
    trustedKeys.require(file);
    try {
      boot.keepWayBack();
    } catch (error) {
      throw asOtaError(error, "no-way-back");
    }
    const sectors = Math.ceil(file.fileSize / this.#sectorLength);
    const count = sectors + journalSectors(sectors, this.#sectorLength);
    const first = this.#sectors - count;
    if (first < 1) noRoom(file.fileSize);
    const view = new PartFlash(slot, first, count, sectors);
    // Its digest is in its header; the signature is looked at here.
    const keys = { require: () => [], verify: () => {} } as unknown as TrustedKeys;
    const stage = new FlashPal({ slot: view, crypto, clock, trustedKeys: keys, eraseLength, onNoResume });
    return new OpenPayload(file, variant, sectors, view, stage);
  }

  /** Looks at what an earlier life left, perhaps in the middle of applying it. */
  #resume(open: OpenPayload, done: (error: OtaError | undefined, received: Received) => void): void {
    const { file, stage, startLength } = open;
    const created = (error?: OtaError) => {
      if (!error) this.#open = open;
      done(error, open.received);
    };
    this.#opening = open;
    const looked = this.#still((error: OtaError | undefined, received: Received) => {
      open.staged = received;
      if (error || !received.has(0, startLength)) return created(error);
      let header: PayloadHeader;
      try {
        header = open.readHeader();
        this.#requireRoom(open, header);
      } catch {
        // It is judged, and refused, when the transfer begins.
        return created();
      }
      this.#createImage(open, header, (problem) => {
        if (problem || !open.collides) return created(problem);
        // Flash lost some of the image for which the payload is gone: all is made anew.
        this.#restart(open, header, created);
      });
    });
    stage.createFile(file, looked);
  }

  /** Opens the image as a file that is made of the payload. */
  #createImage(open: OpenPayload, header: PayloadHeader, done: (error?: OtaError) => void): void {
    const { slot, boot, eraseLength } = this.#options;
    const { file, variant, view } = open;
    const { imageLength, imageDigest } = header;
    const sectors = Math.ceil(imageLength / this.#sectorLength);
    // What is erased ahead must not be what is still to be applied.
    const isApart = sectors <= view.place(1 % open.sectors);
    const journal = new PartFlash(slot, this.#sectors, slot.status().blocks - this.#sectors);
    const image = new FlashPal({
      ...this.#options,
      slot: new PartFlash(slot, 0, sectors),
      journal,
      boot,
      eraseLength: isApart ? eraseLength : this.#sectorLength,
      ...(variant.signed && { trustedKeys: digestKeys(imageDigest) }),
    });
    const { signature } = file;
    // A signature over the payload says nothing of the image until the payload was summed up: the image goes by its digest.
    const own = variant.signed && signature ? { ...signature, bytes: imageDigest } : signature;
    open.making = image;
    const created = this.#still((error: OtaError | undefined, received: Received) => {
      open.header = header;
      open.image = image;
      open.made = received;
      done(error);
    });
    image.createFile({ ...file, fileSize: imageLength, signature: own }, created);
  }

  /** Forgets what was made of the image, to make it anew. */
  #restart(open: OpenPayload, header: PayloadHeader, done: (error?: OtaError) => void): void {
    open.image?.abort(true);
    this.#createImage(open, header, done);
  }

  inspect(file: JobFile, head: Uint8Array): AppDescription | undefined {
    const open = this.#open;
    if (!open) return this.#whole.inspect(file, head);
    const { trustedKeys, crypto } = this.#options;
    const { variant } = open;
    const header = new PayloadHeader(head, file.fileSize);
    const { imageDigest, imageLength, baseLength, baseDigest, isDelta } = header;
    if (isDelta !== !!variant.base) badPayload("the payload is not of the kind the job says");
    this.#requireRoom(open, header);
    // All files of a job are the same image: another one would be as good as unsigned.
    if (!variant.signed)
      for (const other of [file, ...this.#files])
        if (!variantOf(other)?.signed && (other === file || !isSigned(other, file)))
          trustedKeys.verify(crypto, imageDigest, other);
    if (
      isDelta &&
      !this.#base?.some(({ length, digest }) => length === baseLength && equalBytes(digest, baseDigest))
    )
      throw new OtaError("wrong-base", "the delta is from another image than the one that runs");
    return this.#whole.inspect({ ...file, fileSize: imageLength }, header.head);
  }

  /** @throws OtaError "file-too-large" when the image would overwrite what is still to be applied */
  #requireRoom(open: OpenPayload, header: PayloadHeader): void {
    const { offsets, imageLength } = header;
    const sectorLength = this.#sectorLength;
    for (let k = 0; k + 1 < offsets.length; k++) {
      const sector = Math.min(open.sectors - 1, Math.max(1, Math.floor(offsets[k] / sectorLength)));
      if (Math.ceil(open.start(header, k + 1) / sectorLength) > open.view.place(sector)) noRoom(imageLength);
    }
  }

  readBack(offset: number, into: Uint8Array): void {
    (this.#open?.stage ?? this.#whole).readBack(offset, into);
  }

  writeBlock(offset: number, data: Uint8Array): void {
    const open = this.#open;
    if (!open) return this.#whole.writeBlock(offset, data);
    // From here on the slot belongs to the payload: an old verdict about it is none about what is coming.
    if (!open.begun && open.staged.byteLength === 0) {
      const { boot, slot } = this.#options;
      boot.clearOther();
      // No journal of another file may outlive what it vouches for: a whole one's is in the last sector.
      slot.eraseBlock(this.#sectors, slot.status().blocks);
    }
    open.begun = true;
    // What is fetched again has around it what was made of the payload, where that was.
    if (open.made.byteLength > 0) open.stage.eraseSingly();
    open.stage.writeBlock(offset, data);
  }

  closeFile(done: Done, applied?: Applied): void {
    const open = this.#open;
    if (!open) return this.#whole.closeFile(done);
    let header: PayloadHeader;
    try {
      header = open.readHeader();
      this.#requireRoom(open, header);
    } catch (error) {
      return this.#later(() => done(asOtaError(error, "file-close")));
    }
    // What was in the way of the transfer is here now.
    if (!open.image) {
      this.#createImage(open, header, (error) =>
        error ? done(error) : this.#prove(open, header, done, applied),
      );
      return;
    }
    this.#prove(open, header, done, applied);
  }

  #later(action: () => void): void {
    this.#slices.run("file-close", () => true, action);
  }

  /** Sums up the payload, unless it has been applied in part: then that was done, and it is not all there any more. */
  #prove(open: OpenPayload, header: PayloadHeader, done: Done, applied: Applied | undefined): void {
    if (open.made.byteLength > 0) return this.#apply(open, header, done, applied);
    const { crypto, trustedKeys } = this.#options;
    const { file, view, sectorLength, variant, stage } = open;
    const hash = crypto.sha256();
    const buffer = new Uint8Array(sectorLength);
    let at = variant.signed ? 0 : HEADER_LENGTH;
    this.#slices.run(
      "file-close",
      () => {
        const part = buffer.subarray(0, Math.min(sectorLength - (at % sectorLength), file.fileSize - at));
        view.read(part, at);
        hash.update(part);
        at += part.length;
        if (at < file.fileSize) return false;
        const digest = hash.digest();
        if (variant.signed) trustedKeys.verify(crypto, digest, file);
        else if (!equalBytes(digest, header.bodyDigest))
          badPayload("the payload is not what its header says");
        return true;
      },
      (error) => {
        if (!error) return this.#apply(open, header, done, applied);
        // It may be good and the flash not: what its records no longer vouch for is fetched again.
        const looked = this.#still((problem: OtaError | undefined, received: Received) => {
          open.staged = received;
          const isWhole = received.byteLength === file.fileSize;
          done(problem ?? error, problem || isWhole ? undefined : open.received);
        });
        stage.createFile(file, looked);
      },
    );
  }

  #apply(open: OpenPayload, header: PayloadHeader, done: Done, applied: Applied | undefined): void {
    const { sectorLength, made, stage } = open;
    const { imageLength } = header;
    const image = open.image as FlashPal;
    const buffer = new Uint8Array(sectorLength);
    let machine: PayloadDecoder | undefined;
    let k = open.unmade(header);
    let at = open.start(header, k);
    this.#slices.run(
      "bad-payload",
      () => {
        if (at === imageLength) return true;
        machine ??= open.decoder(header, this.#options);
        const end = open.start(header, k + 1);
        if (at === open.start(header, k)) {
          if (made.has(at, end - at)) {
            at = end;
            k++;
            return false;
          }
          beginSegment(machine, header, at);
        }
        const sector = buffer.subarray(0, Math.min(sectorLength, end - at));
        machine.decode(sector);
        if (!made.has(at, sector.length)) {
          // What is made here is worth nothing once the payload has to be fetched anew.
          stage.repeatRecord();
          image.writeBlock(at, sector);
        }
        at += sector.length;
        if (at === end) k++;
        applied?.(at, imageLength);
        return false;
      },
      (error) => {
        if (error) return done(error);
        image.closeFile(
          this.#still((problem: OtaError | undefined, left: Received | undefined) =>
            this.#closed(open, header, done, problem, left, applied),
          ),
        );
      },
      1,
    );
  }

  /** The image was read back. */
  #closed(
    open: OpenPayload,
    header: PayloadHeader,
    done: Done,
    error: OtaError | undefined,
    left: Received | undefined,
    applied: Applied | undefined,
  ): void {
    const { file, stage } = open;
    if (!error) return done(undefined);
    if (!left) {
      // The digest was signed, so that what does not have it was made of another payload.
      const isForged = error.code === "signature-check";
      return done(
        isForged ? new OtaError("bad-payload", "the payload does not make the signed image") : error,
      );
    }
    // A cell that will not hold its bit never ends otherwise.
    if (open.repairs++ >= MAX_REPAIRS) return done(error);
    // Flash lost some of the image: it is made again of what is still there, or fetched again.
    open.made = left;
    const looked = this.#still((problem: OtaError | undefined, received: Received) => {
      open.staged = received;
      if (problem) return done(problem);
      const fetch = (failure?: OtaError) => done(failure ?? error, failure ? undefined : open.received);
      if (open.collides) return this.#restart(open, header, fetch);
      if (open.received.byteLength < file.fileSize) return fetch();
      this.#apply(open, header, done, applied);
    });
    stage.createFile(file, looked);
  }

  /** @returns `action` as long as the file at hand is not given up: afterwards it would get in the way of the next one */
  #still<A, B>(action: (a: A, b: B) => void): (a: A, b?: B) => void {
    const life = this.#life;
    return (a, b) => {
      if (life === this.#life) action(a, b as B);
    };
  }

  abort(discard: boolean): void {
    const open = this.#open ?? this.#opening;
    this.#slices.stop();
    this.#life++;
    this.#open = this.#opening = undefined;
    if (!open) return this.#whole.abort(discard);
    (open.image ?? open.making)?.abort(discard);
    open.stage.abort(discard);
  }

  activate(done: (error?: OtaError) => void): void {
    (this.#open?.image ?? this.#whole).activate(done);
  }

  reset(): void {
    this.#whole.reset();
  }

  setPlatformImageState(state: ImageState): OtaError | undefined {
    return this.#whole.setPlatformImageState(state);
  }

  getPlatformImageState(): PlatformImageState {
    return this.#whole.getPlatformImageState();
  }
}

function noRoom(bytes: number): never {
  throw new OtaError("file-too-large", `${bytes} bytes and the payload do not fit the slot together`);
}

/** Whether two files have the very same signature. */
function isSigned(a: JobFile, b: JobFile): boolean {
  return !!a.signature && !!b.signature && equalBytes(a.signature.bytes, b.signature.bytes);
}

/** Instead of keys: the digest itself, from a payload whose signature was checked. */
function digestKeys(wanted: Uint8Array): TrustedKeys {
  return {
    require: () => [],
    verify: (_: unknown, digest: Uint8Array) => {
      if (!equalBytes(digest, wanted)) throw new OtaError("signature-check", "another digest");
    },
  } as unknown as TrustedKeys;
}
