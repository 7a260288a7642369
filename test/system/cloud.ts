/**
 * The fleet's side of a story: the service with its faults, what is deployed, and what the operator does.
 * @module
 */
import type { ServiceMessage, ServiceRequest } from "../../service/delivery.js";
import { otaDocument, otaJobId, otaStreamId } from "../../service/documents.js";
import type { ServiceErrorCode } from "../../service/errors.js";
import { type Execution, isTerminal } from "../../service/job-records.js";
import { JobService } from "../../service/jobs.js";
import { memoryFile, StreamService } from "../../service/streams.js";
import { createUpdate, streamOf } from "../../service/updates.js";
import { decodeUtf8, encodeUtf8 } from "../../src/bytes.js";
import { VirtualClock } from "../support/virtual-clock.js";
import type { VirtualBroker } from "../support/virtual-network.js";
import { THING } from "./app.js";
import {
  basisOf,
  bringsFirmware,
  type Deployment,
  FINAL_VERSION,
  type FleetService,
  factoryGear,
  finalOf,
  OLD_SEQUENCE,
  statementOf,
} from "./deliveries.js";
import {
  ASSETS_TYPE,
  type Assets,
  type Firmware,
  type Foundry,
  GEAR_TYPE,
  type Gear,
  IMAGES,
  STATEMENT_TYPE,
} from "./images.js";
import { BOOTABLE, type GearStory, type JobStory, type Scenario, type SetStory } from "./scenario.js";
import type { Trouble } from "./trouble.js";

/** Messages kept to be sent again. */
const MEMORY = 60;
const LATE_MS = 8_000;
/** How long what a device has to say may be on its way: an outage, and the attempts after it. */
const IN_FLIGHT_MS = 120_000;

/** A file of a job of several. */
interface TypedFile {
  readonly type: number;
  readonly bytes: Uint8Array;
  readonly signature: string | undefined;
}

export class Cloud implements FleetService {
  readonly jobs: JobService;
  readonly streams: StreamService;
  /** In the order created; one replaced stands there twice. */
  readonly deployments: Deployment[] = [];
  /** Everything made, the factory's first. */
  readonly firmware: Firmware[] = [];
  readonly assets: Assets[] = [];
  readonly gears: Gear[] = [];
  onExecution: (execution: Execution) => void = () => {};
  /** Told of what is to be installed together. */
  onSet: (firmware: Firmware, assets: Assets) => void = () => {};
  /** Blocks still to be corrupted. */
  corrupt = 0;
  /** Jobs whose end the service has refused for its words. */
  readonly refusedWords = new Set<string>();
  readonly #scenario: Scenario;
  readonly #broker: VirtualBroker;
  readonly #trouble: () => Trouble;
  readonly #foundry: Foundry;
  readonly #random: () => number;
  readonly #sent: ServiceMessage[] = [];
  /** Job ids that were given to another job, and when. */
  readonly #replacedAt = new Map<string, number>();
  #uuid = 0;
  #sequence = OLD_SEQUENCE;
  #foreign = 0;

  constructor(
    scenario: Scenario,
    broker: VirtualBroker,
    foundry: Foundry,
    random: () => number,
    trouble: () => Trouble,
    factorySize = 20_000,
  ) {
    this.#scenario = scenario;
    this.#broker = broker;
    this.#foundry = foundry;
    this.#random = random;
    this.#trouble = trouble;
    this.firmware.push(foundry.make("good", "1.0.0", factorySize));
    this.gears.push(factoryGear(foundry));
    const options = {
      clock: new VirtualClock(broker.time),
      publish: (topic: string, payload: Uint8Array, qos: 0 | 1) => broker.publish(topic, payload, qos),
      intercept: {
        request: (request: ServiceRequest) => this.#admit(request),
        message: (message: ServiceMessage) => this.#delays(message),
      },
    };
    const observer = { execution: (execution: Execution) => this.onExecution(execution) };
    this.jobs = new JobService({ ...options, observer });
    this.streams = new StreamService(options);
  }

  handle(topic: string, payload: Uint8Array): void {
    if (!this.jobs.handle(topic, payload)) this.streams.handle(topic, payload);
  }

