/**
 * One update of one device, whole and in virtual time, with the power failing at chosen flash operations.
 * @module
 */
import type { CutMoment, FlashCommand } from "../../hosts/emulated/flash-faults.js";
import { type Execution, isTerminal } from "../../service/job-records.js";
import { seeded, VirtualTime } from "../support/virtual-clock.js";
import { VirtualBroker } from "../support/virtual-network.js";
import { Cloud } from "./cloud.js";
import type { FleetService } from "./deliveries.js";
import { Device } from "./device.js";
import { HawkbitCloud } from "./hawkbit-cloud.js";
import type { Foundry } from "./images.js";
import { Judge } from "./judge.js";
import type { DdiSetup, Scenario, Zone } from "./scenario.js";
import { Trouble } from "./trouble.js";

export interface Cut {
  /** Page programs and erase commands before this one, from the first boot on. */
  readonly index: number;
  readonly moment: CutMoment;
}

export interface Setup {
  readonly size: number;
  readonly blockSize: number;
  readonly encrypted?: boolean;
  /** With a data partition for the journal. */
  readonly storage?: boolean;
  /** The slot held something before. Default true. */
  readonly used?: boolean;
  readonly bandwidth?: number;
  /** The image comes over HTTP. */
  readonly http?: boolean;
  /** The job comes from hawkBit, and the image over HTTP. */
  readonly ddi?: boolean;
}

export interface Result {
  /** What went wrong; undefined: nothing did. */
  readonly violation: string | undefined;
  readonly status: string;
  readonly code: string;
  /** Whether the new image was confirmed. */
  readonly updated: boolean;
  /** Zone and sort of each flash operation, in order. */
  readonly operations: readonly string[];
  /** How many cuts took place. */
  readonly cuts: number;
  /** Bytes of blocks the service sent; those beyond one sector and what was on its way at each cut. */
  readonly sent: number;
  readonly surplus: number;
  /** Erase cycles of the sectors of the slot that was written to. */
  readonly wear: readonly number[];
  readonly log: readonly string[];
}

const SECTOR = 4096;
const FACTORY_SIZE = 1_000;
const OFF_MS = 50;
const PATIENCE_MS = 1_800_000;
const DDI: DdiSetup = Object.freeze({
  ...({ sleep: "00:00:30", queue: false, confirmation: false } as const),
  ...({ artifactSignature: false, type: "forced", window: 0 } as const),
});
/** CBOR around the payload of a block. */
const FRAMING = 24;

export function oneUpdate(setup: Setup, cuts: readonly Cut[], foundry: Foundry): Result {
  const { size, blockSize, encrypted = false, storage = false, used = true, bandwidth = 0 } = setup;
  const { http = false, ddi = false } = setup;
  const scenario: Scenario = {
    seed: 1,
    device: { encrypted, storage, efuse: false, eraseLength: 65_536, connect: 10, http },
    agent: {
      ...{ blockSize, maxOutstandingBytes: 16_384, statusInterval: 64, noProgressTimeoutMs: 60_000 },
      ...{ selfTestTimeoutMs: 30_000, pollMs: 3_600_000 },
    },
    app: { bare: false, testMs: 5, activateMs: 0, claims: false },
    link: { rtt: 20, bandwidth },
    ddi: ddi ? DDI : undefined,
    jobs: [{ at: 0, kind: "good", size, fileId: 0, retries: 0, timeoutInMinutes: 0, answer: "apply" }],
    faults: cuts.map(({ index, moment }, tear) => ({
      ...({ kind: "cut", zone: "any", off: OFF_MS } as const),
      ...{ nth: index, moment, tear },
    })),
    horizon: Number.MAX_SAFE_INTEGER,
  };
  const log: string[] = [];
  const time = new VirtualTime();
  const random = seeded(1);
  const broker = new VirtualBroker(time, random);
  const hawkbit = ddi
    ? new HawkbitCloud(scenario, time, foundry, random, () => trouble, FACTORY_SIZE)
    : undefined;
  const cloud: FleetService =
    hawkbit ?? new Cloud(scenario, broker, foundry, random, () => trouble, FACTORY_SIZE);
  const judge = new Judge(cloud.firmware[0]);
  const trouble: Trouble = new Trouble(scenario, time, () => {});
  let happened = 0;
  let sent = 0;
  let sentInLife = 0;
  // An image is made of whole lines of 16 bytes.
  let allowed = Math.ceil(size / 16) * 16;
  let written = 0;
  const note = (text: string) => {
    log.push(`${time.now.toFixed(3)} ${text}`);
    if (!text.startsWith("loses power") || text.endsWith(" 0 ms")) return;
    happened++;
    allowed += SECTOR + Math.max(0, sentInLife - written);
  };
  const { firmware, assets, gears } = cloud;
  const fetched = (bytes: number) => {
    sent += bytes;
    sentInLife += bytes;
  };
  const parts = {
    ...{ scenario, broker, trouble, judge, foundry, firmware, assets, gears, random, note, fetched, hawkbit },
  };
  const device = new Device(parts);
  if (used) device.fillOtherSlot();
  const operations: string[] = [];
  const { faults } = device.flash;
  device.flash.faults = {
    fate(command: FlashCommand) {
      if (command.kind !== "read")
        operations.push(`${device.zone(command.offset) satisfies Zone | undefined} ${command.kind}`);
      written = device.app?.agent.statistics?.bytes ?? 0;
      return faults?.fate?.(command);
    },
  };
  broker.onMessage = (topic, payload) => cloud.handle(topic, payload);
  broker.drop = (topic, payload) => {
    if (topic.endsWith("/data/cbor")) {
      sent += payload.length - FRAMING;
      sentInLife += payload.length - FRAMING;
    }
    return false;
  };
  cloud.onExecution = (execution) => {
    device.look();
    judge.status(execution, { firmware: firmware[1], assets: undefined });
  };
  cloud.deploy(0);
  const jobId = cloud.deployments[0].jobId;
  const execution = () => cloud.execution(jobId) as Execution;
  const lives = () => device.lives;
  let life = lives();
  device.powerOn();
  const over = () => isTerminal(execution().status) && device.app?.agent.state === "WaitingForJob";
  while (!judge.violation && !over()) {
    if (lives() !== life) {
      life = lives();
      sentInLife = 0;
    }
    try {
      if (!time.step(PATIENCE_MS)) judge.fail(`${jobId} never ends`);
    } catch (error) {
      if (!device.clock.over) judge.fail(`uncaught: ${(error as Error).stack}`);
    }
  }
  device.look();
  const { status, statusDetails } = execution();
  const updated = judge.confirmed.has(firmware[1]);
  if (isTerminal(status) && updated !== (status === "SUCCEEDED"))
    judge.fail(`${jobId} is ${status}, the image is ${updated ? "" : "not "}kept`);
  return {
    ...{ violation: judge.violation, status, updated, operations, cuts: happened, sent, log },
    code: statusDetails["code"] ?? "",
    surplus: sent - allowed,
    wear: device.wearOf(firmware[1]),
  };
}
