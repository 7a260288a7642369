/**
 * Watches a story and says what must never happen. The first violation counts.
 * @module
 */
import type { Execution } from "../../service/job-records.js";
import { type Assets, type Firmware, GEAR, type Gear } from "./images.js";
import type { JobStory, Scenario } from "./scenario.js";

/** The part of the device's state the judge looks at. */
export interface Kept {
  readonly firmware: Firmware | undefined;
  /** What stands in for its bytes when it is none of those that were made: a description. */
  readonly description: string;
}

/** What a job brings. */
export interface Delivery {
  readonly firmware: Firmware | undefined;
  readonly assets: Assets | undefined;
  readonly gear?: Gear | undefined;
}

/** Answers to a status that say that there is no such execution any more, or not in this state. */
const OVER: readonly string[] = Object.freeze([
  ...["ResourceNotFound", "VersionMismatch", "TerminalStateReached", "InvalidStateTransition"],
]);
/** Largest number of timers agent and porting layer may have armed, of subscriptions, and of observers. */
const MOST_TIMERS = 12;
const MOST_SUBSCRIPTIONS = 8;

export class Judge {
  violation: string | undefined;
  /** The newest firmware ever confirmed. */
  kept: Firmware;
  /** Versions the application accepted. */
  readonly accepted = new Set<Firmware>();
  /** Everything that was ever confirmed. */
  readonly confirmed = new Set<Firmware>();
  /** Assets of the jobs that brought them together with firmware. */
  readonly sets = new Map<Firmware, Assets>();
  /** The assets that were confirmed last, those that were accepted, and all that were ever confirmed. */
  keptAssets: Assets | undefined;
  readonly acceptedAssets = new Set<Assets>();
  readonly confirmedAssets = new Set<Assets>();
  /** What the second processor will go on running, and all that it was ever to go on running. */
  keptGear: Gear | undefined;
  readonly confirmedGears = new Set<Gear>();

  constructor(factory: Firmware) {
    this.kept = factory;
    this.confirmed.add(factory);
    this.accepted.add(factory);
  }

  fail(what: string): void {
    this.violation ??= what;
  }

  /** The boot loader has started something, or nothing. */
  booted({ firmware, description }: Kept, onTrial: boolean): void {
    if (!firmware) return this.fail(`the boot loader started ${description}`);
    if (firmware === this.kept) return;
    if (!firmware.bootable)
      return this.fail(`the boot loader started ${description}, which is ${firmware.kind}`);
    if (major(firmware) < major(this.kept))
      return this.fail(
        `the boot loader started ${description}, older than the confirmed ${this.kept.version}`,
      );
    if (!onTrial && !this.accepted.has(firmware))
      this.fail(`${description} runs, not on trial although nobody accepted it`);
  }

  /**
   * The application has found its assets.
   * @param onTrial whether they, or the firmware they came with, may still be given up
   * @param excused whether there may be a reason why they can not be used for now
   */
  uses(assets: Assets | undefined, firmware: Firmware, onTrial: boolean, excused = false): void {
    if (!assets && excused) return;
    const own = this.sets.get(firmware);
    const what = `${firmware.version} runs with assets ${assets?.version ?? "-"}`;
    const isKept = firmware === this.kept;
    if (assets && !assets.usable) return this.fail(`${what}, which are not usable`);
    // Until its set is confirmed it goes with its own, afterwards with the latest.
    if (own && !isKept) {
      if (assets !== own) this.fail(`${what}, not its own ${own.version}`);
      return;
    }
    if (assets === this.keptAssets) return;
    if (!assets) return this.fail(`${what}, ${this.keptAssets?.version} were confirmed`);
    if ([...this.sets.values()].includes(assets)) return this.fail(`${what}, of another firmware`);
    if (!isKept) return this.fail(`${what}, neither of which is confirmed`);
    if (!onTrial) this.confirmsAssets(assets);
  }

  /** Assets that are in use, and not on trial. */
  confirmsAssets(assets: Assets): void {
    if (assets === this.keptAssets) return;
    if (!this.acceptedAssets.has(assets))
      return this.fail(`assets ${assets.version} are confirmed, but were not accepted`);
    if (major(assets) < major(this.keptAssets ?? assets))
      return this.fail(`assets ${assets.version} are confirmed after ${this.keptAssets?.version}`);
    this.keptAssets = assets;
    this.confirmedAssets.add(assets);
  }

  /** What otadata says is confirmed. */
  confirms(firmware: Firmware): void {
    if (firmware === this.kept) return;
    if (!this.accepted.has(firmware))
      return this.fail(`${firmware.version} is confirmed, but was not accepted`);
    if (!firmware.bootable) return this.fail(`${firmware.kind} ${firmware.version} is confirmed`);
    if (major(firmware) <= major(this.kept))
      return this.fail(`${firmware.version} is confirmed after ${this.kept.version}`);
    this.kept = firmware;
    this.confirmed.add(firmware);
    const own = this.sets.get(firmware);
    if (own) this.confirmsAssets(own);
  }

