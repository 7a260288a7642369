/**
 * The development service: the roles of AWS IoT Jobs, file streams and the OTA service on one machine.
 * A tool for developing and testing devices; a fleet uses AWS IoT Core, and the agent does not know the difference.
 * @module
 */
import { randomUUID } from "node:crypto";
import { EventEmitter } from "node:events";
import { type Broker, connectBroker, type EmbeddedBrokerOptions, startEmbeddedBroker } from "./broker.js";
import type { Intercept, Publish } from "./delivery.js";
import { OTA_PREFIX, presignedPlaceholder, signPlaceholders } from "./documents.js";
import { ServiceError } from "./errors.js";
import { ImageServer, type ImageServerOptions } from "./http.js";
import type { Execution, Job } from "./job-records.js";
import { JobService, type JobServiceOptions } from "./jobs.js";
import { nodeClock } from "./node-clock.js";
import { type SigningIdentity, signImage } from "./signer.js";
import { StreamService } from "./streams.js";
import { createUpdate, streamOf, type UpdateOptions } from "./updates.js";

export interface ServiceOptions {
  /** URL of a broker to serve through; default: an embedded one. */
  broker?: string;
  /** Address and TLS of the embedded broker. */
  listen?: EmbeddedBrokerOptions;
  /** Signs what is deployed without a signature of its own. */
  identity?: Pick<SigningIdentity, "privateKeyPem">;
  /** The image server for the HTTP data plane. */
  http?: ImageServerOptions;
  /** Faults on request, for tests. */
  intercept?: Intercept;
  /** As in `JobServiceOptions`. */
  mergeDetails?: boolean;
  rejectInProgress?: boolean;
  /** As in `JobServiceOptions`; streams have to be created again. */
  restore?: JobServiceOptions["restore"];
}

export type DeployOptions = Omit<UpdateOptions, "updateId" | "uuid" | "signature" | "url"> & {
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
}

export interface ServiceEvents {
  /** A job was created or its status changed. */
  job: [Job];
  /** An execution was queued or changed, progress included. */
  execution: [Execution];
  /** A job and its executions are gone. */
  deleted: [jobId: string];
  /** A device was seen for the first time, connected or disconnected. */
  device: [Device];
  /** The connection to a broker elsewhere failed; it is tried again. */
  failure: [Error];
}

/** Stands for the image server in stored documents: its address is another after a restart. */
const IMAGE_STORE = "s3://images/";

export class DevelopmentService extends EventEmitter<ServiceEvents> {
  readonly jobs: JobService;
  readonly streams: StreamService;
  readonly #options: ServiceOptions;
  readonly #devices = new Map<string, Device & { clientId: string | undefined }>();
  #broker: Broker | undefined;
  #images: ImageServer | undefined;

  /**
   * Starts a service.
   * @throws Error when an address can not be used, or the broker does not answer
   */
  static async start(options: ServiceOptions = {}): Promise<DevelopmentService> {
    const service = new DevelopmentService(options);
    try {
      await service.#start();
    } catch (error) {
      await service.close();
      throw error;
    }
    return service;
  }

  private constructor(options: ServiceOptions) {
    super();
    this.#options = options;
    const { intercept, mergeDetails, rejectInProgress, restore } = options;
    const publish: Publish = (topic, payload, qos) => this.#broker?.publish(topic, payload, qos);
    this.jobs = new JobService({
      clock: nodeClock,
      epoch: performance.timeOrigin,
      publish,
      intercept,
      mergeDetails,
      rejectInProgress,
      deliverDocument: (document) => signPlaceholders(document, (url) => this.#imageUrl(url)),
      restore,
      observer: {
        job: (job) => this.emit("job", job),
        execution: (execution) => this.emit("execution", execution),
        deleted: (jobId) => this.emit("deleted", jobId),
      },
    });
    this.streams = new StreamService({ clock: nodeClock, publish, intercept });
  }

  /** Where devices connect: `mqtt://…` or `mqtts://…`. */
  get url(): string {
    return this.#broker?.url ?? "";
  }

  /** Where devices get images: `http://host:port` or `https://host:port`. */
  get httpOrigin(): string {
    return this.#images?.origin ?? "";
  }

  #imageUrl(url: string): string {
    return url.startsWith(IMAGE_STORE) ? this.#images!.url(url.slice(IMAGE_STORE.length)) : url;
  }

  async #start(): Promise<void> {
    const handler = {
      message: (topic: string, payload: Uint8Array, reply: Publish, clientId?: string) => {
        const match = /^\$aws\/things\/([^/]+)\//.exec(topic);
        if (match) this.#seen(match[1], clientId);
        if (!this.jobs.handle(topic, payload, reply)) this.streams.handle(topic, payload, reply);
      },
      connected: (clientId: string) => this.#connection(clientId, true),
      disconnected: (clientId: string) => this.#connection(clientId, false),
      failed: (error: Error) => this.emit("failure", error),
    };
    const { broker, http, listen } = this.#options;
    this.#images = await ImageServer.start(http);
    this.#broker = broker ? await connectBroker(handler, broker) : await startEmbeddedBroker(handler, listen);
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
    const job = createUpdate(this, {
      ...rest,
      updateId,
      uuid: randomUUID(),
      url: presignedPlaceholder(IMAGE_STORE + key),
      signature:
        signature === undefined
          ? signImage(options.image, identity!.privateKeyPem)
          : (signature ?? undefined),
    });
    this.#images?.put(key, options.image);
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
    this.#images?.delete(imageKey(jobId.slice(OTA_PREFIX.length)));
  }

  /**
   * Resolves with the execution once it has ended (a retry follows as another execution).
   * @param timeoutMs gives up with a ServiceError after so many milliseconds
   */
  async ended(jobId: string, thingName: string, timeoutMs = 60_000): Promise<Execution> {
    const current = this.jobs.execution(thingName, jobId);
    if (current.status !== "QUEUED" && current.status !== "IN_PROGRESS") return current;
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
        if (execution.status === "QUEUED" || execution.status === "IN_PROGRESS") return;
        finish();
        resolve(execution);
      };
      this.on("execution", listener);
    });
  }

  devices(): Device[] {
    const names = new Set(this.#devices.keys());
    for (const job of this.jobs.jobs()) for (const target of job.targets) names.add(target);
    return [...names].sort().map((thingName) => {
      const { connected, lastSeen } = this.#devices.get(thingName) ?? {};
      return { thingName, connected, lastSeen };
    });
  }

  #seen(thingName: string, clientId: string | undefined): void {
    const known = this.#devices.get(thingName);
    const connected = clientId === undefined ? undefined : true;
    const device = { thingName, clientId, connected, lastSeen: this.jobs.now() };
    this.#devices.set(thingName, device);
    if (!known || known.connected !== connected) this.emit("device", device);
  }

  #connection(clientId: string, connected: boolean): void {
    for (const [thingName, device] of this.#devices) {
      if (device.clientId !== clientId || device.connected === connected) continue;
      const changed = { ...device, connected };
      this.#devices.set(thingName, changed);
      this.emit("device", changed);
    }
  }

  /** Stops serving. */
  async close(): Promise<void> {
    this.jobs.close();
    this.streams.close();
    await Promise.all([this.#broker?.close(), this.#images?.close()]);
    this.#broker = undefined;
    this.#images = undefined;
  }
}

function imageKey(updateId: string): string {
  return `${updateId}.bin`;
}