  /** Deploys the job of that number in the story. */
  deploy(index: number, version = `${index + 2}.0.0`): void {
    this.#deploy(this.#scenario.jobs[index], `s-${index}`, version);
  }

  deployFinal(gear = false): Deployment {
    return this.#deploy(finalOf(this.#scenario, gear), gear ? "s-last-gear" : "s-final", FINAL_VERSION);
  }

  /** The latest deployment under a job id. */
  deployment(jobId: string): Deployment | undefined {
    return this.deployments.findLast((deployment) => deployment.jobId === jobId);
  }

  execution(jobId: string): Execution | undefined {
    return this.jobs.executions({ thingName: THING, jobId }).at(-1);
  }

  /** Whether this may be the word of a job that was replaced under the same name a moment ago. */
  isStale({ jobId, status }: Execution): boolean {
    const since = this.#replacedAt.get(jobId) ?? Number.NEGATIVE_INFINITY;
    return isTerminal(status) && this.#broker.time.now - since < IN_FLIGHT_MS;
  }

  cancel(index: number, force: boolean): void {
    this.#operate(index, (deployment) => {
      this.jobs.cancelJob(deployment.jobId, force);
      deployment.withdrawn = true;
    });
  }

  delete(index: number): void {
    this.#operate(index, (deployment) => {
      deployment.withdrawn = true;
      this.jobs.deleteJob(deployment.jobId, true);
    });
  }

  replace(index: number): void {
    this.#operate(index, (deployment) => {
      deployment.withdrawn = true;
      this.jobs.deleteJob(deployment.jobId, true);
      this.#replacedAt.set(deployment.jobId, this.#broker.time.now);
      this.deploy(index, `${index + 2}.5.0`);
    });
  }

  dropStream(index: number): void {
    this.#operate(index, ({ jobId }) => {
      const stream = streamOf(this.jobs.job(jobId));
      if (stream && this.streams.has(stream)) this.streams.delete(stream);
    });
  }

  /** A job of somebody else, who takes it back after `span` ms. */
  foreign(span: number): void {
    const jobId = `foreign-${++this.#foreign}`;
    this.jobs.createJob({ jobId, document: { operation: "reboot" }, targets: [THING] });
    this.#broker.time.at(this.#broker.time.now + span, () => this.#withdraw(jobId));
  }

  #withdraw(jobId: string): void {
    if (this.#exists(jobId) && this.jobs.job(jobId).status === "IN_PROGRESS")
      this.jobs.cancelJob(jobId, true);
  }

  /** What nobody will ever answer is taken back. */
  cleanUp(): void {
    for (let n = 1; n <= this.#foreign; n++) this.#withdraw(`foreign-${n}`);
    for (const deployment of this.deployments)
      if (deployment.story.kind === "custom" && !this.#scenario.app.claims && this.#exists(deployment.jobId))
        if (this.jobs.job(deployment.jobId).status === "IN_PROGRESS") {
          this.jobs.cancelJob(deployment.jobId, true);
          deployment.withdrawn = true;
        }
  }

  replay(): void {
    for (const { topic, payload, qos } of [...this.#sent]) this.#broker.publish(topic, payload, qos);
  }

  forge(what: "job" | "none" | "garbage" | "block"): void {
    const next = `$aws/things/${THING}/jobs/notify-next`;
    const send = (topic: string, body: unknown) =>
      this.#broker.publish(topic, encodeUtf8(JSON.stringify(body)), 1);
    const block = this.#sent.findLast(({ kind }) => kind === "block");
    if (what === "none") send(next, { timestamp: 1 });
    if (what === "garbage") this.#broker.publish(next, Uint8Array.of(0xff, 0, 1, 2), 1);
    if (what === "job") {
      const file = {
        filesize: 9000,
        fileid: 0,
        certfile: "x",
        "sig-sha256-ecdsa": this.firmware[0].signature,
      };
      const jobDocument = { afr_ota: { protocols: ["MQTT"], streamname: "forged", files: [file] } };
      send(next, { execution: { jobId: "forged", status: "QUEUED", executionNumber: 1, jobDocument } });
    }
    if (what === "block" && block) {
      // Right in form, wrong in content.
      const payload = block.payload.slice();
      payload[payload.length - 7] ^= 0x55;
      this.#broker.publish(block.topic, payload, 0);
    }
  }

  /** Executions that have not ended. */
  get open(): Execution[] {
    return this.jobs.pending(THING);
  }

  #deploy(story: JobStory, updateId: string, version: string): Deployment {
    const { kind, size, fileId, retries, timeoutInMinutes, set, gear, payloads = [] } = story;
    const jobId = kind === "custom" ? `${updateId}-custom` : otaJobId(updateId);
    if (kind === "custom") {
      const none = { firmware: undefined, assets: undefined, gear: undefined };
      const deployment: Deployment = { story, jobId, ...none, withdrawn: false };
      this.deployments.push(deployment);
      this.jobs.createJob({ jobId, document: { operation: "reboot" }, targets: [THING] });
      return deployment;
    }
    const odd: Partial<Record<string, string>> = { older: "0.9.0", same: "1.0.0" };
    const firmware =
      kind === "again" ? this.firmware[0] : this.#foundry.make(kind, odd[kind] ?? version, size);
    const own = bringsFirmware(story) ? firmware : undefined;
    if (set) return this.#deploySet(story, set, jobId, version, own);
    if (gear) return this.#deployGear(story, gear, jobId, version, own);
    const none = { assets: undefined, gear: undefined };
    const deployment: Deployment = { story, jobId, firmware, ...none, withdrawn: false };
    const files = payloads.flatMap((payload) => {
      const { from } = payload;
      const base = from === undefined ? undefined : basisOf(this, this.#scenario, from);
      return from !== undefined && !base ? [] : this.#foundry.payload(firmware, base, payload);
    });
    this.firmware.push(firmware);
    this.deployments.push(deployment);
    createUpdate(this, {
      ...{ updateId, uuid: this.#nextUuid(), image: firmware.bytes, things: [THING] },
      ...(this.#scenario.device.http ? { protocols: ["HTTP"], url: `${IMAGES}${version}` } : {}),
      signature: signatureOf(firmware),
      payloads: files.map((file) => ({ kind: file.kind, bytes: file.bytes, signature: signatureOf(file) })),
      // The payloads have the numbers behind it.
      fileId: Math.min(fileId, 255 - files.length),
      timeoutInMinutes: timeoutInMinutes || undefined,
      retries: { failed: retries, timedOut: timeoutInMinutes ? retries : 0 },
    });
    return deployment;
  }

  #nextUuid(): string {
    return `00000000-0000-0000-0000-${String(++this.#uuid).padStart(12, "0")}`;
  }

  /** A job whose files are installed together. */
  #deploySet(
    story: JobStory,
    set: SetStory,
    jobId: string,
    version: string,
    firmware: Firmware | undefined,
  ): Deployment {
    const { kind } = story;
    const behaviour = firmware || !BOOTABLE.has(kind) ? "good" : kind;
    const assets = this.#foundry.assets(behaviour, version, set, this.#scenario.device.mod);
    const deployment: Deployment = { story, jobId, firmware, assets, gear: undefined, withdrawn: false };
    if (firmware) {
      this.firmware.push(firmware);
      this.onSet(firmware, assets);
    }
    this.assets.push(assets);
    this.deployments.push(deployment);
    const files: TypedFile[] = [];
    if (firmware) files.push({ type: 0, ...firmware });
    files.push({ type: ASSETS_TYPE, ...assets });
    if (set.statement !== "none") {
      const sequence = set.statement === "old" ? OLD_SEQUENCE : ++this.#sequence;
      const bytes = statementOf(this.#foundry, { set, sequence, firmware, assets, other: this.firmware[0] });
      files.push({ type: STATEMENT_TYPE, bytes, signature: this.#foundry.sign(bytes) });
    }
    this.#create(story, jobId, files);
    return deployment;
  }

  #deployGear(
    story: JobStory,
    gearStory: GearStory,
    jobId: string,
    version: string,
    firmware: Firmware | undefined,
  ): Deployment {
    const gear = this.#foundry.gear(version, gearStory, story.kind === "good");
    const deployment: Deployment = { story, jobId, firmware, assets: undefined, gear, withdrawn: false };
    if (firmware) this.firmware.push(firmware);
    this.gears.push(gear);
    this.deployments.push(deployment);
    const files: TypedFile[] = firmware ? [{ type: 0, ...firmware }] : [];
    this.#create(story, jobId, [...files, { type: GEAR_TYPE, ...gear }]);
    return deployment;
  }

  #create(story: JobStory, jobId: string, files: readonly TypedFile[]): void {
    const { retries, timeoutInMinutes } = story;
    const streamId = otaStreamId(this.#nextUuid());
    this.streams.create(
      streamId,
      files.map(({ bytes }, id) => memoryFile(id, bytes)),
    );
    const document = otaDocument({
      protocols: ["MQTT"],
      streamId,
      files: files.map((file, fileId) => ({
        ...{ filePath: "/device/updates", fileSize: file.bytes.length, fileId, fileType: file.type },
        ...{ certFile: "/certificates/ota.pem", signature: signatureOf(file) },
      })),
    });
    this.jobs.createJob({
      ...{ jobId, document, targets: [THING], timeoutInMinutes: timeoutInMinutes || undefined },
      retries: { failed: retries, timedOut: timeoutInMinutes ? retries : 0 },
    });
  }

  /** Lets the operator do something to a deployed job that has not ended. */
  #operate(index: number, action: (deployment: Deployment) => void): void {
    const deployment = this.deployments.findLast(({ story }) => story === this.#scenario.jobs[index]);
    if (!deployment || !this.#exists(deployment.jobId)) return;
    if (this.jobs.job(deployment.jobId).status === "IN_PROGRESS") action(deployment);
  }

  #exists(jobId: string): boolean {
    return this.jobs.jobs().some((job) => job.jobId === jobId);
  }

  #admit(request: ServiceRequest): "drop" | ServiceErrorCode | undefined {
    const verdict = this.#verdictOn(request);
    const { operation, jobId, payload } = request;
    if (!verdict) return undefined;
    this.#trouble().took(verdict === "drop" ? `${operation} dropped` : `${operation} refused: ${verdict}`);
    if (operation !== "update" || !jobId || verdict === "drop") return verdict;
    const { status, statusDetails } = JSON.parse(decodeUtf8(payload)) as Partial<Execution>;
    if (isTerminal(status!) && statusDetails) this.refusedWords.add(jobId);
    return verdict;
  }

  #verdictOn({ operation }: ServiceRequest): "drop" | ServiceErrorCode | undefined {
    for (const fault of this.#trouble().active("service")) {
      if (fault.operation !== "any" && fault.operation !== operation) continue;
      if (fault.what === "drop") return "drop";
      if (fault.what === "lose-reply" || fault.what === "late" || fault.what === "twice") continue;
      // The queue can be looked at or not; refusals of every sort are for what a device reports.
      if (operation !== "update" && operation !== "get-stream") return "InternalError";
      return fault.what;
    }
    return undefined;
  }

  #delays(message: ServiceMessage): readonly number[] | undefined {
    this.#sent.push(message);
    if (this.#sent.length > MEMORY) this.#sent.shift();
    if (this.corrupt > 0 && message.kind === "block") {
      this.corrupt--;
      this.#trouble().took("block corrupted");
      message.payload[message.payload.length - 5] ^= 0x04;
    }
    const random = this.#random;
    for (const { what, operation } of this.#trouble().active("service")) {
      if (operation === "get-stream" && message.kind !== "block") continue;
      if (what === "lose-reply" || what === "late" || what === "twice")
        this.#trouble().took(`reply: ${what}`);
      if (what === "lose-reply") return [];
      if (what === "late") return [random() * LATE_MS];
      if (what === "twice") return [0, random() * LATE_MS];
    }
    return undefined;
  }

  /** Executions that can still change, none of them the operator's to end. */
  get unfinished(): Execution[] {
    return this.jobs.executions({ thingName: THING }).filter(({ status }) => !isTerminal(status));
  }
}

function signatureOf({ signature }: { readonly signature: string | undefined }) {
  return signature ? { key: "sig-sha256-ecdsa", value: signature } : undefined;
}
