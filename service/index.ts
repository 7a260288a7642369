/**
 * The development service: the roles of AWS IoT Jobs, file streams and the OTA service on one machine.
 * A tool for developing and testing devices; a fleet uses AWS IoT Core, and the agent does not know the difference.
 * @module
 */
import { createHash, randomUUID } from "node:crypto";
import { EventEmitter } from "node:events";
import { STRINGS } from "./aws-limits.js";
import { type Broker, connectBroker, type EmbeddedBrokerOptions, startEmbeddedBroker } from "./broker.js";
import type { Intercept, Publish } from "./delivery.js";
import { type DeviceRecord, DeviceRegistry } from "./devices.js";
import { OTA_PREFIX, otaJobId, presignedPlaceholder, signPlaceholders } from "./documents.js";
import { ServiceError } from "./errors.js";
import { ImageServer, type ImageServerOptions, type Served } from "./http.js";
import { checkString, checkThingName, type Execution, isTerminal, type Job } from "./job-records.js";
import { JobService, type JobServiceOptions } from "./jobs.js";
import { nodeClock } from "./node-clock.js";
import { randomCredentials } from "./presign.js";
import { type Reported, ShadowService } from "./shadows.js";
import { type SigningIdentity, signImage } from "./signer.js";
import { ServiceStore } from "./store.js";
import { memoryFile, StreamService } from "./streams.js";
import { createUpdate, fileIdsOf, streamOf, type UpdateOptions, type UpdatePayload } from "./updates.js";

export interface ServiceOptions {
  /** URL of a broker to serve through; default: an embedded one. */
  broker?: string;
  /** Address and TLS of the embedded broker. */
  listen?: EmbeddedBrokerOptions;
  /** Signs what is deployed without a signature of its own. */
  identity?: Pick<SigningIdentity, "privateKeyPem">;
  /** The image server for the HTTP data plane. */
  http?: ImageServerOptions;
  /** Signs the URL in a placeholder for an image on another server; default: the URL stays as it is. */
  signUrl?: (url: string) => string;
  /** Faults on request, for tests. */
  intercept?: Intercept;
  /** As in `JobServiceOptions`. */
  mergeDetails?: boolean;
  rejectInProgress?: boolean;
  /** As in `JobServiceOptions`; streams have to be created again. Not together with `state`. */
  restore?: JobServiceOptions["restore"];
  /** Directory that keeps jobs, executions, devices and images over restarts; default: they are forgotten. */
  state?: string;
}

export type DeployOptions = Omit<UpdateOptions, "updateId" | "uuid" | "signature"> & {
  /** Default: a new UUID. */
  updateId?: string;
  /** Default: made with the service's identity; null: the file is unsigned. */
  signature?: UpdateOptions["signature"] | null;
};

/** A thing that a job was made for, or that has sent a request. */
export interface Device {
  readonly thingName: string;
  /** Undefined when the broker does not tell. */
  readonly connected: boolean | undefined;
  /** What people call it. */
  readonly label?: string;
  /** Names of the thing groups it is in, sorted. */
  readonly groups: readonly string[];
  /** Of its last request, milliseconds since 1970; undefined when there was none. */
  readonly lastSeen: number | undefined;
  /** What it says of itself in its shadow. */
  readonly reported?: Reported;
}

export interface ServiceEvents {
  /** A job was created or its status changed. */
  job: [Job];
  /** An execution was queued or changed, progress included. */
  execution: [Execution];
  /** A job and its executions are gone. */
  deleted: [jobId: string];
  /** A device is forgotten. */
  forgotten: [thingName: string];
  /** A device was seen for the first time, connected, disconnected, or reported something of itself. */
  device: [Device];
  /** The connection to a broker elsewhere failed and is tried again, or state could not be written. */
  failure: [Error];
}

/** Stands for the image server in stored documents: its address is another after a restart. */
const IMAGE_STORE = "s3://images/";

export class DevelopmentService extends EventEmitter<ServiceEvents> {
  readonly jobs: JobService;
  readonly streams: StreamService;
  readonly #options: ServiceOptions;
  readonly #devices: DeviceRegistry;
  readonly #shadows: ShadowService;
  readonly #store: ServiceStore | undefined;
  #broker: Broker | undefined;
  #images: ImageServer | undefined;

