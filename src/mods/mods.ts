/**
 * The mod of a product as one of its components. Where it lies, whether it is on trial and what becomes of a set is the
 * components' business; this links what is in use for the host that runs, and starts nothing that is not, to the last
 * byte, what was signed.
 *
 * Rules
 * - A file that nobody has linked yet is linked where it lies. Each sector goes into a scratch first, so that a power cut
 *   in the middle of it loses nothing.
 * - One that is linked for another host is that host's: it is copied to the other place and linked there. The firmware
 *   before may come back and finds its mod as it was.
 * - Linked or not, it is verified at every start: its digest with all ids taken as 0, and every id against the engine's.
 * @module
 */
import { equalBytes } from "../bytes.js";
import { parseComponentHeader } from "../components/header.js";
import { requireHost } from "../components/host-range.js";
import type { ComponentDefinition, ComponentUse } from "../components/options.js";
import { RecordLog } from "../components/record-log.js";
import { asOtaError, OtaError, type OtaErrorCode } from "../errors.js";
import type { Flash, Timer } from "../ports.js";
import { ArchiveWalk, PART } from "./archive.js";
import { ARCHIVE_AT, type ModHeader, parseModHeader } from "./header.js";
import {
  BUILT,
  COPYING,
  DIGEST_LENGTH,
  decodeLinks,
  EMPTY,
  encodeLinks,
  LINKED,
  LINKING,
  type Links,
  NONE,
  newLinks,
  type PlaceRecord,
  SCRATCH_ID_LENGTH,
} from "./links.js";
import type { ModComponents, ModsOptions, PreparedMod } from "./options.js";

const GUARD_MS = 300_000;
const WELL_MS = 300_000;
const MAX_STARTS = 3;
/** Sector of the scratch: behind the log's two. */
const SCRATCH = 2;
/** Bytes programmed as one unit under flash encryption. */
const WRITE_ALIGN = 16;

function refuse(code: OtaErrorCode, why: string): never {
  throw new OtaError(code, why);
}

export class Mods {
  /** For `Components`: the mod as one of them. */
  readonly definition: ComponentDefinition;
  readonly #options: ModsOptions;
  readonly #name: string;
  readonly #log: RecordLog;
  readonly #links: Links;
  /** Place of the mod that was prepared in this life. */
  #used: number | undefined;
  /** Names were added to the machine: what is prepared from now on would have other ids than it was linked with. */
  #named = false;
  /** Where a copy of it was linked, since its own place is another host's. */
  #moved: number | undefined;
  #problem: OtaError | undefined;
  #timer: Timer | undefined;

  /** @throws RangeError for partitions that cannot be used; OtaError "file-create" without room for the log */
  constructor(options: ModsOptions) {
    const { places, links, name = "mod", fileType, crypto, engine } = options;
    this.#options = options;
    this.#name = name;
    if (links.status().blocks <= SCRATCH) throw new RangeError("the links of a mod need three sectors");
    for (const place of [...places, links])
      if (place.status().blockLength !== PART) throw new RangeError(`sectors of ${PART} bytes are needed`);
    this.#log = new RecordLog(links, crypto);
    const found = this.#log.open();
    this.#links = found ? decodeLinks(found) : newLinks();
    this.definition = {
      name,
      fileType,
      places,
      restart: true,
      judge: (head, fileSize, withFirmware) => {
        const header = parseModHeader(head, fileSize);
        // What comes with firmware is for that: its first start decides.
        if (!withFirmware) this.#requireEngine(header, engine.keyRoom);
      },
      verified: (place, digest, fileSize) => this.#verified(place, digest, fileSize),
      lost: (place) => this.#lost(place),
      inUse: () => this.#used,
      moved: () => this.#moved,
      settled: () => {
        options.guard?.stop();
        options.starts?.set(0);
      },
      leaving: () => options.starts?.set(0),
    };
  }

  /** Why there is a mod that is not started; undefined when there is none, or it is. */
  get problem(): OtaError | undefined {
    return this.#problem;
  }

