/**
 * One story of a device and its cloud as plain data: who it is, what is deployed, and everything that goes wrong.
 * Made from a seed; a shrunk one can be written as JSON and played again.
 * @module
 */
import type { CutMoment } from "../../hosts/emulated/flash-faults.js";
import type { Link } from "../support/virtual-network.js";
import { Dice } from "./dice.js";

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

const BLOCK_SIZES = Object.freeze([256, 1008, 1024, 2048, 4096, 4096, 4096, 8192, 16384, 65536]);
const SIZES = Object.freeze([
  2_000, 9_000, 12_288, 16_400, 20_000, 28_000, 32_768, 40_000, 56_000, 61_440, 65_000,
]);
const ODD_KINDS: readonly JobKind[] = Object.freeze([
  ...(["fail", "crash", "hang", "no-network", "older", "same", "again", "no-version", "low-secure"] as const),
  ...([
    "wrong-chip",
    "wrong-project",
    "unsigned",
    "other-signature",
    "tampered",
    "too-large",
    "custom",
  ] as const),
]);
const ANCHORS: readonly Anchor[] = Object.freeze([
  ...(["boot", "received-job", "image", "progress", "progress", "progress", "activate"] as const),
  ...(["start-test", "update-complete", "fail", "self-test-failed", "status"] as const),
]);
const MOMENTS: readonly CutMoment[] = Object.freeze([
  "before",
  "prefix",
  "bits",
  "all-pages",
  "weak",
  "after",
]);
/** Bytes of the last image, which must arrive. */
export const FINAL_SIZE = 20_000;
/** Time for the last fault's effects before all of them end, milliseconds. */
const AFTERMATH = 60_000;

export function scenarioOf(seed: number): Scenario {
  const dice = new Dice(seed);
  const jobs: JobStory[] = [];
  let at = 0;
  for (let count = dice.pick([1, 1, 2, 2, 3]); count > 0; count--) {
    jobs.push(jobStory(dice, at));
    at += dice.chance(0.3) ? dice.int(0, 3_000) : dice.int(5_000, 120_000);
  }
  const end = Math.max(...jobs.map((job) => job.at)) + 30_000;
  const agent = agentOptions(dice);
  const faults: Fault[] = [];
  // From a quiet life to a miserable one.
  for (let count = dice.pick([0, 1, 1, 2, 2, 3, 4, 6, 9]); count > 0; count--)
    faults.push(fault(dice, end, jobs.length));
  return {
    seed,
    device: {
      encrypted: dice.chance(0.3),
      storage: dice.chance(0.5),
      efuse: dice.chance(0.2),
      eraseLength: dice.pick([4096, 65_536, 65_536]),
      connect: dice.int(10, 3_000),
    },
    agent,
    app: {
      // By default an image is accepted as soon as it can: not one that dies a little later.
      bare: dice.chance(0.1) && !jobs.some(({ kind }) => kind === "crash" || kind === "hang"),
      // One of twelve takes its time, longer than most agents wait.
      testMs: dice.pick([0, 0, 0, 200, 200, 200, 200, 200, 5_000, 5_000, 5_000, 40_000]),
      activateMs: dice.pick([0, 0, 1, 2_000]),
      claims: dice.chance(0.6),
    },
    link: link(dice, agent.blockSize),
    ddi: ddiSetup(seed),
    jobs,
    faults,
    horizon: end + AFTERMATH,
  };
}

/** By dice of its own: what a seed says otherwise is the same for either service. */
function ddiSetup(seed: number): DdiSetup | undefined {
  const dice = new Dice(seed ^ 0x0dd1_0000);
  if (!dice.chance(0.25)) return undefined;
  return {
    sleep: dice.pick(["00:00:30", "00:00:30", "00:05:00"]),
    queue: dice.chance(0.5),
    confirmation: dice.chance(0.3),
    artifactSignature: dice.chance(0.4),
    type: dice.chance(0.3) ? "soft" : "forced",
    window: dice.chance(0.3) ? dice.int(1, 120_000) : 0,
  };
}

function jobStory(dice: Dice, at: number): JobStory {
  const kind = dice.chance(0.6) ? "good" : dice.pick(ODD_KINDS);
  return {
    at: at + dice.int(0, 4_000),
    kind,
    size: dice.pick(SIZES),
    fileId: dice.chance(0.7) ? 0 : dice.int(1, 255),
    retries: dice.chance(0.2) ? dice.int(1, 2) : 0,
    timeoutInMinutes: dice.chance(0.1) ? dice.int(1, 2) : 0,
    answer: dice.chance(0.9) ? "apply" : dice.pick(["defer", "refuse"] as const),
  };
}

function agentOptions(dice: Dice): Scenario["agent"] {
  const options = {
    blockSize: dice.pick(BLOCK_SIZES),
    maxOutstandingBytes: dice.pick([256, 4096, 32_768, 262_144]),
    statusInterval: dice.pick([1, 8, 64]),
    noProgressTimeoutMs: dice.pick([20_000, 60_000, 300_000]),
    selfTestTimeoutMs: dice.pick([15_000, 30_000, 90_000]),
    totalDeadlineMs: dice.chance(0.1) ? dice.int(5_000, 120_000) : undefined,
    minRate: dice.chance(0.1) ? dice.int(10, 3_000) : undefined,
    rateLimit: dice.chance(0.1) ? dice.int(2_000, 50_000) : undefined,
    pollMs: dice.pick([10_000, 60_000, 3_600_000]),
  };
  const { totalDeadlineMs, rateLimit } = options;
  // Nobody limits the rate and asks for more than that: the last image has twice the time it takes.
  if (totalDeadlineMs && rateLimit)
    options.totalDeadlineMs = Math.max(totalDeadlineMs, Math.ceil((2_000 * FINAL_SIZE) / rateLimit));
  return options;
}

