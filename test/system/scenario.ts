/**
 * One story of a device and its cloud as plain data: who it is, what is deployed, and everything that goes wrong.
 * A shrunk one can be written as JSON and played again.
 * @module
 */
import type { CutMoment } from "../../hosts/emulated/flash-faults.js";
import type { Link } from "../support/virtual-network.js";

/** What the application is told, and what else a fault can be tied to. */
export type Anchor =
  | "boot"
  | "received-job"
  | "image"
  | "progress"
  | "activate"
  | "start-test"
  | "update-complete"
  | "fail"
  | "self-test-failed"
  | "status";

/** A time in milliseconds, or so long after something happened for the `nth` time (0 is the first). */
export type When = { readonly at: number } | { readonly on: Anchor; nth: number; delay: number };

/**
 * "good" … "no-network": signed and for this device, and what it does once it boots. "again": the very image the factory
 * put there. The others must not boot.
 */
export type JobKind =
  | "good"
  | "fail"
  | "crash"
  | "hang"
  | "no-network"
  | "older"
  | "same"
  | "again"
  | "no-version"
  | "low-secure"
  | "wrong-chip"
  | "wrong-project"
  | "unsigned"
  | "other-signature"
  | "tampered"
  | "too-large"
  | "custom";

export const BOOTABLE: ReadonlySet<JobKind> = new Set(["good", "fail", "crash", "hang", "no-network"]);

/** A further file of a job that makes the same image. */
export interface PayloadStory {
  /** A delta from the firmware of that job, -1: from the factory's. Undefined: packed. */
  readonly from?: number;
  /**
   * "spoiled": bits of the data are wrong; "forged": its own digest fits them; "base": made from another image than it says;
   * "image": makes another image.
   */
  readonly fault?: "spoiled" | "forged" | "base" | "image";
  /** The signature is over the payload, as a signing service makes it that sees the file alone. */
  readonly signed: boolean;
}

/** A job whose files are installed together. */
export interface SetStory {
  readonly firmware: boolean;
  /** "host": for firmware there is none of; "old": an older version than any other. */
  readonly assets: "good" | "tampered" | "host" | "old";
  /** "none": there is none; "other": it names another file; "old": with the sequence of an earlier set. */
  readonly statement: "good" | "none" | "other" | "old";
  /** Bytes of the assets. */
  readonly size: number;
}

export interface JobStory {
  readonly at: number;
  readonly kind: JobKind;
  /** Bytes of the image. */
  readonly size: number;
  readonly fileId: number;
  readonly retries: number;
  /** Of the job's in-progress timer; 0: none. */
  readonly timeoutInMinutes: number;
  /** What the application answers when it is offered for the first time. */
  readonly answer: "apply" | "defer" | "refuse";
  /** Further files that are the same image. */
  readonly payloads?: readonly PayloadStory[];
  /** It brings assets, together with the image or alone. */
  readonly set?: SetStory;
  /** It brings an image of the second processor; "fail": one that says it does not work. */
  readonly gear?: GearStory;
  /** Over hawkBit, where jobs wait in a queue: the heaviest comes first. */
  readonly weight?: number;
}

/** An image of the second processor. */
export interface GearStory {
  /** "other": for another processor; "firmware": together with firmware, which has a way back that this has not. */
  readonly quality: "good" | "unsigned" | "tampered" | "other" | "firmware";
  /** Bytes of the image. */
  readonly size: number;
}

/** Part of the flash, seen from the running application: the slot not in use and what is written there; components. */
export type Zone = "any" | "data" | "journal" | "otadata" | "place" | "log";

/** Codes the service refuses a request with. */
export const REFUSALS = Object.freeze([
  ...(["RequestThrottled", "InternalError", "ResourceNotFound", "VersionMismatch"] as const),
  ...(["InvalidStateTransition", "TerminalStateReached", "InvalidRequest", "InvalidJson"] as const),
  ...(["InvalidTopic"] as const),
]);
export type Refusal = (typeof REFUSALS)[number];

/** What an application may do at any time. */
export type AppAct = "suspend" | "abort" | "check" | "restart" | "reject" | "accept";

