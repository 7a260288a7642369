/**
 * The component of a story's device as a mod: linked at each start for the firmware that runs, and run from where it lies.
 * @module
 */
import type { Components } from "../../src/components/components.js";
import { Mods, type PreparedMod } from "../../src/mods/index.js";
import type { Clock, Crypto, Flash } from "../../src/ports.js";
import { StandInEngine } from "../support/mod-engine.js";
import { ASSETS, ASSETS_TYPE, type Assets, type Firmware } from "./images.js";
import type { DeviceParts } from "./parts.js";

/** Native code: a timer that nothing of the application stops but the guard, and a number that a reset leaves alone. */
export interface NativeHelp {
  watch(ms: number): () => void;
  readonly starts: { get(): number; set(count: number): void };
}

/** What a mod needs of the device it is on. */
export interface ModHost {
  readonly parts: DeviceParts;
  readonly device: NativeHelp;
  /** The places, by number, and the record of the links. */
  readonly places: readonly [Flash, Flash];
  readonly links: Flash;
  readonly crypto: Crypto;
  readonly clock: Clock;
}

/** Of one life. */
export class ModPart {
  readonly mods: Mods;
  readonly #host: ModHost;
  readonly #engine: StandInEngine;
  #unwatch: (() => void) | undefined;
  prepared: PreparedMod | undefined;

  constructor(host: ModHost, firmware: Firmware) {
    this.#host = host;
    this.#engine = new StandInEngine(firmware.version);
    const { places, links, crypto, clock, parts, device } = host;
    const { starts } = device;
    this.mods = new Mods({
      ...{ engine: this.#engine, places, links, name: ASSETS, fileType: ASSETS_TYPE, crypto, clock, starts },
      firmware: firmware.version,
      guard: {
        start: (ms) => {
          this.#unwatch?.();
          this.#unwatch = device.watch(ms);
        },
        stop: () => this.#unwatch?.(),
      },
      onNotice: (error) => parts.note(`mod: ${error.message}`),
    });
  }

  /** Links it. @returns the number of the place it runs from, which must not change from now on */
  prepare(components: Components): number | undefined {
    this.prepared = this.mods.prepare(components);
    return this.prepared?.place;
  }

  /** One that keeps restarting the device is left out; one that the flash does not take can not be linked. */
  get excused(): boolean {
    const { problem } = this.mods;
    const { faults } = this.#host.parts.scenario;
    const flash = faults.some((fault) => fault.kind === "flash" && /^(place|log)$/.test(fault.zone));
    return problem !== undefined && (flash || problem.code === "self-test-rejected");
  }

  /** Runs it. @returns which it is; undefined when there is none */
  run(): Assets | undefined {
    const { prepared } = this;
    const { parts, places } = this.#host;
    if (!prepared) return undefined;
    const archive = new Uint8Array(prepared.byteLength);
    places[prepared.place].read(archive, prepared.offset);
    try {
      const program = JSON.stringify(this.#engine.run(archive));
      const found = parts.assets.find(
        (made) => made.version === prepared.version && made.program === program,
      );
      if (!found) parts.judge.fail(`mod ${prepared.version} is none that was made`);
      return found;
    } catch (error) {
      parts.judge.fail(`mod ${prepared.version} can not run: ${(error as Error).message}`);
      return undefined;
    }
  }
}
