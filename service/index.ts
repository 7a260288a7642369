/**
 * The development service: the roles of AWS IoT Jobs, file streams and the OTA service on one machine.
 * A tool for developing and testing devices; a fleet uses AWS IoT Core, and the agent does not know the difference.
 * @module
 */
import { randomUUID } from "node:crypto";
import { EventEmitter } from "node:events";
import { type Broker, connectBroker, type EmbeddedBrokerOptions, startEmbeddedBroker } from "./broker.js";
import type { Intercept, Publish } from "./delivery.js";
import { type DeviceRecord, DeviceRegistry } from "./devices.js";
import { OTA_PREFIX, presignedPlaceholder, signPlaceholders } from "./documents.js";
import { ServiceError } from "./errors.js";
import { ImageServer, type ImageServerOptions, type Served } from "./http.js";
import { type Execution, isTerminal, type Job } from "./job-records.js";
import { JobService, type JobServiceOptions } from "./jobs.js";
import { nodeClock } from "./node-clock.js";
import { randomCredentials } from "./presign.js";
import { type Reported, ShadowService } from "./shadows.js";
import { type SigningIdentity, signImage } from "./signer.js";
import { ServiceStore } from "./store.js";
import { memoryFile, StreamService } from "./streams.js";
import { createUpdate, fileIdOf, streamOf, type UpdateOptions } from "./updates.js";

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
   * @throws Error when an address or the state can not be used, or the broker does not answer
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
          this.emit("job", job);
        },
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
      this.emit("device", device);
    };
    this.#devices = new DeviceRegistry({ changed, known });
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
    const key = imageKey(job.jobId.slice(OTA_PREFIX.length));
    const open = this.jobs.executions({ jobId: job.jobId }).some(({ status }) => !isTerminal(status));
    const image = open ? await this.#store?.image(key) : undefined;
    if (!image) return;
    this.#images?.put(key, image);
    const streamId = streamOf(job);
    if (streamId) this.streams.create(streamId, [memoryFile(fileIdOf(job), image)]);
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
    const key = imageKey(updateId);
    this.#store?.requireRoom(options.image.length);
    const job = createUpdate(this, {
      ...rest,
      updateId,
      uuid: randomUUID(),
      url: rest.url ?? presignedPlaceholder(IMAGE_STORE + key),
      signature:
        signature === undefined
          ? signImage(options.image, identity!.privateKeyPem)
          : (signature ?? undefined),
    });
    this.#images?.put(key, options.image);
    this.#store?.putImage(key, options.image);
    return job;
  }

  /** As `JobService.cancelJob`. */
  cancel(jobId: string, force = false): Job {
    return this.jobs.cancelJob(jobId, force);
  }

  /** Deletes a job with its executions and its stream. As `JobService.deleteJob`. */
  delete(jobId: string, force = false): void {
    const streamId = streamOf(this.jobs.job(jobId));
    this.jobs.deleteJob(jobId, force);
    if (streamId && this.streams.has(streamId)) this.streams.delete(streamId);
    const key = imageKey(jobId.slice(OTA_PREFIX.length));
    this.#images?.delete(key);
    this.#store?.deleteImage(key);
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
    const names = new Set(this.#devices.names());
    for (const job of this.jobs.jobs()) for (const target of job.targets) names.add(target);
    return [...names].sort().map((thingName) => {
      const { connected, lastSeen, reported } = this.#devices.get(thingName) ?? {};
      return { thingName, connected, lastSeen, reported };
    });
  }

  /** Resolves when every change so far is stored. @throws ServiceError StorageFull when they can not be at present */
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

function imageKey(updateId: string): string {
  return `${updateId}.bin`;
}
