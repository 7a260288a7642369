/**
 * The components of a product beside its firmware: web assets, certificates, models. Each has two data partitions, its
 * places; an update goes into the one not in use. The record log says which place is current, and one record switches all
 * components of a job together. With firmware in the job the boot partition is that switch: the record names the build it
 * belongs to, so that ESP-IDF's commit and rollback are the components' as well.
 * @module
 */
import { equalBytes, toHex } from "../bytes.js";
import type { JobFile } from "../control/job-document.js";
import { variantOf } from "../control/variant.js";
import { asOtaError, OtaError, type OtaErrorCode } from "../errors.js";
import type { AppDescription, Flash } from "../ports.js";
import { FlashPal } from "../slot/flash-pal.js";
import { digestOf } from "../slot/journal.js";
import type { Applied, FileSet, ImageState, OtaPal, PlatformImageState, Received } from "../slot/pal.js";
import { compareVersions } from "../slot/version.js";
import { PlannedFiles } from "./file-set.js";
import { COMPONENT_HEADER_LENGTH, type ComponentHeader, parseComponentHeader } from "./header.js";
import { requireHost } from "./host-range.js";
import type { ComponentDefinition, ComponentsOptions, ComponentUse, OpenComponent } from "./options.js";
import { RecordLog } from "./record-log.js";
import {
  BAD,
  type ComponentRecord,
  decodeRecords,
  EMPTY,
  encodeRecords,
  ID_LENGTH,
  MAX_COMPONENTS,
  NAME_LENGTH,
  NO_PLACE,
  newRecords,
  type Records,
  VERIFIED,
} from "./records.js";
import { FIRMWARE_NAME, requireMember, type Statement } from "./statement.js";
import { Paper } from "./statement-file.js";

/** A component's file on its way into a place. */
class Work {
  readonly definition: ComponentDefinition;
  readonly record: ComponentRecord;
  readonly place: number;
  readonly pal: FlashPal;
  readonly id: Uint8Array;
  readonly file: JobFile;
  /** Something was written for it, in this life. */
  begun = false;

  constructor(
    definition: ComponentDefinition,
    record: ComponentRecord,
    place: number,
    pal: FlashPal,
    id: Uint8Array,
    file: JobFile,
  ) {
    this.definition = definition;
    this.record = record;
    this.place = place;
    this.pal = pal;
    this.id = id;
    this.file = file;
  }
}

function refuse(code: OtaErrorCode, why: string): never {
  throw new OtaError(code, why);
}

export class Components implements OtaPal {
  readonly #options: ComponentsOptions;
  readonly #log: RecordLog;
  #records: Records;
  /** The candidates on trial are what `open` opens. */
  #inEffect = false;
  /** Files of the job at hand, each once it has been created. */
  #works: Work[] = [];
  /** Firmware is among them. */
  #firmware: JobFile | undefined;
  /** The firmware that is coming, once its head was accepted. */
  #coming: AppDescription | undefined;
  /** The file at hand is this component's, or the statement, or firmware. */
  #work: Work | undefined;
  #paper: Paper | undefined;
  /** What the job's files have to be, once its statement was verified. */
  #statement: Statement | undefined;
  /** Types of the job's files. */
  #types: readonly number[] = [];

