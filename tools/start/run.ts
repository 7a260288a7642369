/**
 * One update of one simulated device, from the first boot to the proof at the end.
 * @module
 */
import { randomUUID } from "node:crypto";
import { nodeClock, nodeRandom } from "../../hosts/node/clock.js";
import { SimulatedDevice } from "../../hosts/node/device.js";
import { FileStore } from "../../hosts/node/file-store.js";
import { LossyMqtt } from "../../hosts/node/lossy-mqtt.js";
import { deviceBundle } from "../../hosts/xs/bundle.js";
import { DdiServer } from "../../service/ddi.js";
import { otaJobId, type Protocol } from "../../service/documents.js";
import type { Served } from "../../service/http.js";
import { DevelopmentService } from "../../service/index.js";
import type { Execution } from "../../service/job-records.js";
import { exportPkcs8, generateKey, signImage } from "../../service/signer.js";
import type { UpdatePayload } from "../../service/updates.js";
import type { MqttConnection } from "../../src/ports.js";
import { deltaKind, deltaOf, packOf, readImage, saving } from "../cli/payload.js";
import { bootsOfCopy, type Check, check, mostErased, otadataOf, slotHolds } from "./checks.js";
import { type Choice, chooseEngine } from "./engine.js";
import { Folder, type KeptUpdate } from "./folder.js";
import { Narrator } from "./narrator.js";
import type { ProtocolChoice, StartOptions } from "./options.js";
import { chipTitle, expectedCodes, rollsBack, sha256Hex } from "./scenario.js";
import { prepare, type Setup } from "./setup.js";
import { historyOf, type Summary } from "./summary.js";
import { kilobytes, type View } from "./view.js";

const CERTIFICATE = "/certificates/ota.pem";
/** After the job has ended, the device has this long to come to rest, in ms. */
const SETTLE_MS = 30_000;
/** A kept update is tried again when a power cut spoilt its self-test. */
const RETRIES = 10;
const POLL_MS = 20;
/** Any will do: the service knows of no other (`DdiServerOptions.token`). */
const AUTHORIZATION = "GatewayToken demonstration";
const STREAM_TOPIC = /^\$aws\/things\/[^/]+\/streams\//;

/** Something that has to happen before the run can go on did not. */
export class RunError extends Error {
  override name = "RunError";
}

export class Run {
  readonly #options: StartOptions;
  readonly #view: View;
  readonly #narrator: Narrator;
  readonly #started = performance.now();
  readonly #closers: (() => void | Promise<void>)[] = [];
  #lost = () => 0;
  #choice: Choice = { engine: "xs" };

  constructor(options: StartOptions, view: View) {
    this.#options = options;
    this.#view = view;
    this.#narrator = new Narrator(view, options.verbose);
  }

