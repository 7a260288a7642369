/**
 * A product with firmware, components and a mod on an emulated chip. At each start it prepares the mod and runs it; a
 * write into the place of a mod that runs ends the test, as the chip would crash. Runs on Node and XS.
 * @module
 */
import type { FlashPartition } from "../../hosts/emulated/flash-partition.js";
import { SECTOR_SIZE } from "../../hosts/emulated/nor-flash.js";
import type { ComponentsOptions } from "../../src/components/options.js";
import { type ModEngine, Mods, type ModsOptions, type PreparedMod } from "../../src/mods/index.js";
import type { Flash } from "../../src/ports.js";
import { ComponentRig, MOD, SECTORS } from "./component-rig.js";
import { type Program, StandInEngine } from "./mod-engine.js";
import { testCrypto } from "./test-crypto.js";

const LINKS = 3;

/** A machine of a host, which runs what it is given. */
export interface RigEngine extends ModEngine {
  run(archive: Uint8Array): Program;
}

/** A partition whose sectors must not change while a mod runs from it: on the chip its byte code would change. */
class Guarded implements Flash {
  readonly #flash: Flash;
  readonly #told: (what: string) => void;
  running = false;

  constructor(flash: Flash, told: (what: string) => void) {
    this.#flash = flash;
    this.#told = told;
  }

  eraseBlock(start: number, end?: number): void {
    if (this.running) this.#told("erased under a running mod");
    this.#flash.eraseBlock(start, end);
  }
  write(buffer: Uint8Array, offset: number): void {
    if (this.running) this.#told("written under a running mod");
    this.#flash.write(buffer, offset);
  }
  read(buffer: Uint8Array, offset: number): void {
    this.#flash.read(buffer, offset);
  }
  status(): { size: number; blocks: number; blockLength: number } {
    return this.#flash.status();
  }
  close(): void {}
}

export interface ModRigOptions {
  encrypted?: boolean;
  components?: Partial<ComponentsOptions>;
  mods?: Partial<ModsOptions>;
  /** Names the machine of a build has room for. */
  room?: number;
  /** XS version of a build of the firmware. */
  xs?: (firmware: string) => readonly [number, number, number];
  /** A machine of a build of the firmware. Default: the stand-in. */
  engine?: (firmware: string) => RigEngine;
  /** Sectors of each place. Default: 4. */
  placeSectors?: number;
}

/** The guard in native code, as far as a test has to know. */
class Guard {
  on = false;
  start(): void {
    this.on = true;
  }
  stop(): void {
    this.on = false;
  }
}

export class ModRig {
  readonly rig: ComponentRig;
  /** Survives restarts, not the power. */
  starts = 0;
  engine!: RigEngine;
  mods!: Mods;
  readonly guard = new Guard();
  prepared: PreparedMod | undefined;
  /** What the mod's byte code says. */
  running: Program | undefined;
  /** What must never happen, and did. */
  violation: string | undefined;
  #guards!: [Guarded, Guarded];
  readonly #options: ModRigOptions;
  readonly #placeSectors: number;

  constructor(options: ModRigOptions = {}) {
    this.#options = options;
    this.#placeSectors = options.placeSectors ?? 4;
    const more = 2 * this.#placeSectors + LINKS;
    this.rig = new ComponentRig((rig) => this.#product(rig), options.encrypted, more);
    this.#run();
  }

  /** The chip starts: boot loader, product, mod. */
  start(): void {
    this.running = this.prepared = undefined;
    this.guard.on = false;
    if (!this.rig.chip.powered) this.starts = 0;
    this.rig.start();
    this.#run();
  }

  /** What is in use: versions of firmware, assets, and of the mod that runs, "-" for none. */
  get versions(): string {
    const { versions } = this.rig;
    return `${versions.slice(0, versions.lastIndexOf(" "))} ${this.prepared?.version ?? "-"}`;
  }

  get places(): readonly FlashPartition[] {
    return [0, 1].map((n) => this.#place(this.rig, n));
  }

  /** Where the first place begins on flash, and the record of the links. */
  get offsets(): { readonly place: number; readonly links: number } {
    return { place: SECTORS * SECTOR_SIZE, links: (SECTORS + 2 * this.#placeSectors) * SECTOR_SIZE };
  }

  get links(): FlashPartition {
    return this.#links(this.rig);
  }

  accept(): void {
    const { components, notices } = this.rig;
    if (components.getPlatformImageState() !== "pending-commit")
      throw new Error(`nothing is on trial: ${notices.at(-1)}`);
    components.setPlatformImageState("accepted");
  }

  #place(rig: ComponentRig, n: number): FlashPartition {
    const sectors = this.#placeSectors;
    return rig.partition(SECTORS + n * sectors, sectors, this.#options.encrypted);
  }

  #links(rig: ComponentRig): FlashPartition {
    return rig.partition(SECTORS + 2 * this.#placeSectors, LINKS);
  }

  #product(rig: ComponentRig): Partial<ComponentsOptions> {
    const { version } = rig.boot.running;
    const { room, xs, mods, components, engine } = this.#options;
    this.engine = engine?.(version) ?? new StandInEngine(version, room, xs?.(version));
    const told = (what: string) => {
      this.violation = what;
    };
    this.#guards = [new Guarded(this.#place(rig, 0), told), new Guarded(this.#place(rig, 1), told)];
    this.mods = new Mods({
      engine: this.engine,
      places: this.#guards,
      links: this.#links(rig),
      fileType: MOD,
      firmware: version,
      crypto: testCrypto,
      clock: rig.clock,
      guard: this.guard,
      starts: {
        get: () => this.starts,
        set: (count) => {
          this.starts = count;
        },
      },
      onNotice: (error) => rig.notices.push(error.message),
      ...mods,
    });
    return { components: [...rig.definitions, this.mods.definition], ...components };
  }

  /** Components exist: the mod is linked, and run from where it lies. */
  #run(): void {
    this.prepared = this.mods.prepare(this.rig.components);
    if (!this.prepared) return;
    const { place, offset, byteLength } = this.prepared;
    const archive = new Uint8Array(byteLength);
    this.places[place]?.read(archive, offset);
    this.running = this.engine.run(archive);
    (this.#guards[place] as Guarded).running = true;
  }
}
