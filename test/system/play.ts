/**
 * Plays a scenario from beginning to end in virtual time.
 * @module
 */
import { type Execution, isTerminal } from "../../service/job-records.js";
import { decodeUtf8, encodeUtf8 } from "../../src/bytes.js";
import { seeded, VirtualTime } from "../support/virtual-clock.js";
import { VirtualBroker } from "../support/virtual-network.js";
import { COMMANDS, TELEMETRY } from "./app.js";
import { Cloud } from "./cloud.js";
import { FINAL_VERSION, type FleetService } from "./deliveries.js";
import { Device } from "./device.js";
import { isGood, isWhole } from "./extras.js";
import { HawkbitCloud } from "./hawkbit-cloud.js";
import type { Foundry } from "./images.js";
import { excused, forgets, isNoNews, isUnknown, Judge, STOPPED } from "./judge.js";
import type { Fault, Scenario } from "./scenario.js";
import { Trouble } from "./trouble.js";

/** How long device and service may take for the last job once every fault is over, milliseconds. */
const PATIENCE_MS = 4 * 3_600_000;
/** After everything: nothing may happen any more that would be wrong. */
const REST_MS = 60_000;
const LINES = 400;
const MOST_EVENTS = 3_000_000;

export interface Outcome {
  /** What went wrong; undefined: nothing did. */
  readonly violation: string | undefined;
  /** What happened, latest last. */
  readonly log: readonly string[];
  /** Final status of each job with its code, such as "good SUCCEEDED" or "tampered FAILED signature-check". */
  readonly results: readonly string[];
  readonly lives: number;
  /** Most erase cycles of a sector. */
  readonly wear: number;
  /** Virtual milliseconds. */
  readonly duration: number;
  /** How often each trouble took effect. */
  readonly troubles: ReadonlyMap<string, number>;
}

