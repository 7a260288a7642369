/**
 * Makes a story from a seed.
 * @module
 */
import { CUT_MOMENTS } from "../../hosts/emulated/flash-faults.js";
import type { Link } from "../support/virtual-network.js";
import { Dice } from "./dice.js";
import {
  type Anchor,
  type DdiSetup,
  type Fault,
  FINAL_SIZE,
  type JobKind,
  type JobStory,
  REFUSALS,
  type Scenario,
  type When,
} from "./scenario.js";

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

export function when(dice: Dice, end: number): When {
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
      return { kind, zone, nth, moment: dice.pick(CUT_MOMENTS), tear: dice.int(0, 999), off };
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
    case "line":
      return { kind, when: moment, span: long, what: dice.pick(["loses", "dead"] as const) };
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