  /**
   * Starts a service.
   * @throws Error when an address or the state cannot be used, or the broker does not answer
   */
  static async start(options: ServiceOptions = {}): Promise<DevelopmentService> {
    if (options.state !== undefined && options.restore)
      throw new TypeError("give either state or restore, not both");
    let service: DevelopmentService | undefined;
    const failed = (error: Error) => service?.emit("failure", error);
    const store =
      options.state === undefined ? undefined : await ServiceStore.open(options.state, { failed });
    try {
      const restore = store
        ? { jobs: await store.jobs(), executions: await store.executions() }
        : options.restore;
      service = new DevelopmentService({ ...options, restore }, store, (await store?.devices()) ?? []);
      await service.#start();
    } catch (error) {
      await (service ?? store)?.close();
      throw error;
    }
    return service;
  }

  private constructor(options: ServiceOptions, store: ServiceStore | undefined, known: DeviceRecord[]) {
    super();
    this.#options = options;
    this.#store = store;
    const { intercept, mergeDetails, rejectInProgress, restore } = options;
    const publish: Publish = (topic, payload, qos) => this.#broker?.publish(topic, payload, qos);
    this.jobs = new JobService({
      clock: nodeClock,
      epoch: performance.timeOrigin,
      publish: this.#onceSaved(publish),
      intercept,
      mergeDetails,
      rejectInProgress,
      deliverDocument: (document) => signPlaceholders(document, (url) => this.#imageUrl(url)),
      restore,
      observer: {
        job: (job) => {
          store?.putJob(job);
          if (job.status === "COMPLETED") this.#unserve(job);
          this.emit("job", job);
        },
        forgotten: (execution) => store?.deleteExecution(execution),
        execution: (execution) => {
          store?.putExecution(execution);
          this.emit("execution", execution);
        },
        deleted: (jobId, executions) => {
          store?.deleteJob(jobId, executions);
          this.emit("deleted", jobId);
        },
      },
    });
    this.streams = new StreamService({ clock: nodeClock, publish, intercept });
    const changed = (device: DeviceRecord) => {
      store?.putDevice(device);
      this.emit("device", deviceOf(device));
    };
    this.#devices = new DeviceRegistry({ changed, known });
    for (const job of this.jobs.jobs()) for (const name of job.targets) this.#devices.add(name);
    this.#shadows = new ShadowService({
      now: () => this.jobs.now(),
      reported: (thingName) => this.#devices.get(thingName)?.reported,
      update: (thingName, reported) => this.#devices.report(thingName, reported),
    });
  }

  /** Holds messages back until the changes they tell of are stored. */
  #onceSaved(publish: Publish): Publish {
    const store = this.#store;
    if (!store) return publish;
    return (topic, payload, qos) => store.afterwards(() => publish(topic, payload, qos));
  }

  /** Where devices connect: `mqtt://…` or `mqtts://…`. */
  get url(): string {
    return this.#broker?.url ?? "";
  }

  /** Where devices get images: `http://host:port` or `https://host:port`. */
  get httpOrigin(): string {
    return this.#images?.origin ?? "";
  }

  /** What devices got from there so far. */
  get httpServed(): Readonly<Served> {
    return { requests: 0, bytes: 0, ...this.#images?.served };
  }

  #imageUrl(url: string): string {
    if (url.startsWith(IMAGE_STORE)) return this.#images!.url(url.slice(IMAGE_STORE.length));
    return this.#options.signUrl?.(url) ?? url;
  }

  async #start(): Promise<void> {
    const { jobs, streams } = this;
    const shadows = this.#shadows;
    const devices = this.#devices;
    const handler = {
      message: (topic: string, payload: Uint8Array, reply: Publish, clientId?: string) => {
        try {
          devices.request(topic, clientId, jobs.now());
          const saved = this.#onceSaved(reply);
          if (jobs.handle(topic, payload, saved) || shadows.handle(topic, payload, saved)) return;
          streams.handle(topic, payload, reply);
        } catch (error) {
          // Whatever a stranger sends, the service goes on for the others.
          this.emit("failure", error as Error);
        }
      },
      connected: (clientId: string) => devices.connection(clientId, true, jobs.now()),
      disconnected: (clientId: string) => devices.connection(clientId, false, jobs.now()),
      failed: (error: Error) => this.emit("failure", error),
    };
    const { broker, http, listen } = this.#options;
    const credentials = await this.#store?.credentials(randomCredentials);
    this.#images = await ImageServer.start({ credentials, ...http });
    for (const job of jobs.jobs()) await this.#restoreImage(job);
    this.#broker = broker ? await connectBroker(handler, broker) : await startEmbeddedBroker(handler, listen);
  }

  /** Serves again the image of a job that has not ended. */
  async #restoreImage(job: Job): Promise<void> {
    const key = imageKey(job);
    const open = job.status === "IN_PROGRESS" || job.status === "SCHEDULED" || this.#hasOpen(job.jobId);
    if (!open) return;
    const image = this.#images?.get(key) ?? (await this.#store?.image(key));
    if (!image) return;
    this.#images?.put(key, image);
    const streamId = streamOf(job);
    const [first, ...rest] = fileIdsOf(job);
    const files = [memoryFile(first, image)];
    for (const [n, id] of rest.entries()) {
      const bytes = await this.#store?.image(payloadKey(job.jobId, n));
      // A device goes on with another file when one is not there.
      if (!bytes) continue;
      this.#images?.put(payloadKey(job.jobId, n), bytes);
      files.push(memoryFile(id, bytes));
    }
    if (streamId) this.streams.create(streamId, files);
  }

  #hasOpen(jobId: string): boolean {
    return this.jobs.executions({ jobId }).some(({ status }) => !isTerminal(status));
  }

  /** A job has ended: its image leaves the memory, unless another job needs it. */
  #unserve(job: Job): void {
    const streamId = streamOf(job);
    if (streamId && this.streams.has(streamId)) this.streams.delete(streamId);
    for (const key of payloadKeys(job)) this.#images?.delete(key);
    const key = imageKey(job);
    const others = this.jobs.jobs().filter((other) => other.jobId !== job.jobId && imageKey(other) === key);
    if (!others.some((other) => other.status === "IN_PROGRESS" || other.status === "SCHEDULED"))
      this.#images?.delete(key);
  }

  /**
   * Signs an image, publishes it, and creates the job that updates things to it.
   * @throws ServiceError as `JobService.createJob`; TypeError when there is nothing to sign with
   */
  deploy(options: DeployOptions): Job {
    const { identity } = this.#options;
    const { signature, updateId = randomUUID(), ...rest } = options;
    if (signature === undefined && !identity)
      throw new TypeError("deploy: no signature given, and the service has no identity to sign with");
    const digest = createHash("sha256").update(options.image).digest("hex");
    const key = imageKey({ digest });
    const isKept = this.jobs.jobs().some((job) => job.digest === digest);
    const payloads = (options.payloads ?? []).map((payload, n) => ({
      ...payload,
      signature: payload.signature ?? this.#ownSignature(payload),
      key: payloadKey(otaJobId(updateId), n),
    }));
    const extra = payloads.reduce((sum, { bytes }) => sum + bytes.length, 0);
    this.#store?.requireRoom((isKept ? 0 : options.image.length) + extra);
    // It is there before a device can ask for it.
    this.#images?.put(key, options.image);
    for (const { key: place, bytes } of payloads) this.#images?.put(place, bytes);
    const job = createUpdate(this, {
      ...rest,
      digest,
      updateId,
      uuid: randomUUID(),
      url: rest.url ?? presignedPlaceholder(IMAGE_STORE + key),
      payloads: payloads.map(({ key: place, ...payload }) => ({
        url: presignedPlaceholder(IMAGE_STORE + place),
        ...payload,
      })),
      signature:
        signature === undefined
          ? signImage(options.image, identity!.privateKeyPem)
          : (signature ?? undefined),
    });
    if (!isKept) this.#store?.putImage(key, options.image);
    for (const { key: place, bytes } of payloads) this.#store?.putImage(place, bytes);
    for (const name of job.targets) this.#devices.add(name);
    return job;
  }

  /** Of a file beside the image; a payload of it has the image's. @throws TypeError when there is nothing to sign with */
  #ownSignature({ fileType, bytes }: UpdatePayload): UpdatePayload["signature"] {
    if (fileType === undefined) return undefined;
    const { identity } = this.#options;
    if (!identity) throw new TypeError("deploy: a file beside the image has no signature");
    return signImage(bytes, identity.privateKeyPem);
  }

  /** As `JobService.cancelJob`. */
  cancel(jobId: string, force = false, why?: { reasonCode?: string; comment?: string }): Job {
    return this.jobs.cancelJob(jobId, force, why);
  }

  /** Deletes a job with its executions, its stream, and its image unless another job has it. As `JobService.deleteJob`. */
  delete(jobId: string, force = false): void {
    const job = this.jobs.job(jobId);
    this.jobs.deleteJob(jobId, force);
    this.#unserve(job);
    for (const key of payloadKeys(job)) this.#store?.deleteImage(key);
    const key = imageKey(job);
    if (!this.jobs.jobs().some((other) => imageKey(other) === key)) this.#store?.deleteImage(key);
  }

  /**
   * Names a device and puts it into groups; one not heard of becomes known.
   * @throws ServiceError InvalidRequest
   */
  editDevice(thingName: string, change: { label?: string; groups?: readonly string[] }): Device {
    checkThingName(thingName);
    if (change.label) checkString(change.label, { ...STRINGS.detailsValue, max: 128, name: "name" });
    for (const group of change.groups ?? []) checkString(group, STRINGS.thingGroupName);
    const before = this.#devices.get(thingName)?.groups ?? [];
    const device = this.#devices.edit(thingName, change);
    const joined = (device.groups ?? []).filter((group) => !before.includes(group));
    if (joined.length > 0) this.jobs.joined(thingName, joined);
    return deviceOf(device);
  }

  /** Forgets a device and what happened on it. @throws ServiceError ResourceNotFound */
  forgetDevice(thingName: string): void {
    if (!this.#devices.get(thingName))
      throw new ServiceError("ResourceNotFound", `There is no device "${thingName}".`);
    this.jobs.forgetThing(thingName);
    this.#devices.forget(thingName);
    this.#store?.deleteDevice(thingName);
    this.emit("forgotten", thingName);
  }

  /**
   * Resolves with the execution once it has ended (a retry follows as another execution).
   * @param timeoutMs gives up with a ServiceError after so many milliseconds
   */
  async ended(jobId: string, thingName: string, timeoutMs = 60_000): Promise<Execution> {
    const current = this.jobs.execution(thingName, jobId);
    if (isTerminal(current.status)) return current;
    return await new Promise((resolve, reject) => {
      const finish = () => {
        clearTimeout(timer);
        this.off("execution", listener);
      };
      const timer = setTimeout(() => {
        finish();
        const { status, statusDetails } = this.jobs.execution(thingName, jobId);
        const state = `${status} ${JSON.stringify(statusDetails)}`;
        reject(
          new ServiceError("InternalError", `${thingName} did not end "${jobId}" in time; it is ${state}`),
        );
      }, timeoutMs);
      const listener = (execution: Execution) => {
        if (execution.jobId !== jobId || execution.thingName !== thingName) return;
        if (!isTerminal(execution.status)) return;
        finish();
        resolve(execution);
      };
      this.on("execution", listener);
    });
  }

  devices(): Device[] {
    return [...this.#devices.all()]
      .map(deviceOf)
      .sort((a, b) => (a.thingName < b.thingName ? -1 : Number(a.thingName !== b.thingName)));
  }

  device(thingName: string): Device | undefined {
    const device = this.#devices.get(thingName);
    return device && deviceOf(device);
  }

  /** Resolves when every change so far is stored. @throws ServiceError StorageFull when they cannot be at present */
  async settled(): Promise<void> {
    await this.#store?.settled();
  }

  /** Why nothing can be stored at present, in words. */
  get storageProblem(): string | undefined {
    return this.#store?.problem;
  }

  /** Stops serving. */
  async close(): Promise<void> {
    this.jobs.close();
    this.streams.close();
    await Promise.all([this.#broker?.close(), this.#images?.close()]);
    this.#broker = undefined;
    this.#images = undefined;
    await this.#store?.close();
  }
}

/** Of the files of a job beside the image, the number from 0 on. */
function payloadKey(jobId: string, n: number): string {
  return `${jobId}.${n}.xsp`;
}

function payloadKeys(job: Job): string[] {
  return fileIdsOf(job)
    .slice(1)
    .map((_, n) => payloadKey(job.jobId, n));
}

/** By what is in it; jobs of earlier releases by their name. */
function imageKey({ digest, jobId = "" }: { digest?: string; jobId?: string }): string {
  return `${digest ?? jobId.slice(OTA_PREFIX.length)}.bin`;
}

function deviceOf(record: DeviceRecord): Device {
  const { thingName, connected, lastSeen, reported, label, groups = [] } = record;
  return { thingName, connected, lastSeen, reported, label, groups };
}
