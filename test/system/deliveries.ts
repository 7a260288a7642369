/**
 * What a fleet's service is to a story, whichever it is, and what all of them deliver.
 * @module
 */
import { buildStatement } from "../../hosts/formats/component-builder.js";
import type { Execution } from "../../service/job-records.js";
import { ASSETS, type Assets, type Firmware, type Foundry, type Gear, PROJECT } from "./images.js";
import { FINAL_SIZE, type GearStory, type JobStory, type Scenario, type SetStory } from "./scenario.js";

export const FINAL_VERSION = "90.0.0";
/** Sequences of good sets begin above this, the one of old ones. */
export const OLD_SEQUENCE = 1;
/** What the second processor runs at first, and a last image of it. */
const FACTORY_GEAR: GearStory = Object.freeze({ quality: "good", size: 4_000 });
const FINAL: JobStory = Object.freeze({
  ...({ at: 0, kind: "good", size: FINAL_SIZE, fileId: 0 } as const),
  ...({ retries: 0, timeoutInMinutes: 0, answer: "apply" } as const),
});

export interface Deployment {
  readonly story: JobStory;
  readonly jobId: string;
  readonly firmware: Firmware | undefined;
  readonly assets: Assets | undefined;
  readonly gear: Gear | undefined;
  /** The operator, or a timer of the service, ended it. */
  withdrawn: boolean;
}

/** What the fleet's service and its operator are to a story, whichever service it is. */
export interface FleetService {
  /** In the order created; one replaced stands there twice. */
  readonly deployments: readonly Deployment[];
  /** Everything made, the factory's first. */
  readonly firmware: readonly Firmware[];
  readonly assets: readonly Assets[];
  readonly gears: readonly Gear[];
  /** Told of what is to be installed together. */
  onSet: (firmware: Firmware, assets: Assets) => void;
  /** Told when the status of a job has changed. */
  onExecution: (execution: Execution) => void;
  /** Blocks still to be corrupted. */
  corrupt: number;
  /** Jobs whose end the service has refused for its words. */
  readonly refusedWords: ReadonlySet<string>;
  /** Executions that can still change, none of them the operator's to end. */
  readonly unfinished: readonly Execution[];
  /** A message for the service. */
  handle(topic: string, payload: Uint8Array): void;
  /** Deploys the job of that number in the story. */
  deploy(index: number): void;
  /** @param gear for the second processor; otherwise firmware with all that belongs to it */
  deployFinal(gear?: boolean): Deployment;
  /** The latest deployment under a job id. */
  deployment(jobId: string): Deployment | undefined;
  /** Its latest execution. */
  execution(jobId: string): Execution | undefined;
  /** Whether this may be the word of a job that was replaced under the same name a moment ago. */
  isStale(execution: Execution): boolean;
  cancel(index: number, force: boolean): void;
  delete(index: number): void;
  replace(index: number): void;
  dropStream(index: number): void;
  foreign(span: number): void;
  /** What nobody will ever answer is taken back. */
  cleanUp(): void;
  replay(): void;
  forge(what: "job" | "none" | "garbage" | "block"): void;
}

/** The last job of a story, which must arrive: with all the device can take. */
export function finalOf({ device: { staged, components } }: Scenario, gear = false): JobStory {
  if (gear) return { ...FINAL, gear: FACTORY_GEAR };
  const payloads = staged ? [{ from: -1, signed: false }, { signed: false }] : undefined;
  const set: SetStory = { firmware: true, assets: "good", statement: "good", size: FINAL_SIZE / 2 };
  return components ? { ...FINAL, set } : { ...FINAL, payloads };
}

/** What a delta is from: the firmware of a job of the story, or of the factory. */
export function basisOf(
  { firmware, deployments }: Pick<FleetService, "firmware" | "deployments">,
  { jobs }: Scenario,
  from: number,
): Firmware | undefined {
  if (from < 0) return firmware[0];
  return deployments.find(({ story }) => story === jobs[from])?.firmware;
}

/** That files belong together. @param parts.other what a wrong one names in place of the assets */
export function statementOf(
  foundry: Foundry,
  parts: {
    readonly set: SetStory;
    readonly sequence: number;
    readonly firmware: Firmware | undefined;
    readonly assets: Assets;
    readonly other: Firmware;
  },
): Uint8Array {
  const { set, sequence, firmware, assets, other } = parts;
  const named = set.statement === "other" ? other.bytes : assets.bytes;
  const entries = [{ name: ASSETS, version: assets.version, digest: foundry.digest(named) }];
  if (firmware) {
    const { version, bytes } = firmware;
    entries.push({ name: "firmware", version, digest: foundry.digest(bytes) });
  }
  return buildStatement({ sequence, projectName: PROJECT, entries });
}

/** What the factory put there. */
export function factoryGear(foundry: Foundry): Gear {
  return foundry.gear("1.0.0", FACTORY_GEAR);
}

/** Firmware of a story, unless it brings something else alone. */
export function bringsFirmware({ set, gear }: JobStory): boolean {
  return (!set || set.firmware) && (!gear || gear.quality === "firmware");
}
