/**
 * A product of firmware and two components on an emulated chip, with a boot side that keeps to ESP-IDF's rules for two
 * slots: a new image is pending until it is marked valid, and is given up by a restart before that. Runs on Node and XS.
 * @module
 */
import { FlashPartition } from "../../hosts/emulated/flash-partition.js";
import { MemoryStorage, NorFlash, SECTOR_SIZE } from "../../hosts/emulated/nor-flash.js";
import { buildComponent, buildStatement } from "../../hosts/formats/component-builder.js";
import { buildImage } from "../../hosts/formats/image-builder.js";
import { Components } from "../../src/components/index.js";
import type { ComponentDefinition, ComponentsOptions } from "../../src/components/options.js";
import type { JobFile } from "../../src/control/job-document.js";
import { OtaError } from "../../src/errors.js";
import type { AppDescription, BootControl, BootImageState } from "../../src/ports.js";
import { parseHead } from "../../src/slot/esp-image.js";
import { FlashPal } from "../../src/slot/flash-pal.js";
import type { Received } from "../../src/slot/pal.js";
import { fileOf } from "./pal-rig.js";
import { newSha256, sha256 } from "./sha256.js";
import { TEST_KEYS, testCrypto } from "./test-crypto.js";
import { VirtualClock } from "./virtual-clock.js";

const PLACE = 4;
const SLOT = 6;
/** Of a rig without more than firmware and its two components. */
export const SECTORS = 2 + 4 * PLACE + SLOT;
export const ASSETS = 10;
export const CERTS = 11;
export const MOD = 12;
export const STATEMENT = 255;

export function firmwareImage(version: string): Uint8Array {
  return buildImage({ version, projectName: "rig", size: SECTOR_SIZE + 1200 }, newSha256);
}

export function componentFile(
  name: string,
  version: string,
  changes: { minFirmware?: string; maxFirmware?: string; projectName?: string; size?: number } = {},
): Uint8Array {
  const { minFirmware = "", maxFirmware = "", projectName = "rig", size = SECTOR_SIZE + 300 } = changes;
  const content = new Uint8Array(size).map((_, at) => at ^ version.charCodeAt(0) ^ (at >> 8));
  return buildComponent({ name, projectName, version, minFirmware, maxFirmware }, content);
}

/** Files of a job, by type. */
export type Files = ReadonlyMap<number, Uint8Array>;

/** `files` with a statement of them. */
export function withStatement(files: Files, sequence = 1, changes: { projectName?: string } = {}): Files {
  const names = new Map([
    [0, "firmware"],
    [ASSETS, "assets"],
    [CERTS, "certs"],
    [MOD, "mod"],
  ]);
  const entries = [...files].map(([type, bytes]) => ({
    name: names.get(type) as string,
    version: "any",
    digest: sha256(bytes),
  }));
  const { projectName = "rig" } = changes;
  return new Map([...files, [STATEMENT, buildStatement({ sequence, projectName, entries })]]);
}

/** ESP-IDF's boot side of two slots, as far as components see it. What survives a restart is here. */
class ModelBoot implements BootControl {
  running: AppDescription;
  rollbackEnabled = true;
  #state: BootImageState = "valid";
  #other: BootImageState = "undefined";
  #before: AppDescription | undefined;
  #next: AppDescription | undefined;
  readonly #rig: ComponentRig;

  constructor(rig: ComponentRig, version: string) {
    this.#rig = rig;
    this.running = parseHead(firmwareImage(version), SECTOR_SIZE + 1200);
  }

  /** The chip starts. */
  start(): void {
    if (this.#state === "pending-verify" && this.#before) {
      this.running = this.#before;
      this.#state = "valid";
      this.#other = "aborted";
    } else if (this.#next) {
      this.#before = this.running;
      this.running = this.#next;
      this.#state = "pending-verify";
      this.#other = "valid";
    }
    this.#next = undefined;
  }