export async function play(scenario: Scenario, foundry: Foundry): Promise<Outcome> {
  const log: string[] = [];
  const time = new VirtualTime();
  const random = seeded(scenario.seed);
  const note = (text: string) => {
    log.push(`${(time.now / 1000).toFixed(3).padStart(9)}  ${text}`);
    if (log.length > LINES) log.shift();
  };
  const broker = new VirtualBroker(time, random);
  const hawkbit = scenario.ddi && new HawkbitCloud(scenario, time, foundry, random, () => trouble);
  const cloud: FleetService = hawkbit ?? new Cloud(scenario, broker, foundry, random, () => trouble);
  const judge = new Judge(cloud.firmware[0]);
  const trouble: Trouble = new Trouble(scenario, time, (fault) => act(fault));
  const { firmware, assets, gears } = cloud;
  const parts = { scenario, broker, trouble, judge, foundry, firmware, assets, gears, random, note, hawkbit };
  const device = new Device(parts);

  broker.onMessage = (topic, payload) => {
    if (topic === TELEMETRY) device.telemetry.add(Number(decodeUtf8(payload)));
    else cloud.handle(topic, payload);
  };
  cloud.onSet = (image, own) => void judge.sets.set(image, own);
  cloud.onExecution = (execution) => {
    note(`service: ${execution.jobId} #${execution.executionNumber} ${execution.status}`);
    const deployment = cloud.deployment(execution.jobId);
    if (execution.status === "TIMED_OUT" && deployment) deployment.withdrawn = true;
    // What a job said when it was replaced under its own name counts for the one that has the name now.
    if (cloud.isStale(execution)) deployment!.withdrawn = true;
    device.look();
    // What the factory put there may be sent and fail to arrive; it stays.
    const fails = deployment?.story.kind === "again" && execution.status !== "SUCCEEDED";
    if (deployment?.withdrawn || fails) return;
    const isForgotten = (code: string) =>
      deployment !== undefined && forgets(scenario, deployment.story, code);
    judge.status(stopped(execution), deployment, isForgotten);
  };

  /** What the device tells hawkBit it has stopped, it must not keep: as if it had failed. AWS's CANCELED is the operator's. */
  function stopped(execution: Execution): Execution {
    if (!hawkbit || execution.status !== "CANCELED") return execution;
    return { ...execution, status: "FAILED", statusDetails: { code: STOPPED } };
  }

  function act(fault: Fault): void {
    note(`fault: ${JSON.stringify(fault)}`);
    // The others are counted where they take effect; hawkBit knows nothing of some.
    const without = hawkbit && ["foreign", "replay", "forge"].includes(fault.kind);
    if (!without && (!("span" in fault) || ["outage", "foreign", "app"].includes(fault.kind)))
      trouble.took("what" in fault ? `${fault.kind} ${fault.what}` : fault.kind);
    switch (fault.kind) {
      case "power":
        return device.power(fault.off);
      case "rot":
        return device.rot(fault.place, fault.mask);
      case "outage":
        return outage(fault.span, fault.silent);
      case "cancel":
        return cloud.cancel(fault.job, fault.force);
      case "delete":
        return cloud.delete(fault.job);
      case "replace":
        return cloud.replace(fault.job);
      case "stream-gone":
        return cloud.dropStream(fault.job);
      case "foreign":
        return cloud.foreign(fault.span);
      case "leap":
        return device.leap(fault.ms);
      case "corrupt":
        cloud.corrupt += fault.count;
        return;
      case "replay":
        return cloud.replay();
      case "forge":
        return cloud.forge(fault.what);
      case "app":
        return device.app?.act(fault.what, fault.span);
    }
  }

  function outage(span: number, silent: number): void {
    device.offlineUntil = Math.max(device.offlineUntil, Math.min(time.now + span, scenario.horizon));
    const { mqtt } = device;
    if (!mqtt?.connected) return;
    mqtt.dark = true;
    time.at(time.now + silent, () => {
      if (device.mqtt !== mqtt) return;
      mqtt.disconnect();
      device.reconnect();
    });
  }

  let events = 0;
  /** Lets time pass until `done`, at most until `limit`. @returns false when it is not done then */
  async function pass(limit: number, done: () => boolean = () => false): Promise<boolean> {
    while (!judge.violation && !done()) {
      try {
        if (!time.step(limit)) {
          time.runUntil(limit);
          return done();
        }
      } catch (error) {
        // The code of a life that is over may fail as it likes.
        if (!device.clock.over) judge.fail(`uncaught: ${(error as Error).stack}`);
      }
      if (++events > MOST_EVENTS) judge.fail("it never ends");
      if (scenario.faults.length && events % 8 === 0) await undefined;
    }
    return !judge.violation;
  }

  scenario.jobs.forEach((job, index) => void time.at(job.at, () => cloud.deploy(index)));
  device.powerOn();
  await pass(scenario.horizon);

  // Every fault is over. What comes now must arrive.
  note("all faults end");
  cloud.corrupt = 0;
  cloud.cleanUp();
  if (device.mqtt) {
    device.mqtt.link = { rtt: 40 };
    if (device.mqtt.dark) device.mqtt.disconnect();
    device.reconnect();
  }
  const final = cloud.deployFinal();
  const isDone = () => cloud.unfinished.length === 0;
  let settled = await pass(time.now + PATIENCE_MS, isDone);
  const finalGear = settled && scenario.device.processor ? cloud.deployFinal(true) : undefined;
  if (finalGear) settled = await pass(time.now + PATIENCE_MS, isDone);
  const sent = commands();
  await pass(time.now + REST_MS);
  if (!judge.violation) verdict(settled);
  const results = cloud.deployments.filter(({ withdrawn }) => !withdrawn).map(result);
  const wear = device.flash.wear.reduce((most, count) => Math.max(most, count), 0);
  trouble.took("unstable bits read differently", device.flash.disturbed);
  return {
    ...{ violation: judge.violation, log, results, lives: device.lives, wear, duration: time.now },
    troubles: trouble.effects,
  };

  function commands(): number[] {
    const numbers = [1, 2, 3];
    for (const number of numbers)
      time.at(time.now + 10_000 + number * 1000, () => {
        if (device.app?.connected) broker.publish(COMMANDS, encodeUtf8(String(number)), 1);
      });
    return numbers;
  }

  function result({ story, jobId }: (typeof cloud.deployments)[number]): string {
    const execution = last(jobId);
    const { status = "?", statusDetails = {} } = execution ?? {};
    // "good with set SUCCEEDED", "good SUCCEEDED by delta"
    const [by = ""] = statusDetails["payload"]?.match(/^(whole|packed|delta)/) ?? [];
    const { set, gear } = story;
    let { kind }: { kind: string } = story;
    if (set) kind += `${isWhole(scenario, set) ? "" : " odd"} ${scenario.device.mod ? "mod" : "set"}`;
    if (gear) kind += gear.quality === "good" && scenario.device.processor ? " gear" : " odd gear";
    return [kind, status, statusDetails["code"] ?? "", by && `by ${by}`].filter(Boolean).join(" ");
  }

  function last(jobId: string): Execution | undefined {
    return cloud.execution(jobId);
  }

  function verdict(settled: boolean): void {
    if (!settled) {
      const open = cloud.unfinished.map(({ jobId, status }) => `${jobId} ${status}`).join(", ");
      return judge.fail(`never ends: ${open}; the agent is ${device.app?.agent.state}`);
    }
    device.look();
    const current = cloud.deployments.filter(({ withdrawn }) => !withdrawn);
    for (const deployment of current) {
      const { story, jobId, firmware, assets, gear } = deployment;
      const execution = last(jobId);
      if (!execution || !(firmware || assets || gear)) continue;
      const { status, statusDetails } = execution;
      if (!isTerminal(status)) return judge.fail(`${jobId} is ${status}`);
      const code = statusDetails["code"] ?? "";
      if (story.kind === "again" && status !== "SUCCEEDED") continue;
      if ((status === "SUCCEEDED") !== judge.keeps(deployment))
        if (
          !isNoNews(code) &&
          !isUnknown(statusDetails["message"]) &&
          !forgets(scenario, story, code) &&
          !/^(CANCELED|TIMED_OUT)$/.test(status)
        )
          return judge.fail(
            `${jobId} is ${status}, but what it brings is ${status === "SUCCEEDED" ? "not " : ""}kept`,
          );
      const refused = cloud.refusedWords.has(jobId);
      if (isGood(scenario, story) && status === "FAILED" && !excused(code, scenario, story, refused))
        return judge.fail(`good ${jobId} FAILED without a cause: ${JSON.stringify(statusDetails)}`);
    }
    const lasting = scenario.faults.some((fault) => fault.kind === "stuck" && fault.lasting);
    if (last(final.jobId)?.status !== "SUCCEEDED" && !lasting)
      return judge.fail(`the last job is ${JSON.stringify(last(final.jobId))}`);
    if (!lasting && device.app?.firmware.version !== FINAL_VERSION)
      return judge.fail(`${device.app?.firmware.version} runs in the end`);
    if (scenario.device.components && !lasting && judge.keptAssets?.version !== FINAL_VERSION)
      return judge.fail(`assets ${judge.keptAssets?.version} are in use in the end`);
    if (finalGear && !lasting && judge.keptGear !== finalGear.gear)
      return judge.fail(`the processor keeps ${judge.keptGear?.version} in the end`);
    // Between two looks at the queue, or in the middle of one.
    if (!/^(WaitingFor|Requesting)Job$/.test(device.app?.agent.state ?? ""))
      return judge.fail(`the agent ends as ${device.app?.agent.state}`);
    const missing = sent.filter((number) => !device.app?.commands.includes(number));
    if (missing.length) judge.fail(`commands ${missing} never reached the application`);
    for (const [number, since] of device.app?.open ?? [])
      if (time.now - since > 10_000)
        judge.fail(`message ${number} was neither acknowledged nor reported lost`);
  }
}