export type Fault =
  /** The power fails for `off` ms. */
  | { readonly kind: "power"; readonly when: When; readonly off: number }
  /** The power fails at the `nth` page program or erase command in a zone. */
  | {
      readonly kind: "cut";
      readonly zone: Zone;
      readonly nth: number;
      readonly moment: CutMoment;
      readonly tear: number;
      readonly off: number;
    }
  /** `count` commands of a sort, from the `nth` in the zone on, fail or do nothing. */
  | {
      readonly kind: "flash";
      readonly zone: Zone;
      readonly command: "write" | "erase" | "read";
      readonly fate: "fail" | "ignore";
      readonly nth: number;
      readonly count: number;
    }
  /** Bits of the slot not in use flip. `place` is a share of the slot. */
  | { readonly kind: "rot"; readonly when: When; readonly place: number; readonly mask: number }
  /** Cells of a slot stick; `lasting`: for ever, otherwise until all faults end. */
  | {
      readonly kind: "stuck";
      readonly slot: 0 | 1;
      readonly place: number;
      readonly mask: number;
      readonly value: number;
      readonly lasting: boolean;
    }
  /** No message passes; after `silent` ms both ends notice, the connection breaks, and comes back at the end. */
  | { readonly kind: "outage"; readonly when: When; readonly span: number; readonly silent: number }
  | { readonly kind: "refuse"; readonly when: When; readonly span: number }
  | {
      readonly kind: "service";
      readonly when: When;
      readonly span: number;
      readonly operation: "describe" | "update" | "get-stream" | "any";
      readonly what: "drop" | "lose-reply" | "late" | "twice" | Refusal;
    }
  /** Reading or writing the store fails. */
  | {
      readonly kind: "store";
      readonly when: When;
      readonly span: number;
      readonly what: "get" | "set" | "both";
    }
  /** The line to the second processor loses bytes, or nothing comes from there. */
  | { readonly kind: "line"; readonly when: When; readonly span: number; readonly what: "loses" | "dead" }
  /** No SUBSCRIBE is answered, everything else is. */
  | { readonly kind: "mute"; readonly when: When; readonly span: number }
  /** A job of somebody else stands in the queue. */
  | { readonly kind: "foreign"; readonly when: When; readonly span: number }
  /** The device's clock leaps ahead, as after a sleep. */
  | { readonly kind: "leap"; readonly when: When; readonly ms: number }
  | { readonly kind: "cancel"; readonly when: When; readonly job: number; readonly force: boolean }
  | { readonly kind: "delete"; readonly when: When; readonly job: number }
  /** Deleted and made anew under the same name with another image. */
  | { readonly kind: "replace"; readonly when: When; readonly job: number }
  | { readonly kind: "stream-gone"; readonly when: When; readonly job: number }
  /** A byte in each of the next `count` blocks changes on the way. */
  | { readonly kind: "corrupt"; readonly when: When; readonly count: number }
  /** Every message to the device of an earlier time comes again. */
  | { readonly kind: "replay"; readonly when: When }
  /** Somebody with access to the broker sends a made-up message. */
  | { readonly kind: "forge"; readonly when: When; readonly what: "job" | "none" | "garbage" | "block" }
  | {
      readonly kind: "app";
      readonly when: When;
      readonly what: AppAct;
      readonly span: number;
    };

/** How hawkBit is set up, and what is assigned. */
export interface DdiSetup {
  /** "HH:MM:SS" */
  readonly sleep: string;
  /** Several actions at a time; otherwise each cancels those before. */
  readonly queue: boolean;
  readonly confirmation: boolean;
  /** Signatures are artifacts, not metadata. */
  readonly artifactSignature: boolean;
  readonly type: "forced" | "soft";
  /** Milliseconds until a maintenance window begins; 0: there is none. */
  readonly window: number;
}

export interface Scenario {
  /** Decides what the story leaves open, such as which messages get lost. */
  readonly seed: number;
  readonly device: {
    readonly encrypted: boolean;
    /** A data partition that may hold the journal. */
    readonly storage: boolean;
    readonly efuse: boolean;
    readonly eraseLength: number;
    /** Milliseconds from power to a connection. */
    readonly connect: number;
    /** Images come over HTTP, by a connection of their own. */
    readonly http?: boolean;
    /** Takes deltas and packed images. */
    readonly staged?: boolean;
    /** Has assets beside the firmware. */
    readonly components?: boolean;
    /** They are a mod. */
    readonly mod?: boolean;
    /** Has a second processor; `silentGear`: which does not say what it runs. */
    readonly processor?: boolean;
    readonly silentGear?: boolean;
  };
  readonly agent: {
    readonly blockSize: number;
    readonly maxOutstandingBytes: number;
    readonly statusInterval: number;
    readonly noProgressTimeoutMs: number;
    readonly selfTestTimeoutMs: number;
    readonly totalDeadlineMs?: number;
    readonly minRate?: number;
    readonly rateLimit?: number;
    readonly pollMs: number;
  };
  readonly app: {
    /** Without callbacks: everything by default. */
    readonly bare: boolean;
    readonly testMs: number;
    readonly activateMs: number;
    readonly claims: boolean;
  };
  readonly link: Link;
  /** The fleet's service is hawkBit. */
  readonly ddi?: DdiSetup | undefined;
  readonly jobs: readonly JobStory[];
  readonly faults: readonly Fault[];
  /** When every fault ends, and the last job is deployed: a good one. */
  readonly horizon: number;
}

/** Bytes of the last image, which must arrive. */
export const FINAL_SIZE = 20_000;