  /**
   * Finds out which places are current. A trial without firmware uses up one of its attempts here: whatever happens to
   * this life afterwards, it is counted.
   * @throws TypeError, RangeError for definitions that cannot be used; OtaError "file-create" without room for the log
   */
  constructor(options: ComponentsOptions) {
    this.#options = options;
    const { components, crypto } = options;
    const { statementType = 255 } = options;
    const types = [0, statementType];
    const names: string[] = [];
    if (components.length > MAX_COMPONENTS) throw new RangeError(`more than ${MAX_COMPONENTS} components`);
    for (const { name, fileType, places, refetchable } of components) {
      if (!/^[\w-]+$/.test(name) || name.length > NAME_LENGTH || names.includes(name))
        throw new RangeError(`component "${name}": not a name of its own, 1 to ${NAME_LENGTH} characters`);
      if (!(fileType > 0 && fileType <= 255) || types.includes(fileType))
        throw new RangeError(`component "${name}": not a file type of its own, 1 to 254`);
      if (places.length !== 2 && !(places.length === 1 && refetchable))
        throw new RangeError(`component "${name}": two places, or one and refetchable`);
      types.push(fileType);
      names.push(name);
    }
    this.#log = new RecordLog(options.log, crypto);
    const found = this.#log.open();
    this.#records = found ? decodeRecords(found, names) : newRecords(names);
    if (this.#records.trial) this.#resumeTrial();
  }

  /**
   * The place in use of a component.
   * @returns undefined when there is none yet
   * @throws RangeError for a name that is not defined; OtaError "bad-image" when the place does not hold a component
   */
  open(name: string): OpenComponent | undefined {
    const definition = this.#options.components.find((component) => component.name === name);
    if (!definition) throw new RangeError(`no component "${name}"`);
    const place = this.#placeOf(this.#recordOf(name));
    if (place === NO_PLACE) return undefined;
    const flash = definition.places[place];
    const header = this.#headerIn(flash);
    const { byteLength } = header;
    return {
      header,
      byteLength,
      read(offset, into) {
        if (!(offset >= 0 && offset + into.length <= byteLength))
          throw new RangeError(`bytes ${offset}+${into.length} of ${byteLength}`);
        flash.read(into, COMPONENT_HEADER_LENGTH + offset);
      },
    };
  }

  /** Where a component is that is in use; undefined when there is none yet. */
  use(name: string): ComponentUse | undefined {
    const record = this.#recordOf(name);
    const place = this.#placeOf(record);
    if (place === NO_PLACE) return undefined;
    const onTrial = this.#inEffect && record.state === VERIFIED;
    return { place, onTrial, withFirmware: onTrial && this.#records.firmware !== "" };
  }

  /**
   * Makes the place not in use free for a copy of what is current.
   * @returns false when what lies there is on trial, or there is no such place
   * @throws OtaError "flash-write"
   */
  vacate(name: string): boolean {
    const record = this.#recordOf(name);
    if (this.#definitionOf(record).places.length < 2) return false;
    if (record.state !== VERIFIED) return true;
    if (this.#records.trial) return false;
    record.state = EMPTY;
    this.#write();
    return true;
  }

  /**
   * Follows a component that was moved to its other place, unless the firmware may still go back to the one that needs it
   * where it was.
   * @throws OtaError "flash-write"
   */
  settle(name: string): void {
    const record = this.#recordOf(name);
    const place = this.#definitionOf(record).moved?.();
    if (place === undefined || place === record.current || record.state === VERIFIED) return;
    const state = this.#options.boot.imageState();
    if (state === "pending-verify" || state === "new") return;
    record.candidate = record.current;
    record.candidateId = record.currentId;
    record.current = place;
    record.state = EMPTY;
    this.#write();
  }

  // OtaPal

  get running(): AppDescription | undefined {
    return this.#options.firmware.running;
  }

  get rollbackEnabled(): boolean {
    return this.#options.firmware.rollbackEnabled;
  }

  get rolledBack(): boolean {
    return this.#options.firmware.rolledBack || this.#records.components.some(({ state }) => state === BAD);
  }

  get resetReason(): string | undefined {
    return this.#options.firmware.resetReason;
  }

  get notices(): readonly string[] | undefined {
    return this.#options.firmware.notices;
  }

  get ordered(): boolean | undefined {
    return this.#options.firmware.ordered;
  }

  secure(): void {
    this.#options.firmware.secure?.();
  }

  rank(files: readonly JobFile[]): readonly JobFile[] {
    const { firmware } = this.#options;
    // What a delta is of, and the packed image, mean nothing to firmware that knows none.
    return firmware.rank ? firmware.rank(files) : files.filter((file) => variantOf(file) === undefined);
  }

  /** Firmware where it is among the files; otherwise one name for what is in use of the components they are for. */
  describe(files: readonly Pick<JobFile, "fileType">[]): AppDescription {
    const running = this.#options.firmware.running as AppDescription;
    const records = this.#recordsFor(files);
    if (!records.length) return running;
    const [first] = records;
    const place = this.#placeOf(first);
    const { places } = this.#definitionOf(first);
    let version = "none";
    try {
      if (place !== NO_PLACE) version = this.#headerIn(places[place]).version;
    } catch (error) {
      // What is on trial is not to be taken for something else; what is in use must be replaceable all the same.
      if (this.#records.trial) throw error;
      version = "unreadable";
    }
    return this.#named(
      version,
      records.map((record) => this.#idOf(record)),
    );
  }

  get coming(): AppDescription | undefined {
    const works = this.#works;
    if (this.#firmware || !works.length) return this.#coming;
    const records = this.#recordsFor(works.map(({ file }) => file));
    const [first] = records;
    const { version } = this.#headerIn(this.#definitionOf(first).places[first.candidate]);
    return this.#named(
      version,
      records.map((record) => record.candidateId),
    );
  }

  get headLength(): number {
    return this.#options.firmware.headLength;
  }

  /** Looks at all files of a job, before any of them is created. The statement comes first, then firmware. */
  plan(files: readonly JobFile[]): FileSet | OtaError | undefined {
    if (!files.some((file) => file.fileType)) return undefined;
    try {
      const ordered = this.#order(files);
      // Components come back without the boot loader's help.
      return new PlannedFiles(ordered, ordered.every((file) => file.fileType) || this.rollbackEnabled);
    } catch (error) {
      return asOtaError(error, "file-create");
    }
  }

  /** @throws OtaError "file-create", "signature-missing" when the files cannot be installed together */
  #order(files: readonly JobFile[]): readonly JobFile[] {
    const { components, allowLooseSets, statementType = 255 } = this.#options;
    this.abort(false);
    const types: number[] = [];
    for (const file of files) {
      const { fileType } = file;
      if (types.includes(fileType)) refuse("file-create", `two files of type ${fileType}`);
      if (!fileType && !this.rank([file]).length)
        refuse("file-create", "the firmware is not for this device");
      const definition = components.find((component) => component.fileType === fileType);
      if (!definition && fileType && fileType !== statementType)
        refuse("file-create", `no place for file type ${fileType}`);
      if (definition && definition.places.length === 1 && files.length > 1)
        refuse("file-create", `${definition.name} has one place, and no way back together with other files`);
      types.push(fileType);
    }
    if (files.length > 1 && !types.includes(statementType) && !allowLooseSets)
      refuse("signature-missing", "several files without a statement that they belong together");
    this.#types = types;
    const rank = ({ fileType }: JobFile) => (fileType === statementType ? -1 : fileType);
    return [...files].sort((a, b) => rank(a) - rank(b));
  }

  createFile(file: JobFile, done: (error: OtaError | undefined, received: Received) => void): void {
    const { firmware, crypto, clock, trustedKeys, statementType = 255 } = this.#options;
    this.#work = this.#paper = undefined;
    if (!file.fileType) {
      this.#firmware = file;
      firmware.createFile(file, done);
    } else if (file.fileType === statementType) {
      this.#paper = new Paper(file, crypto, clock, trustedKeys);
      this.#paper.create(done);
    } else {
      if (!this.#types.includes(file.fileType)) refuse("file-create", "a file that is not one of the set");
      this.#work = this.#workOf(file);
      this.#work.pal.createFile(file, done);
    }
  }

  inspect(file: JobFile, head: Uint8Array): AppDescription | undefined {
    const { firmware } = this.#options;
    if (!file.fileType) {
      const app = firmware.inspect(file, head);
      this.#coming = app;
      const { running } = firmware;
      // The record tells by the build whether the switch has taken place.
      if (this.#types.length && app?.buildId === running?.buildId)
        refuse("same-version", `firmware ${app?.version} runs already: a set is to be made without it`);
      for (const { name, fileType, places } of this.#options.components) {
        const { current } = this.#recordOf(name);
        if (app && current !== NO_PLACE && !this.#types.includes(fileType))
          requireHost(this.#headerIn(places[current]), app.version);
      }
      return app;
    }
    if (this.#paper) return undefined;
    const work = this.#workOf(file);
    const header = parseComponentHeader(head, file.fileSize);
    this.#judge(work, header);
    work.definition.judge?.(head, file.fileSize, this.#coming !== undefined);
    return this.#named(header.version, [work.id]);
  }

  readBack(offset: number, into: Uint8Array): void {
    if (this.#paper) into.set(this.#paper.bytes.subarray(offset, offset + into.length));
    else this.#pal.readBack(offset, into);
  }

  writeBlock(offset: number, data: Uint8Array): void {
    const work = this.#work;
    if (this.#paper) return this.#paper.bytes.set(data, offset);
    if (work && !work.begun) {
      work.definition.lost?.(work.place);
      work.begun = true;
    }
    if (work && work.record.state !== EMPTY) {
      // What lies there is about to be lost.
      work.record.state = EMPTY;
      this.#write();
    }
    if (work && work.record.current === work.place) {
      work.record.current = NO_PLACE;
      this.#write();
    }
    this.#pal.writeBlock(offset, data);
  }

  closeFile(done: (error: OtaError | undefined, left?: Received) => void, applied?: Applied): void {
    const work = this.#work;
    const { firmware } = this.#options;
    if (this.#paper) this.#paper.close((error, statement) => done(error ?? this.#believe(statement)));
    else if (work) this.#prove(work, done);
    else
      firmware.closeFile((error, left) => {
        done(error ?? this.#member(FIRMWARE_NAME, firmware.digest), left);
      }, applied);
  }

  abort(discard: boolean): void {
    this.#pal.abort(discard);
    this.#paper?.stop();
    this.#works = [];
    this.#types = [];
    this.#firmware = this.#coming = this.#work = this.#paper = this.#statement = undefined;
  }

  activate(done: (error?: OtaError) => void): void {
    const { firmware, attempts = 1, live = false, boot } = this.#options;
    const works = this.#works;
    const next = (n: number): void => {
      // Time has passed since the proof: what takes effect must be what was verified.
      if (n < works.length) {
        this.#prove(works[n], (error) => (error ? done(error) : next(n + 1)));
        return;
      }
      const records = this.#records;
      // What an earlier job left verified, or given up, is not part of this one.
      let stale = false;
      for (const record of records.components)
        if (!works.some((work) => work.record === record) && record.state !== EMPTY) {
          record.state = EMPTY;
          stale = true;
        }
      if (works.length === 0) {
        const error = stale ? this.#attempt() : undefined;
        if (error) return done(error);
        this.#leave();
        return firmware.activate(done);
      }
      records.trial = true;
      records.nextSequence = this.#statement?.sequence ?? records.sequence;
      records.firmware = this.#firmware ? (this.#coming as AppDescription).buildId : "";
      const now = live && !this.#firmware && !works.some(({ definition }) => definition.restart);
      records.attempts = now ? attempts - 1 : attempts;
      const error = this.#attempt();
      if (error) {
        this.#withdraw();
        return done(error);
      }
      if (!now) this.#leave();
      if (this.#firmware)
        firmware.activate((problem) => {
          if (problem) this.#withdraw();
          done(problem);
        });
      else {
        this.#inEffect = now;
        if (!now) boot.restart();
        done();
      }
    };
    next(0);
  }

  reset(): void {
    this.#leave();
    this.#options.firmware.reset();
  }

  /** What is told to have failed must not be tried at the next start, where its record was written after all. */
  #withdraw(): void {
    this.#records.trial = false;
    // The other sector of the log may take what one did not.
    if (this.#attempt()) this.#attempt();
  }

  #leave(): void {
    for (const definition of this.#options.components) definition.leaving?.();
  }

  setPlatformImageState(state: ImageState): void {
    const { firmware } = this.#options;
    const own = this.#inEffect && state !== "testing";
    if (own && state !== "accepted") this.#giveUp();
    firmware.setPlatformImageState(state);
    const withFirmware = this.#records.firmware;
    const error = own && state === "accepted" ? this.#commit() : undefined;
    if (!error || withFirmware)
      for (const definition of state === "testing" ? [] : this.#options.components) definition.settled?.();
    if (!error) {
      if (state === "accepted") this.#follow();
      return;
    }
    // With firmware the boot loader's record says the same, and the next start makes up for this one.
    if (!withFirmware) throw new OtaError("commit-failed", error.message);
    this.#options.onNotice?.(error);
  }

  /** A copy that was made for firmware that stays is what is current: the next firmware on trial must leave it alone. */
  #follow(): void {
    for (const { name } of this.#options.components)
      try {
        this.settle(name);
      } catch (error) {
        // The next start does it.
        this.#options.onNotice?.(asOtaError(error, "flash-write"));
      }
  }

  getPlatformImageState(): PlatformImageState {
    if (this.#inEffect && !this.#records.firmware) return "pending-commit";
    return this.#options.firmware.getPlatformImageState();
  }

  // Trial

  #resumeTrial(): void {
    const { boot } = this.#options;
    const records = this.#records;
    if (!records.firmware) {
      if (records.attempts === 0) return this.#giveUp();
      records.attempts--;
      // Not counted, not tried.
      this.#inEffect = !this.#attempt();
    } else if (records.firmware === boot.running.buildId) {
      this.#inEffect = true;
      // Accepted in an earlier life; only the record is missing.
      if (boot.imageState() === "valid") this.#commit();
    } else {
      const other = boot.otherState();
      // Otherwise the power went before the switch: the files lie there for another attempt.
      if (other === "aborted" || other === "invalid") this.#giveUp();
      else records.trial = false;
    }
  }

  /** The candidates become what is current. @returns what went wrong: with firmware they stay in effect all the same */
  #commit(): OtaError | undefined {
    const records = this.#records;
    const { firmware, sequence } = records;
    const candidates = records.components.filter(({ state }) => state === VERIFIED);
    this.#swap(candidates, EMPTY);
    records.trial = this.#inEffect = false;
    records.firmware = "";
    records.sequence = records.nextSequence;
    // The other sector of the log may take what one did not.
    const error = this.#attempt() && this.#attempt();
    if (!error || firmware) return error;
    // On trial still, so that they can be given up: what could not be written may be read the next time.
    this.#swap(candidates, VERIFIED);
    records.trial = this.#inEffect = true;
    records.sequence = sequence;
    return error;
  }

  #swap(candidates: readonly ComponentRecord[], state: number): void {
    for (const record of candidates) {
      const { current, currentId } = record;
      record.current = record.candidate;
      record.currentId = record.candidateId;
      record.candidate = current;
      record.candidateId = currentId;
      record.state = state;
    }
  }

  #giveUp(): void {
    for (const record of this.#records.components) if (record.state === VERIFIED) record.state = BAD;
    this.#records.trial = this.#inEffect = false;
    const error = this.#attempt();
    if (error) this.#options.onNotice?.(error);
  }

  // Files

  get #pal(): OtaPal {
    return this.#work ? this.#work.pal : this.#options.firmware;
  }

  /** Records of the components `files` are for, in the order the product names them. */
  #recordsFor(files: readonly Pick<JobFile, "fileType">[]): readonly ComponentRecord[] {
    if (files.some((file) => !file.fileType)) return [];
    const { components } = this.#options;
    const named = components.filter(({ fileType }) => files.some((file) => file.fileType === fileType));
    return named.map(({ name }) => this.#recordOf(name));
  }

  #definitionOf(record: ComponentRecord): ComponentDefinition {
    return this.#options.components.find(({ name }) => name === record.name) as ComponentDefinition;
  }

  /** Identity of what is in use. */
  #idOf(record: ComponentRecord): Uint8Array {
    const { candidate, candidateId, currentId } = record;
    return this.#placeOf(record) === candidate && record.state === VERIFIED ? candidateId : currentId;
  }

  /** Components by one name: the version of the first, and a digest of what all of them are. */
  #named(version: string, ids: readonly Uint8Array[]): AppDescription {
    const { chipId, projectName } = this.#options.firmware.running as AppDescription;
    const hash = this.#options.crypto.sha256();
    for (const id of ids) hash.update(id);
    return { chipId, projectName, version, secureVersion: 0, buildId: toHex(hash.digest().subarray(0, 4)) };
  }

  #recordOf(name: string): ComponentRecord {
    return this.#records.components.find((record) => record.name === name) as ComponentRecord;
  }

  #placeOf(record: ComponentRecord): number {
    return this.#inEffect && record.state === VERIFIED ? record.candidate : record.current;
  }

  /** @throws OtaError "file-create" when the file has no place to go to */
  #workOf(file: JobFile): Work {
    const { components, crypto, clock, trustedKeys, journal, onNotice } = this.#options;
    const known = this.#works.find((work) => work.file === file || work.file.fileType === file.fileType);
    const definition = components.find(({ fileType }) => fileType === file.fileType);
    if (!definition) refuse("file-create", `no place for file type ${file.fileType}`);
    const { signature, fileSize } = file;
    const size = Uint8Array.of(fileSize, fileSize >> 8, fileSize >> 16, fileSize >> 24);
    const id = digestOf(crypto, size, signature?.bytes).subarray(0, ID_LENGTH);
    if (known && toHex(known.id) === toHex(id)) return known;
    if (known) this.#works.splice(this.#works.indexOf(known), 1);
    const record = this.#recordOf(definition.name);
    this.settle(definition.name);
    const place = definition.places.length > 1 && record.current === 0 ? 1 : 0;
    if (definition.inUse?.() === place)
      refuse("no-way-back", `${definition.name} is in use where the file would go`);
    const pal = new FlashPal({
      slot: definition.places[place],
      crypto,
      clock,
      trustedKeys,
      journal,
      onNoResume: (reason) => onNotice?.(new OtaError("file-create", reason)),
    });
    const work = new Work(definition, record, place, pal, id, file);
    this.#works.push(work);
    return work;
  }

  #headerIn(flash: Flash): ComponentHeader & { byteLength: number } {
    const head = new Uint8Array(COMPONENT_HEADER_LENGTH);
    flash.read(head, 0);
    const byteLength = new DataView(head.buffer).getUint32(8, true);
    if (byteLength > flash.status().size - COMPONENT_HEADER_LENGTH)
      refuse("bad-image", "the place holds no component");
    return { ...parseComponentHeader(head, byteLength + COMPONENT_HEADER_LENGTH), byteLength };
  }

  /** @throws OtaError when the component must not be installed */
  #judge(work: Work, header: ComponentHeader): void {
    const { firmware, allowDowngrade } = this.#options;
    const { projectName, version } = firmware.running as AppDescription;
    const { definition, record } = work;
    if (header.name !== definition.name)
      refuse("wrong-project", `the file is component ${header.name}, not ${definition.name}`);
    if (header.projectName !== projectName)
      refuse("wrong-project", `the component is for ${header.projectName}, this device is ${projectName}`);
    requireHost(header, this.#coming?.version ?? version);
    // The very file that is in use may come along in a set.
    if (allowDowngrade || record.current === NO_PLACE || equalBytes(work.id, record.currentId)) return;
    const present = this.#headerIn(definition.places[record.current]).version;
    const order = compareVersions(header.version, present);
    if (order > 0) return;
    const code = order === 0 ? "same-version" : order < 0 ? "downgrade" : "bad-version";
    refuse(code, `the component has version ${header.version}, this device ${present}`);
  }

  /** Reads the file back, verifies it, judges it as it was signed, and records it. */
  #prove(work: Work, done: (error: OtaError | undefined, left?: Received) => void): void {
    const { record, place, id, definition } = work;
    work.pal.closeFile((error, left) => {
      if (error) return done(error, left);
      let failure: OtaError | undefined;
      try {
        this.#judge(work, this.#headerIn(definition.places[place]));
        if (definition.judge) {
          const head = new Uint8Array(this.headLength);
          definition.places[place].read(head, 0);
          definition.judge(head, work.file.fileSize, this.#coming !== undefined);
        }
        const stranger = this.#member(definition.name, work.pal.digest);
        if (stranger) throw stranger;
        definition.verified?.(place, work.pal.digest as Uint8Array, work.file.fileSize);
        if (record.state !== VERIFIED) {
          record.candidate = place;
          record.candidateId = id;
          record.state = VERIFIED;
          this.#write();
        }
      } catch (cause) {
        failure = cause instanceof OtaError ? cause : new OtaError("file-close", (cause as Error).message);
      }
      done(failure);
    });
  }

  /** @returns why the statement is not to be followed */
  #believe(statement: Statement | undefined): OtaError | undefined {
    const { components, firmware, statementType = 255 } = this.#options;
    const { projectName } = firmware.running as AppDescription;
    try {
      const { entries, sequence, projectName: project } = statement as Statement;
      if (project !== projectName) refuse("wrong-project", `the set is for ${project}`);
      if (sequence < this.#records.sequence)
        refuse("downgrade", `the set has sequence ${sequence}, this device ${this.#records.sequence}`);
      const named = entries.map(({ name }) =>
        name === FIRMWARE_NAME ? 0 : components.find((component) => component.name === name)?.fileType,
      );
      for (const type of this.#types)
        if (type !== statementType && !named.includes(type))
          refuse("signature-check", `the set's statement does not name a file of type ${type}`);
      if (named.length !== this.#types.length - 1)
        refuse("signature-check", "the set's statement names files the job does not have");
    } catch (error) {
      return asOtaError(error, "file-close");
    }
    this.#statement = statement;
    return undefined;
  }

  /** @returns why the file is not one of the set, if there is a set */
  #member(name: string, digest: Uint8Array | undefined): OtaError | undefined {
    try {
      if (this.#statement) requireMember(this.#statement, name, digest);
    } catch (error) {
      return asOtaError(error, "file-close");
    }
    return undefined;
  }

  #write(): void {
    this.#log.write(encodeRecords(this.#records));
  }

  #attempt(): OtaError | undefined {
    try {
      this.#write();
    } catch (error) {
      return asOtaError(error, "flash-write");
    }
    return undefined;
  }
}