  imageState(): BootImageState {
    return this.#state;
  }
  otherState(): BootImageState {
    return this.#other;
  }
  keepWayBack(): void {}
  clearOther(): void {
    this.#other = "undefined";
  }
  setBoot(): void {
    const head = new Uint8Array(288);
    this.#rig.slot.read(head, 0);
    this.#next = parseHead(head, SECTOR_SIZE + 1200);
  }
  markValid(): void {
    if (!this.#rig.chip.powered) throw new Error("no power");
    this.#state = "valid";
  }
  markInvalid(): void {
    this.#state = "pending-verify";
  }
  restart(): void {
    this.#rig.restarts++;
  }
}

/** What a product says beside the rig's own, anew at each start where it has to be. */
export type RigOptions = Partial<ComponentsOptions> | ((rig: ComponentRig) => Partial<ComponentsOptions>);

export class ComponentRig {
  readonly clock = new VirtualClock();
  readonly storage: MemoryStorage;
  readonly chip: NorFlash;
  readonly slot: FlashPartition;
  readonly boot: ModelBoot;
  readonly notices: string[] = [];
  restarts = 0;
  /** Called when all files are there. */
  onActivate: () => void = () => {};
  components!: Components;
  readonly #log: FlashPartition;
  readonly #places: FlashPartition[];
  readonly #options: RigOptions;

  /** @param more sectors behind those of the components */
  constructor(options: RigOptions = {}, encrypted = false, more = 0) {
    this.storage = new MemoryStorage((SECTORS + more) * SECTOR_SIZE);
    this.chip = new NorFlash(this.storage);
    this.#log = this.partition(0, 2);
    this.#places = [0, 1, 2, 3].map((n) => this.partition(2 + n * PLACE, PLACE, encrypted));
    this.slot = this.partition(2 + 4 * PLACE, SLOT, encrypted);
    this.boot = new ModelBoot(this, "1.0.0");
    this.#options = options;
    this.start();
  }

  partition(first: number, count: number, encrypted = false): FlashPartition {
    const range = { offset: first * SECTOR_SIZE, size: count * SECTOR_SIZE };
    return new FlashPartition(this.chip, { ...range, encrypted });
  }

  get definitions(): readonly ComponentDefinition[] {
    const [assets0, assets1, certs0, certs1] = this.#places;
    return [
      { name: "assets", fileType: ASSETS, places: [assets0, assets1] },
      { name: "certs", fileType: CERTS, places: [certs0, certs1] },
    ];
  }

  /** The chip starts: boot loader, then the product. */
  start(): Components {
    this.chip.restorePower();
    this.clock.halt();
    this.boot.start();
    const { boot, clock } = this;
    const shared = { crypto: testCrypto, clock, trustedKeys: TEST_KEYS };
    this.components = new Components({
      ...shared,
      firmware: new FlashPal({ ...shared, slot: this.slot, boot }),
      boot,
      log: this.#log,
      components: this.definitions,
      onNotice: (error) => this.notices.push(error.message),
      ...(typeof this.#options === "function" ? this.#options(this) : this.#options),
    });
    return this.components;
  }

  /** What is in use: versions of the firmware and of the components, "-" for none. */
  get versions(): string {
    const version = (name: string) => this.components.open(name)?.header.version ?? "-";
    return `${this.boot.running.version} ${version("assets")} ${version("certs")}`;
  }

  /**
   * A job: all files judged, then written, proven, and made effective.
   * @returns the code it ended with, undefined when it went well
   */
  install(files: Files, changes: (file: JobFile) => Partial<JobFile> = () => ({})): string | undefined {
    const { components } = this;
    const jobFiles = [...files].map(([fileType, bytes]) => {
      const file = fileOf(bytes, { fileType });
      return { ...file, ...changes(file) };
    });
    try {
      const plan = components.plan(jobFiles);
      if (plan instanceof OtaError) throw plan;
      const order = plan?.files ?? jobFiles;
      for (const file of order) {
        this.#wait<Received>((done) => components.createFile(file, done));
        components.inspect(file, (files.get(file.fileType) as Uint8Array).subarray(0, 288));
      }
      for (const file of order) {
        const bytes = files.get(file.fileType) as Uint8Array;
        const received = this.#wait<Received>((done) => components.createFile(file, done));
        for (let at = 0; at < bytes.length; at += 1024) {
          const block = bytes.subarray(at, at + 1024);
          if (!received.has(at, block.length)) components.writeBlock(at, block);
        }
        this.#wait((done) => components.closeFile(done));
      }
      this.onActivate();
      this.#wait((done) => components.activate(done), true);
    } catch (error) {
      return (error as OtaError).code ?? (error as Error).message;
    }
    return undefined;
  }

  /** @param silent `done` may not be called when all is well */
  #wait<Result>(action: (done: (error?: OtaError, result?: Result) => void) => void, silent = false): Result {
    let ended = silent;
    let failure: OtaError | undefined;
    let value: Result | undefined;
    action((error, result) => {
      ended = true;
      failure = error;
      value = result;
    });
    this.clock.run(1000);
    if (!ended) throw new Error("did not call back");
    if (failure) throw failure;
    return value as Result;
  }
}