  /**
   * Links and verifies the mod in use. To be called once in a life, before other code adds names to the machine. One on
   * trial that cannot be used is given up; if firmware came with it, or its names have taken ids already, the device restarts and goes
   * back to what was in use.
   * @returns undefined when there is none to be started: see `problem`
   */
  prepare(components: ModComponents): PreparedMod | undefined {
    const { guard, guardMs = GUARD_MS } = this.#options;
    for (;;) {
      const use = components.use(this.#name);
      if (!use) return undefined;
      try {
        this.#count(use);
        if (use.onTrial) guard?.start(guardMs);
        const prepared = this.#prepare(use, components);
        this.#used = prepared.place;
        components.settle(this.#name);
        return prepared;
      } catch (cause) {
        this.#tell(cause);
        if (!use.onTrial) return undefined;
        components.setPlatformImageState("rejected");
        if (use.withFirmware || this.#named) {
          components.reset();
          return undefined;
        }
        guard?.stop();
      }
    }
  }

  /**
   * To be called when the mod that was prepared could not be started, such as one whose main module throws. One on trial is
   * given up, and the device restarts: what has begun cannot be taken back.
   */
  fail(cause: unknown, components: ModComponents): void {
    this.#tell(cause);
    if (!components.use(this.#name)?.onTrial) return;
    components.setPlatformImageState("rejected");
    components.reset();
  }

  #tell(cause: unknown): void {
    const error = asOtaError(cause, "bad-image");
    this.#problem = error;
    this.#options.onNotice?.(error);
  }

  // Starts

  /** @throws OtaError "self-test-rejected" when an accepted mod is not to be started any more */
  #count({ onTrial }: ComponentUse): void {
    const { starts, maxStarts = MAX_STARTS, wellMs = WELL_MS, clock } = this.#options;
    if (!starts) return;
    const count = onTrial ? 0 : starts.get();
    if (count >= maxStarts) refuse("self-test-rejected", `the mod did not last in ${count} starts`);
    starts.set(onTrial ? 0 : count + 1);
    this.#timer ??= clock.set(() => starts.set(0), wellMs);
  }

  // Linking

  #prepare({ place, onTrial }: ComponentUse, components: ModComponents): PreparedMod {
    const { engine, firmware, places } = this.#options;
    const record = this.#links.places[place];
    if (record.state === EMPTY || record.state === COPYING)
      refuse("bad-image", "nothing is known of what lies in the mod's place");
    const { fileSize } = record;
    const head = new Uint8Array(ARCHIVE_AT);
    this.#restore(place);
    places[place].read(head, 0);
    const header = parseComponentHeader(head, fileSize);
    requireHost(header, firmware);
    const modHeader = parseModHeader(head, fileSize);
    this.#requireEngine(modHeader, engine.keyRoom);
    const used =
      record.state === LINKED && !equalBytes(record.host, engine.host)
        ? this.#elsewhere(place, modHeader, components)
        : this.#inPlace(place, modHeader);
    return {
      place: used,
      version: header.version,
      offset: ARCHIVE_AT,
      byteLength: fileSize - ARCHIVE_AT,
      onTrial,
    };
  }

  /** @throws OtaError "bad-version" for another engine or host, "bad-image" without room for its names */
  #requireEngine({ xs, host, newNames }: ModHeader, room: number): void {
    const { engine } = this.#options;
    // The linker compares no more; a patch version does not change what archives are.
    if (xs[0] !== engine.xs[0] || xs[1] !== engine.xs[1])
      refuse("bad-version", `the mod is for XS ${xs.join(".")}, this firmware has ${engine.xs.join(".")}`);
    if (host && !equalBytes(host, engine.host))
      refuse("bad-version", "the mod is for another build of the host");
    if (newNames > room) refuse("bad-image", `the mod adds ${newNames} names, there is room for ${room}`);
  }

  #walk(place: number): ArchiveWalk {
    const flash = this.#options.places[place];
    return new ArchiveWalk((offset, into) => flash.read(into, offset), this.#links.places[place].fileSize);
  }