  /** @throws RunError, ImageFileError, FolderError; Error when the broker does not answer, or the engine is not there */
  async execute(): Promise<Summary> {
    this.#choice = chooseEngine(this.#options.engine);
    const folder = new Folder(this.#options.keep);
    this.#closers.push(() => folder.close());
    const setup = await prepare(this.#options, folder);
    this.#closers.push(() => setup.close());
    if (this.#choice.engine === "xs") deviceBundle();
    const service = await this.#startService(folder);
    const ddi = this.#options.service === "ddi" ? await this.#startDdi(service) : undefined;
    const device = this.#makeDevice(setup, folder, service.url, ddi);
    this.#introduce(setup, ddi?.origin ?? service.url);
    // Over DDI the device asks no more often than every 30 s: its first question finds the job.
    if (!ddi) await device.powerOn();
    const update = setup.update ?? (await this.#plan(setup, folder, !ddi));
    const jobId = this.#deploy(setup, update, service);
    await device.powerOn();
    if (setup.update) this.#view.line("resume", `${jobId} of an earlier run goes on`);
    await this.#until(
      () => service.jobs.job(jobId).status !== "IN_PROGRESS",
      this.#options.timeout * 1000,
      () => {
        const { status, statusDetails } = lastExecution(service, jobId);
        return `the job does not end: it is ${status} ${JSON.stringify(statusDetails)}`;
      },
    );
    await this.#settle(setup, device, lastExecution(service, jobId));
    const { served } = ddi ?? { served: service.httpServed };
    const summary = this.#conclude(setup, service, device, lastExecution(service, jobId), folder, served);
    folder.saveUpdate({ ...update, finished: true });
    return summary;
  }

  /** Stops everything. Also in the middle of a run. */
  async close(): Promise<void> {
    for (let closer = this.#closers.pop(); closer; closer = this.#closers.pop()) await closer();
  }

  async #startService(folder: Folder): Promise<DevelopmentService> {
    const service = await DevelopmentService.start({
      broker: this.#options.broker,
      state: folder.servicePath,
    });
    this.#closers.push(() => service.close());
    service.on("failure", ({ message }) => this.#view.line("service", message, "yellow"));
    service.on("execution", (execution) => this.#narrator.job(execution));
    return service;
  }

  async #startDdi(service: DevelopmentService): Promise<DdiServer> {
    const ddi = await DdiServer.start({ service });
    this.#closers.push(() => ddi.close());
    return ddi;
  }

  #makeDevice(
    { device: kept, chip, scenario, update }: Setup,
    folder: Folder,
    url: string,
    ddi: DdiServer | undefined,
  ): SimulatedDevice {
    const { engine } = this.#choice;
    const { blockSize, loss, latency, verbose, protocol } = this.#options;
    const network = (mqtt: MqttConnection): MqttConnection => {
      if (loss === 0 && latency === 0) return mqtt;
      const before = this.#lost();
      const lossy = new LossyMqtt(mqtt, {
        ...{ loss, delayMs: latency / 2, clock: nodeClock, random: nodeRandom },
        affects: (topic) => STREAM_TOPIC.test(topic),
      });
      this.#lost = () => before + lossy.lost;
      return lossy;
    };
    const device = new SimulatedDevice({
      ...{ engine, chip, network, chipId: kept.chipId, broker: ddi ? undefined : { url } },
      app: {
        thingName: kept.thingName,
        trustedKeys: { [CERTIFICATE]: kept.certificatePem },
        allowDowngrade: scenario.allowDowngrade,
        agent: { blockSize },
        payloads: true,
        protocols: protocolsOf(update?.protocol ?? protocol),
        hawkbit: ddi && {
          url: `${ddi.origin}/DEFAULT/controller/v1/${kept.thingName}`,
          authorization: AUTHORIZATION,
        },
      },
      store: new FileStore(folder.storePath),
      behaviour: (app) => (app.buildId === scenario.app.buildId ? scenario.behaviour : undefined),
      log: (level, text) => {
        if (verbose) this.#view.line(level, text, "dim");
      },
    });
    this.#closers.push(() => device.powerOff());
    this.#narrator.watch(device);
    return device;
  }

  #introduce({ device, chip, scenario }: Setup, url: string): void {
    const { engine, reason } = this.#choice;
    const { broker, loss, latency, service } = this.#options;
    const view = this.#view;
    view.line(
      "service",
      service === "ddi"
        ? `hawkBit's device API on ${url}`
        : `AWS IoT jobs and streams on ${url}${broker ? "" : ", its own broker"}`,
    );
    const where = engine === "xs" ? "on the XS engine" : "in Node";
    const flash = `${chip.size / 1_048_576} MB of flash`;
    if (reason) view.line("engine", `Node, not XS. ${reason}`);
    view.line("device", `thing ${device.thingName}, ${chipTitle(device.chipId)} ${where}, ${flash}`);
    const { app, image } = scenario;
    const size = kilobytes(image.length);
    view.line("update", `${app.projectName} ${app.version} for ${chipTitle(app.chipId)}, ${size}`);
    if (loss || latency)
      view.line("link", `loses ${(loss * 100).toFixed(1)} % of the data messages, ${latency} ms round-trip`);
  }

  /** Decides about everything of the update, and keeps it: from here on a later run can go on. */
  async #plan({ scenario, device, before }: Setup, folder: Folder, isOn: boolean): Promise<KeptUpdate> {
    const listening = () => !isOn || this.#narrator.agentState === "WaitingForJob";
    await this.#until(listening, SETTLE_MS, () => "the device does not get through to the service");
    const { image, failure, allowDowngrade } = scenario;
    // A signature that is one, but by a key the device does not trust.
    const foreign = failure === "signature" ? exportPkcs8(generateKey("ecdsa-p256")) : undefined;
    const update: KeptUpdate = {
      ...{ failure, allowDowngrade, before, protocol: this.#options.protocol, finished: false },
      updateId: randomUUID(),
      imageSha256: sha256Hex(image),
      signature: signImage(image, foreign ?? device.privateKeyPem),
    };
    folder.saveImage(image);
    folder.saveUpdate(update);
    return update;
  }

  /** Makes the job, unless an earlier run has. Returns its id. */
  #deploy({ scenario, device }: Setup, update: KeptUpdate, service: DevelopmentService): string {
    const { updateId, signature, protocol, failure } = update;
    const jobId = otaJobId(updateId);
    if (service.jobs.jobs().some((job) => job.jobId === jobId)) return jobId;
    service.deploy({
      ...{ updateId, signature, image: scenario.image, protocols: protocolsOf(protocol) },
      payloads: this.#payloads(scenario.image),
      things: [device.thingName],
      certFile: CERTIFICATE,
      retries: { failed: this.#options.keep !== undefined && !failure ? RETRIES : 0 },
    });
    return jobId;
  }

  /** What is offered beside the image. */
  #payloads(image: Uint8Array): UpdatePayload[] {
    const { from, packed } = this.#options;
    const payloads: UpdatePayload[] = [];
    if (from !== undefined) {
      const base = readImage(from);
      payloads.push({ kind: deltaKind(base), bytes: deltaOf(base, image) });
    }
    if (packed) payloads.push({ kind: ";packed", bytes: packOf(image) });
    for (const { kind, bytes } of payloads)
      this.#view.line("payload", `${kind.slice(1)}: ${saving(bytes.length, image.length)}`);
    return payloads;
  }

  /** Waits until the device has done what follows the end of its job. */
  #settle({ before }: Setup, device: SimulatedDevice, { status }: Execution): Promise<void> {
    const atRest = () => {
      if (!device.running || this.#narrator.agentState !== "WaitingForJob") return false;
      const { app, state } = device.status();
      return status === "SUCCEEDED" ? state === "valid" : app.buildId === before.buildId;
    };
    return this.#until(atRest, SETTLE_MS, () => "the device does not come to rest after its job has ended");
  }

  #conclude(
    setup: Setup,
    service: DevelopmentService,
    device: SimulatedDevice,
    execution: Execution,
    folder: Folder,
    served: Served,
  ): Summary {
    const { engine } = this.#choice;
    const { keep } = this.#options;
    const { scenario } = setup;
    const { app, slot, state } = device.status();
    const { statistics, transferSeconds } = this.#narrator;
    const checks = this.#prove(setup, device, execution);
    const { jobId, status, statusDetails } = execution;
    const attempts = service.jobs.executions({ jobId }).length;
    const { length: bytes } = scenario.image;
    return {
      ok: checks.every(({ ok }) => ok),
      ...{ engine, expected: scenario.failure ?? "update", checks },
      image: { bytes, version: scenario.app.version, sha256: sha256Hex(scenario.image) },
      job: { jobId, status, statusDetails, attempts, history: historyOf(execution) },
      transfer: {
        seconds: transferSeconds,
        bytes: statistics?.bytes ?? 0,
        resumedBytes: statistics?.resumedBytes ?? 0,
        blocks: statistics?.packetsProcessed ?? 0,
        requests: statistics?.requests ?? 0,
        retransmitted: statistics?.retransmitted ?? 0,
        duplicates: statistics?.duplicates ?? 0,
        bad: statistics?.bad ?? 0,
        lost: this.#lost(),
        payload: statusDetails["payload"],
        saved: savedBy(statusDetails["payload"], bytes),
        http: served,
      },
      device: {
        slot,
        state,
        app,
        otadata: otadataOf(device.flash),
        mostErased: mostErased(device.flash, bytes),
      },
      seconds: (performance.now() - this.#started) / 1000,
      folder: keep === undefined ? undefined : folder.path,
    };
  }

  #prove({ scenario, before, update }: Setup, device: SimulatedDevice, execution: Execution): Check[] {
    const { failure, image, app: wanted } = scenario;
    const { app, slot, state } = device.status();
    const { status, statusDetails } = execution;
    const boots = bootsOfCopy(device.flash);
    const checks = [
      check(
        `${slot} keeps booting after further resets`,
        boots.every((name) => name === slot),
        boots.join(", "),
      ),
    ];
    const found = `${status} ${JSON.stringify(statusDetails)}`;
    if (!failure) {
      const holds = device.running !== undefined && slotHolds(device.flash, device.running, image);
      return [
        check("the job SUCCEEDED", status === "SUCCEEDED", found),
        check("the slot that runs equals the image, byte for byte", holds, `${slot} differs`),
        check("the new image is confirmed", state === "valid", state),
        ...checks,
      ];
    }
    const codes = expectedCodes(failure);
    const code = statusDetails["code"] ?? "";
    const expected = status === "FAILED" && codes.includes(code);
    const trials = this.#narrator.boots.filter((buildId) => buildId === wanted.buildId).length;
    checks.push(check(`version ${before.version} runs again`, app.buildId === before.buildId, app.version));
    checks.push(check(`the job FAILED because of ${codes.join(" or ")}`, expected, found));
    // What an earlier run saw start is not known here.
    if (!rollsBack(failure))
      checks.push(check("the new image never started", trials === 0, `${trials} times`));
    else if (!update)
      checks.push(check("the new image started once, on trial", trials === 1, `${trials} times`));
    return checks;
  }

  /** @throws RunError when the condition does not come true in time */
  async #until(condition: () => boolean, ms: number, otherwise: () => string): Promise<void> {
    const deadline = Math.min(performance.now() + ms, this.#started + this.#options.timeout * 1000);
    while (!condition()) {
      if (performance.now() > deadline) throw new RunError(otherwise());
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}

/** In order of preference. */
function protocolsOf(choice: ProtocolChoice): Protocol[] {
  return choice === "both" ? ["MQTT", "HTTP"] : choice === "http" ? ["HTTP"] : ["MQTT"];
}

function lastExecution(service: DevelopmentService, jobId: string): Execution {
  const execution = service.jobs.executions({ jobId }).at(-1);
  if (!execution) throw new RunError(`${jobId} has no execution`);
  return execution;
}

/** @param payload as a job's details say it: "packed, 901234 bytes" */
function savedBy(payload: string | undefined, whole: number): number | undefined {
  const bytes = payload && /, (\d+) bytes$/.exec(payload)?.[1];
  return bytes ? whole - Number(bytes) : undefined;
}