  /** The second processor has started something, or made it stay. */
  processor(gear: Gear | undefined, stays: boolean): void {
    if (!gear) return this.fail("the processor runs what nobody made");
    if (!gear.usable) return this.fail(`the processor runs ${gear.version}, which it must not`);
    if (!stays) return;
    this.keptGear = gear;
    this.confirmedGears.add(gear);
  }

  /** A status of an execution, at the moment the service took it. */
  status(
    { status, jobId, statusDetails }: Execution,
    delivery: Delivery | undefined,
    isForgotten: (code: string) => boolean = () => false,
  ): void {
    const { firmware, assets, gear } = delivery ?? {};
    if (!firmware && !assets && !gear) return;
    const whats = [firmware?.version, assets && `assets ${assets.version}`, gear && `gear ${gear.version}`];
    const what = whats.filter(Boolean).join(" and ");
    if (status === "SUCCEEDED") {
      if (firmware && this.kept !== firmware)
        this.fail(`${jobId} SUCCEEDED with ${what}, but the device keeps ${this.kept.version}`);
      if (assets && this.keptAssets !== assets)
        this.fail(`${jobId} SUCCEEDED with ${what}, but the device keeps ${this.keptAssets?.version}`);
      if (gear && this.keptGear !== gear)
        this.fail(`${jobId} SUCCEEDED with ${what}, but the processor keeps ${this.keptGear?.version}`);
    }
    if ((status === "FAILED" || status === "REJECTED") && this.keeps(delivery)) {
      // Another attempt at what runs already is refused, truthfully, as nothing new.
      const { code, message } = statusDetails;
      if (isNoNews(code) || isUnknown(message) || isForgotten(code ?? "")) return;
      this.fail(`${jobId} ${status} (${statusDetails["code"]}) with ${what}, which the device keeps`);
    }
  }

  /** Whether anything of it was ever confirmed. */
  keeps({ firmware, assets, gear }: Partial<Delivery> = {}): boolean {
    return (
      (!!firmware && this.confirmed.has(firmware)) ||
      (!!assets && this.confirmedAssets.has(assets)) ||
      (!!gear && this.confirmedGears.has(gear))
    );
  }

  memory(timers: number, subscriptions: number, observers: number, unacknowledged: number): void {
    if (timers > MOST_TIMERS) this.fail(`${timers} timers are armed`);
    if (subscriptions > MOST_SUBSCRIPTIONS) this.fail(`${subscriptions} subscriptions`);
    if (observers > 3) this.fail(`${observers} observers of the connection`);
    if (unacknowledged > 40) this.fail(`${unacknowledged} messages wait for their acknowledgement`);
  }
}

/** A refusal of what has been kept before: nothing is wrong with it. */
export function isNoNews(code = ""): boolean {
  return code === "same-version" || code === "downgrade" || code === "refused";
}

/** A processor that does not answer may have done what it was told, and the status says that it did not answer. */
export function isUnknown(message = ""): boolean {
  return message.startsWith(`${GEAR}: `) && /does not answer|no answer in time/.test(message);
}

/** In place of a code, for what the device has told hawkBit it has stopped. */
export const STOPPED = "stopped";
/**
 * How a job that is met once more may fail when its file is gone, or the artifact with its signature, or the application does not
 * want it; and for a processor that does not say what it runs.
 */
const AGAIN = /^(stream-refused|http|no-progress|signature-missing|user-abort)$/;
const AGAIN_UNTOLD = /^(signature-check|bad-image|flash-write|file-create|file-close)$/;

/**
 * No status brings back what a second processor was made to keep: when the one that said so did not arrive, the job is there
 * again, and its file may be gone. Where the processor does not say that it runs it already, all of it is done once more and
 * may fail as any other. After a power cut in the moment of its confirmation, or when the service says just then that the job is
 * over, and has it all the same, nobody knows that a cancelled one has taken place.
 */
export function forgets({ faults, device }: Scenario, { gear }: JobStory, code: string): boolean {
  const has = (kinds: RegExp) => faults.some(({ kind }) => kinds.test(kind));
  if (gear === undefined) return false;
  if (code === STOPPED) return has(/^(power|cut)$/) || callsOver(faults);
  const untold = !!device.silentGear && AGAIN_UNTOLD.test(code);
  // Its head is judged as it came.
  const damaged = code === "bad-image" && has(/^(corrupt|forge)$/);
  return (AGAIN.test(code) || untold || damaged) && has(/^(service|outage|refuse|power|cut)$/);
}