function link(dice: Dice, blockSize: number): Link {
  const wild = dice.chance(0.5);
  return {
    rtt: dice.pick([2, 20, 80, 300, 900]),
    jitter: wild ? dice.int(0, 200) : 0,
    // A block takes a few seconds at most: whoever knows the link is slow chooses smaller ones.
    bandwidth: dice.pick([2_000, 8_000, 30_000, 200_000, 0].filter((rate) => !rate || blockSize <= rate * 4)),
    loss: wild ? dice.pick([0, 0.01, 0.05, 0.2]) : 0,
    duplicate: wild ? dice.pick([0, 0.05]) : 0,
    reorder: wild ? dice.pick([0, 0.05, 0.3]) : 0,
    reorderMs: 300,
  };
}

function when(dice: Dice, end: number): When {
  if (dice.chance(0.4)) return { at: dice.int(0, end) };
  const on = dice.pick(ANCHORS);
  const nth = on === "progress" ? dice.int(0, 60) : dice.int(0, 2);
  return { on, nth, delay: dice.chance(0.3) ? 0 : dice.scaled(3_000) };
}

function fault(dice: Dice, end: number, jobs: number): Fault {
  const off = dice.pick([0, 10, 500, 20_000]);
  const job = dice.int(0, jobs - 1);
  const moment = when(dice, end);
  const span = dice.scaled(60_000);
  // What takes effect only when something is asked has to last for a while.
  const long = Math.round(Math.sqrt(span * 60_000));
  const zone = dice.pick(["any", "data", "journal", "otadata"] as const);
  const [kind] = dice.pick(KINDS);
  switch (kind) {
    case "power":
      return { kind, when: moment, off };
    case "cut": {
      const nth = zone === "any" || zone === "data" ? dice.scaled(600) : dice.scaled(30);
      return { kind, zone, nth, moment: dice.pick(MOMENTS), tear: dice.int(0, 999), off };
    }
    case "flash":
      return flashFault(dice);
    case "rot":
      return { kind, when: moment, place: dice.number(), mask: 1 << dice.int(0, 7) };
    case "stuck":
      return {
        ...{ kind, slot: dice.int(0, 1) as 0 | 1, place: dice.number() * 0.6 },
        ...{ mask: 1 << dice.int(0, 7), value: dice.pick([0, 255]), lasting: dice.chance(0.3) },
      };
    case "outage":
      return { kind, when: moment, span, silent: dice.chance(0.5) ? 0 : dice.int(0, Math.min(span, 20_000)) };
    case "refuse":
      return { kind, when: moment, span };
    case "service":
      return {
        ...{ kind, when: moment, span: long },
        operation: dice.pick(["describe", "update", "update", "get-stream", "any"] as const),
        what: dice.chance(0.5)
          ? dice.pick(["drop", "lose-reply", "late", "twice"] as const)
          : dice.pick(REFUSALS),
      };
    case "store":
      return { kind, when: moment, span: long, what: dice.pick(["get", "set", "both"] as const) };
    case "mute":
      return { kind, when: moment, span: long };
    case "foreign":
      return { kind, when: moment, span };
    case "leap":
      return { kind, when: moment, ms: dice.scaled(7_200_000) };
    case "cancel":
      return { kind, when: moment, job, force: dice.chance(0.7) };
    case "delete":
    case "replace":
    case "stream-gone":
      return { kind, when: moment, job };
    case "corrupt":
      return { kind, when: moment, count: dice.int(1, 5) };
    case "replay":
      return { kind, when: moment };
    case "forge":
      return { kind, when: moment, what: dice.pick(["job", "none", "garbage", "block"] as const) };
    case "app":
      return {
        ...{ kind, when: moment, span },
        what: dice.pick(["suspend", "suspend", "abort", "check", "restart", "reject", "accept"] as const),
      };
  }
}

/** The kinds of faults; those that have found more stand there more often. */
const KINDS: readonly (readonly [Fault["kind"]])[] = Object.freeze(
  [
    ...(["power", "power", "cut", "cut", "cut", "flash", "rot", "stuck", "outage", "outage"] as const),
    ...([
      "refuse",
      "service",
      "service",
      "service",
      "service",
      "service",
      "store",
      "cancel",
      "delete",
      "replace",
      "stream-gone",
    ] as const),
    ...(["corrupt", "replay", "forge", "app", "app", "store", "mute", "foreign", "leap"] as const),
  ].map((kind) => Object.freeze([kind] as const)),
);

function flashFault(dice: Dice): Fault {
  const count = dice.pick([1, 1, 3, 40]);
  // A lie about otadata cannot be noticed by anybody: there only failures are reported.
  if (dice.chance(0.2)) {
    const command = dice.pick(["write", "erase"] as const);
    return { kind: "flash", zone: "otadata", command, fate: "fail", nth: dice.scaled(6), count: 1 };
  }
  const zone = dice.pick(["data", "data", "journal"] as const);
  const command = dice.pick(["write", "erase", "read"] as const);
  const fate = command === "read" ? "fail" : dice.pick(["fail", "ignore"] as const);
  return { kind: "flash", zone, command, fate, nth: dice.scaled(zone === "data" ? 300 : 20), count };
}