  /**
   * Verifies the file as it was built, and asks the engine for the ids of its names.
   * @returns these, and whether the file has them
   * @throws OtaError when it is not what was verified, or cannot be linked
   */
  #examine(place: number, header: ModHeader): { ids: Uint16Array; linked: boolean } {
    const { crypto, engine } = this.#options;
    const walk = this.#walk(place);
    const hash = crypto.sha256();
    const found = walk.walk(engine, undefined, (_, bytes) => hash.update(bytes));
    if (!equalBytes(hash.digest(), this.#links.places[place].digest))
      refuse("signature-check", "the mod is not the file that was verified");
    if (found.xs[0] !== header.xs[0] || found.xs[1] !== header.xs[1])
      refuse("bad-image", "the archive is for another version of XS than its header says");
    let added = 0;
    walk.names((name, index) => {
      if (index && !engine.has(name)) added++;
    });
    if (added > engine.keyRoom)
      refuse("bad-image", `the mod adds ${added} names, there is room for ${engine.keyRoom}`);
    if (added > 0) this.#named = true;
    const ids = new Uint16Array(found.ids.length);
    let linked = found.consistent;
    walk.names((name, index) => {
      // The first one stands for no name.
      ids[index] = index ? engine.id(name) : 0;
      if (ids[index] !== found.ids[index]) linked = false;
    });
    return { ids, linked };
  }

  /** Links a file where it lies, unless it is. */
  #inPlace(place: number, header: ModHeader): number {
    const record = this.#links.places[place];
    const { ids, linked } = this.#examine(place, header);
    if (!linked) {
      record.host = this.#options.engine.host.slice();
      // What is in the scratch is of an earlier time, or was put back.
      this.#links.scratchPlace = NONE;
      this.#note(record, LINKING);
      this.#walk(place).walk(this.#options.engine, ids, (offset, bytes) => {
        const present = new Uint8Array(bytes.length);
        this.#options.places[place].read(present, offset);
        if (!equalBytes(present, bytes)) this.#replace(place, offset / PART, bytes);
      });
      if (!this.#examine(place, header).linked)
        refuse("flash-write", "the mod is not linked as it was to be");
    }
    if (record.state !== LINKED) {
      record.host = this.#options.engine.host.slice();
      this.#links.scratchPlace = NONE;
      this.#note(record, LINKED);
    }
    return place;
  }

  /** Links a copy for this host in the other place. @returns that */
  #elsewhere(place: number, header: ModHeader, components: ModComponents): number {
    const { engine, places } = this.#options;
    const other = 1 - place;
    const source = this.#links.places[place];
    const copy = this.#links.places[other];
    const known =
      copy.state === LINKED && equalBytes(copy.digest, source.digest) && equalBytes(copy.host, engine.host);
    if (!components.vacate(this.#name))
      refuse("bad-image-state", "the mod is linked for another host, and its other place is needed");
    if (known) {
      try {
        if (this.#examine(other, header).linked) return this.#move(other);
      } catch (error) {
        this.#options.onNotice?.(asOtaError(error, "bad-image"));
      }
    }
    if (source.fileSize > places[other].status().size)
      refuse("file-too-large", "no room for a copy of the mod");
    const { ids } = this.#examine(place, header);
    copy.fileSize = source.fileSize;
    copy.digest = source.digest;
    copy.host = engine.host.slice();
    this.#note(copy, COPYING);
    this.#walk(place).walk(engine, ids, (offset, bytes) => this.#put(places[other], offset / PART, bytes));
    if (!this.#examine(other, header).linked)
      refuse("flash-write", "the copy of the mod is not what it was to be");
    this.#note(copy, LINKED);
    return this.#move(other);
  }

  #move(place: number): number {
    this.#moved = place;
    return place;
  }

  /** Replaces a sector so that a power cut loses nothing of it. */
  #replace(place: number, sector: number, bytes: Uint8Array): void {
    const { links, places } = this.#options;
    this.#put(links, SCRATCH, bytes);
    this.#links.scratchPlace = place;
    this.#links.scratchSector = sector;
    this.#links.scratchId = this.#idOf(bytes);
    this.#write();
    this.#put(places[place], sector, bytes);
  }

  /** A sector that was being replaced when the power went is replaced again. */
  #restore(place: number): void {
    const { links, places } = this.#options;
    const { scratchPlace, scratchSector, scratchId } = this.#links;
    const record = this.#links.places[place];
    if (record.state !== LINKING || scratchPlace !== place) return;
    const rest = record.fileSize - scratchSector * PART;
    if (rest <= 0) return;
    const bytes = new Uint8Array(rest < PART ? rest : PART);
    links.read(bytes, SCRATCH * PART);
    // The scratch may have been on its way to the next sector: then this one was done.
    if (equalBytes(this.#idOf(bytes), scratchId)) this.#put(places[place], scratchSector, bytes);
  }

  #put(flash: Flash, sector: number, bytes: Uint8Array): void {
    const { length } = bytes;
    const padded = (length + WRITE_ALIGN - 1) & -WRITE_ALIGN;
    let whole = bytes;
    if (padded !== length) {
      whole = new Uint8Array(padded).fill(0xff);
      whole.set(bytes);
    }
    const back = new Uint8Array(length);
    try {
      flash.eraseBlock(sector, sector + 1);
      flash.write(whole, sector * PART);
      flash.read(back, sector * PART);
    } catch (error) {
      refuse("flash-write", `mod: ${(error as Error).message}`);
    }
    if (!equalBytes(back, bytes)) refuse("flash-write", "mod: the flash does not hold what was written");
  }

  #idOf(bytes: Uint8Array): Uint8Array {
    const hash = this.#options.crypto.sha256();
    hash.update(bytes);
    return hash.digest().subarray(0, SCRATCH_ID_LENGTH);
  }

  // Records

  #verified(place: number, digest: Uint8Array, fileSize: number): void {
    const record = this.#links.places[place];
    if (record.state === BUILT && equalBytes(record.digest, digest)) return;
    record.digest = digest.slice(0, DIGEST_LENGTH);
    record.fileSize = fileSize;
    this.#note(record, BUILT);
  }

  #lost(place: number): void {
    const record = this.#links.places[place];
    if (record.state !== EMPTY) this.#note(record, EMPTY);
  }

  #note(record: PlaceRecord, state: number): void {
    record.state = state;
    this.#write();
  }

  #write(): void {
    this.#log.write(encodeLinks(this.#links));
  }
}
