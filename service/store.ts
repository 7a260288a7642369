/**
 * The state of the service in a directory: jobs, executions with their history, devices, images. Kept in LevelDB,
 * whose writes survive the end of the process at any moment: what is written is there, whole, or not at all.
 * Changes are gathered and written in one batch while the turn goes on; what depends on them waits for the batch.
 * @module
 */
import { mkdirSync } from "node:fs";
import { type BatchOperation, ClassicLevel } from "classic-level";
import type { DeviceRecord } from "./devices.js";
import type { Execution, Job } from "./job-records.js";
import type { Credentials } from "./presign.js";

export interface StoreOptions {
  /** Told when changes could not be written; what waited for them does not happen. */
  failed?(error: Error): void;
  /** Waits for the disk with every batch: also survives a power cut of the machine. Default false. */
  durable?: boolean;
}

type Level = ClassicLevel<string, unknown>;
type Operation = BatchOperation<Level, string, unknown>;

/** Of the keys and values below. */
const FORMAT = 1;

export class ServiceStore {
  readonly #level: Level;
  readonly #options: StoreOptions;
  readonly #meta;
  readonly #jobs;
  readonly #executions;
  readonly #devices;
  readonly #images;
  #operations: Operation[] = [];
  #waiting: (() => void)[] = [];
  #writing: Promise<void> | undefined;

  /**
   * Opens a directory, or makes it. One process at a time can have it open.
   * @throws Error when it can not be used, is in use, or comes from another release
   */
  static async open(directory: string, options: StoreOptions = {}): Promise<ServiceStore> {
    mkdirSync(directory, { recursive: true });
    const level: Level = new ClassicLevel(directory, { valueEncoding: "json" });
    try {
      await level.open();
    } catch (error) {
      const cause = (error as Error).cause as (Error & { code?: string }) | undefined;
      const locked = cause?.code === "LEVEL_LOCKED";
      const reason = locked ? "another process uses it" : (cause?.message ?? (error as Error).message);
      throw new Error(`the state in ${directory} can not be opened: ${reason}`, { cause: error });
    }
    const store = new ServiceStore(level, options);
    const format = await store.#meta.get("format");
    if (format !== undefined && format !== FORMAT) {
      await level.close();
      throw new Error(`the state in ${directory} has format ${format}; this release knows ${FORMAT}`);
    }
    await store.#meta.put("format", FORMAT);
    return store;
  }

  private constructor(level: Level, options: StoreOptions) {
    this.#level = level;
    this.#options = options;
    this.#meta = sublevel<unknown>(level, "meta", "json");
    this.#jobs = sublevel<Job>(level, "jobs", "json");
    this.#executions = sublevel<Execution>(level, "executions", "json");
    this.#devices = sublevel<DeviceRecord>(level, "devices", "json");
    this.#images = sublevel<Uint8Array>(level, "images", "view");
  }

  jobs(): Promise<Job[]> {
    return this.#jobs.values().all();
  }

  executions(): Promise<Execution[]> {
    return this.#executions.values().all();
  }

  devices(): Promise<DeviceRecord[]> {
    return this.#devices.values().all();
  }

  image(key: string): Promise<Uint8Array | undefined> {
    return this.#images.get(key);
  }

  /** What signs URLs: made once, so that URLs stay good over a restart. */
  async credentials(make: () => Credentials): Promise<Credentials> {
    const kept = await this.#meta.get("credentials");
    if (kept) return kept as Credentials;
    const credentials = make();
    await this.#meta.put("credentials", credentials);
    return credentials;
  }

  putJob(job: Job): void {
    this.#put(this.#jobs, job.jobId, job);
  }

  putExecution(execution: Execution): void {
    this.#put(this.#executions, executionKey(execution), execution);
  }

  putDevice(device: DeviceRecord): void {
    this.#put(this.#devices, device.thingName, device);
  }

  putImage(key: string, bytes: Uint8Array): void {
    this.#put(this.#images, key, bytes);
  }

  deleteJob(jobId: string, executions: readonly Execution[]): void {
    this.#delete(this.#jobs, jobId);
    for (const execution of executions) this.#delete(this.#executions, executionKey(execution));
  }

  deleteImage(key: string): void {
    this.#delete(this.#images, key);
  }

  /** Does `action` once every change so far is written: at once when there is none. */
  afterwards(action: () => void): void {
    if (!this.#writing) {
      action();
      return;
    }
    this.#waiting.push(action);
  }

  #put(sublevel: Operation["sublevel"], key: string, value: unknown): void {
    this.#add({ type: "put", sublevel, key, value });
  }

  #delete(sublevel: Operation["sublevel"], key: string): void {
    this.#add({ type: "del", sublevel, key });
  }

  #add(operation: Operation): void {
    this.#operations.push(operation);
    this.#writing ??= this.#write();
  }

  async #write(): Promise<void> {
    await undefined;
    while (this.#operations.length > 0 || this.#waiting.length > 0) {
      const operations = this.#operations;
      const waiting = this.#waiting;
      this.#operations = [];
      this.#waiting = [];
      try {
        if (operations.length > 0)
          await this.#level.batch(operations, { sync: this.#options.durable ?? false });
      } catch (error) {
        this.#options.failed?.(error as Error);
        continue;
      }
      for (const action of waiting) action();
    }
    this.#writing = undefined;
  }

  /** Resolves when everything so far is written. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  async close(): Promise<void> {
    await this.settled();
    await this.#level.close();
  }
}

function sublevel<T>(level: Level, name: string, valueEncoding: string) {
  return level.sublevel<string, T>(name, { valueEncoding });
}

function executionKey({ thingName, jobId, executionNumber }: Execution): string {
  return `${thingName}/${jobId}/${executionNumber}`;
}