/** The service says of a status that its job is over. */
function callsOver(faults: Scenario["faults"]): boolean {
  return faults.some(
    (fault) =>
      fault.kind === "service" && /^(update|any)$/.test(fault.operation) && OVER.includes(fault.what),
  );
}

function major({ version }: { readonly version: string }): number {
  return Number.parseFloat(version);
}

/**
 * What has to be in a story for a good job to fail with a code.
 * @param refused whether the service has refused words about the end of this very job
 */
export function excused(code: string, scenario: Scenario, story: JobStory, refused: boolean): boolean {
  const { faults, agent, link, ddi } = scenario;
  const has = (...kinds: string[]) => faults.some(({ kind }) => kinds.includes(kind));
  const flash = has("flash", "rot", "stuck");
  const power = has("power", "cut");
  // What hawkBit does not say again is in the store: without it nobody knows whose trial it is, or would be.
  const forgotten = ddi !== undefined && has("store");
  const line = story.gear !== undefined && has("line");
  const cutOff = has("service", "stream-gone", "refuse", "delete", "replace");
  switch (code) {
    case "":
      // The bare status is what is left.
      return refused;
    case "bad-payload":
    case "wrong-base":
    case "file-too-large":
      // Of the last of several files, when the whole image has failed before it, or could not be had.
      return story.payloads !== undefined && (flash || cutOff || has("corrupt", "forge"));
    case "no-progress":
      return (
        has("service", "outage", "refuse", "stream-gone", "corrupt", "leap", "mute") ||
        isBad(link, agent.noProgressTimeoutMs)
      );
    case "signature-missing":
      // An artifact of its own, which was not to be had.
      return (ddi?.artifactSignature ?? false) && has("service", "stream-gone");
    case "http":
      return ddi !== undefined && has("service", "stream-gone", "refuse");
    case "too-slow":
      return agent.minRate !== undefined || agent.totalDeadlineMs !== undefined;
    case "store-failed":
      return has("store");
    case "stream-refused":
      return cutOff;
    case "bad-image":
      // The head of a component is judged as it came, before there is anything to verify.
      return flash || ((story.set ?? story.gear) !== undefined && has("corrupt", "forge"));
    case "cancelled":
      // The service has said so, of a status.
      return callsOver(faults);
    case "flash-write":
    case "commit-failed":
    case "file-create":
      return flash;
    case "file-close":
      return flash || line;
    case "activate-failed":
      // The service refused to know of it.
      return flash || forgotten || line || has("service");
    case "signature-check":
      // Of the last of several files, too, when the whole image was given up for want of time.
      return flash || has("corrupt", "forge") || (story.payloads !== undefined && isShort(scenario));
    case "rolled-back":
    case "failed-before":
      // Without the service nobody asks the application to accept.
      return (
        power ||
        flash ||
        forgotten ||
        // hawkBit is asked at its own pace: an unreadable answer may cost the time there is.
        (ddi !== undefined && has("forge")) ||
        has("app", "service", "outage", "refuse", "mute") ||
        isShort(scenario)
      );
    case "self-test-timeout":
      return (
        forgotten ||
        // The state of what is on trial could not be read, and was asked for again with the next poll.
        faults.some((fault) => fault.kind === "flash" && fault.command === "read") ||
        has("outage", "service", "refuse", "app", "forge", "cancel", "replay", "mute") ||
        isShort(scenario)
      );
    case "self-test-rejected":
      return has("app") || line;
    case "user-abort":
      return has("app");
    case "image-state-mismatch":
      return has("service", "cancel", "delete", "replace", "forge", "replay") || story.timeoutInMinutes > 0;
    case "refused":
      return story.answer === "refuse";
    case "same-version":
    case "downgrade":
      return true;
    default:
      return false;
  }
}

/** Whether the test alone, or what has to come before it, takes longer than the application gives the image. */
function isShort({ agent, app, device, link, ddi }: Scenario): boolean {
  // Over HTTP nobody says that the network is there: an attempt finds out, and the wait before it may be as long as all that came
  // before, and a second; each is spread by a quarter. Then root, consent and deployment are asked for, and the test is announced.
  const { connect } = device;
  const before = ddi ? connect + 1.25 * (connect / 0.75 + 1_000) + 4 * link.rtt : 0;
  return app.testMs + before >= agent.selfTestTimeoutMs;
}

/** Whether one block, or the few attempts there is time for, may take longer than the agent waits. */
function isBad({ bandwidth = 0, loss = 0, rtt }: Scenario["link"], limit: number): boolean {
  return (
    (bandwidth > 0 && (70_000 / bandwidth) * 1000 > limit / 3) || (loss >= 0.2 && limit <= rtt * 100 + 60_000)
  );
}
