/**
 * The state of the service in a directory: jobs, executions with their history, devices, images. Kept in LevelDB,
 * whose writes survive the end of the process at any moment: what is written is there, whole, or not at all.
 * Changes are gathered and written in one batch while the turn goes on; what depends on them waits for the batch.
 * A batch that cannot be written, as on a full disk, is tried again until it can; meanwhile nobody hears of it.
 * @module
 */
import { statfsSync } from "node:fs";
import { type BatchOperation, ClassicLevel } from "classic-level";
import type { DeviceRecord } from "./devices.js";
import { ServiceError } from "./errors.js";
import type { Execution, Job } from "./job-records.js";
import { makeFolder } from "./make-folder.js";
import type { Credentials } from "./presign.js";

export interface StoreOptions {
  /** Told when changes could not be written, once until they are; what waits for them does not happen before. */
  failed?(error: Error): void;
  /** Waits for the disk with every batch: also survives a power cut of the machine. Default false. */
  durable?: boolean;
  /** Stands between the store and its database, for tests. */
  write?: (operations: readonly Operation[], write: () => Promise<void>) => Promise<void>;
  /** Time until a write is tried again, ms; doubled up to `RETRY_LIMIT_MS`. Default 1000. */
  retryMs?: number;
}

type Level = ClassicLevel<string, unknown>;
type Operation = BatchOperation<Level, string, unknown>;
type Name = "meta" | "jobs" | "executions" | "devices" | "images";

/** Of the keys and values below. */
const FORMAT = 1;
const RETRY_MS = 1000;
const RETRY_LIMIT_MS = 30_000;
/** Messages held back while nothing can be written; the oldest are lost, as on a network. */
const WAITING_LIMIT = 10_000;
/** Left free for what devices report, bytes. */
const RESERVE = 16 * 1_048_576;

export class ServiceStore {
  readonly #directory: string;
  readonly #options: StoreOptions;
  #level: Level;
  /** By sublevel and key: of several changes to one record the last counts. */
  #operations = new Map<string, Operation>();
  #waiting: (() => void)[] = [];
  #writing: Promise<void> | undefined;
  #problem: string | undefined;
  #closing = false;
  #wake: (() => void) | undefined;

  /**
   * Opens a directory, or makes it. One process at a time can have it open.
   * @throws Error when it cannot be used, is in use, or comes from another release
   */
  static async open(directory: string, options: StoreOptions = {}): Promise<ServiceStore> {
    makeFolder(directory);
    const store = new ServiceStore(directory, options, await openLevel(directory));
    const meta = store.#sublevel<unknown>("meta", "json");
    const format = await meta.get("format");
    if (format !== undefined && format !== FORMAT) {
      await store.#level.close();
      throw new Error(`the state in ${directory} has format ${format}; this release knows ${FORMAT}`);
    }
    try {
      await meta.put("format", FORMAT);
    } catch (error) {
      await store.#level.close();
      throw new Error(`the state in ${directory} cannot be written: ${diskProblem(error)}`, {
        cause: error,
      });
    }
    return store;
  }

  private constructor(directory: string, options: StoreOptions, level: Level) {
    this.#directory = directory;
    this.#options = options;
    this.#level = level;
  }

  /** Why nothing can be written at present, in words. */
  get problem(): string | undefined {
    return this.#problem;
  }

  jobs(): Promise<Job[]> {
    return this.#sublevel<Job>("jobs", "json").values().all();
  }

  executions(): Promise<Execution[]> {
    return this.#sublevel<Execution>("executions", "json").values().all();
  }

  devices(): Promise<DeviceRecord[]> {
    return this.#sublevel<DeviceRecord>("devices", "json").values().all();
  }

  image(key: string): Promise<Uint8Array | undefined> {
    return this.#sublevel<Uint8Array>("images", "view").get(key);
  }

  /** What signs URLs: made once, so that URLs stay good over a restart. */
  async credentials(make: () => Credentials): Promise<Credentials> {
    const meta = this.#sublevel<unknown>("meta", "json");
    const kept = await meta.get("credentials");
    if (kept) return kept as Credentials;
    const credentials = make();
    await meta.put("credentials", credentials);
    return credentials;
  }

  putJob(job: Job): void {
    this.#put("jobs", job.jobId, job);
  }

  putExecution(execution: Execution): void {
    this.#put("executions", executionKey(execution), execution);
  }

  putDevice(device: DeviceRecord): void {
    this.#put("devices", device.thingName, device);
  }

  putImage(key: string, bytes: Uint8Array): void {
    this.#add("images", { type: "put", sublevel: this.#sublevel("images", "view"), key, value: bytes });
  }

  deleteJob(jobId: string, executions: readonly Execution[]): void {
    this.#delete("jobs", jobId);
    for (const execution of executions) this.#delete("executions", executionKey(execution));
  }

  deleteExecution(execution: Execution): void {
    this.#delete("executions", executionKey(execution));
  }

  deleteDevice(thingName: string): void {
    this.#delete("devices", thingName);
  }

  deleteImage(key: string): void {
    this.#delete("images", key);
  }

  /**
   * Throws when so many bytes and a reserve do not fit the disk, or nothing can be written at present.
   * @throws ServiceError StorageFull
   */
  requireRoom(bytes: number): void {
    if (this.#problem) throw new ServiceError("StorageFull", `Nothing can be stored: ${this.#problem}.`);
    const { bavail, bsize } = statfsSync(this.#directory);
    // A database keeps a record twice for some time.
    const needed = 2 * bytes + RESERVE;
    if (bavail * bsize < needed)
      throw new ServiceError(
        "StorageFull",
        `The disk has ${Math.floor((bavail * bsize) / 1024)} KB left, and ${Math.ceil(needed / 1024)} KB are needed.`,
      );
  }

  /** Does `action` once every change so far is written: at once when there is none. */
  afterwards(action: () => void): void {
    if (!this.#writing) {
      action();
      return;
    }
    this.#waiting.push(action);
    if (this.#waiting.length > WAITING_LIMIT) this.#waiting.shift();
  }

  /** @throws TypeError when the value cannot be written as JSON */
  #put(name: Name, key: string, value: unknown): void {
    const text = JSON.stringify(value);
    this.#add(name, { type: "put", sublevel: this.#sublevel(name, "utf8"), key, value: text });
  }

  #delete(name: Name, key: string): void {
    this.#add(name, { type: "del", sublevel: this.#sublevel(name, "utf8"), key });
  }

  #sublevel<T>(name: Name, valueEncoding: string) {
    return this.#level.sublevel<string, T>(name, { valueEncoding });
  }

  #add(name: Name, operation: Operation): void {
    const key = `${name}/${operation.key}`;
    this.#operations.delete(key);
    this.#operations.set(key, operation);
    this.#writing ??= this.#write();
  }

  async #write(): Promise<void> {
    await undefined;
    let wait = this.#options.retryMs ?? RETRY_MS;
    while (this.#operations.size > 0 || this.#waiting.length > 0) {
      const operations = this.#operations;
      const waiting = this.#waiting;
      this.#operations = new Map();
      this.#waiting = [];
      try {
        await this.#batch([...operations.values()]);
        this.#problem = undefined;
        wait = this.#options.retryMs ?? RETRY_MS;
      } catch (error) {
        for (const [key, operation] of this.#operations) {
          operations.delete(key);
          operations.set(key, operation);
        }
        this.#operations = operations;
        this.#waiting = [...waiting, ...this.#waiting].slice(-WAITING_LIMIT);
        this.#fail(error as Error);
        if (this.#closing) break;
        await this.#pause(wait);
        wait = Math.min(2 * wait, RETRY_LIMIT_MS);
        await this.#reopen();
        continue;
      }
      for (const action of waiting) action();
    }
    this.#writing = undefined;
  }

  async #batch(operations: readonly Operation[]): Promise<void> {
    if (operations.length === 0) return;
    const write = () => this.#level.batch([...operations], { sync: this.#options.durable ?? false });
    await (this.#options.write ?? ((_operations, go) => go()))(operations, write);
  }

  #fail(error: Error): void {
    const isNew = this.#problem === undefined;
    this.#problem = diskProblem(error);
    if (isNew)
      this.#options.failed?.(
        new Error(`the state in ${this.#directory} cannot be written: ${this.#problem}`, { cause: error }),
      );
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** The log of a database may end in half a record after a failure; opened again, it begins a new one. */
  async #reopen(): Promise<void> {
    if (this.#options.write) return;
    try {
      await this.#level.close();
      await this.#level.open();
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  /** Resolves when everything so far is written. @throws ServiceError StorageFull when it cannot be at present */
  async settled(): Promise<void> {
    while (this.#writing) {
      if (this.#problem) throw new ServiceError("StorageFull", `Nothing can be stored: ${this.#problem}.`);
      const written = new Promise<void>((resolve) => this.afterwards(resolve));
      // A failure shows in `problem`, and is looked for while waiting.
      await Promise.race([written, new Promise((resolve) => setTimeout(resolve, 50).unref())]);
    }
  }

  /** Tries once more to write what is not written yet. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#wake?.();
    await this.#writing;
    await this.#level.close();
  }
}

/** Why a disk does not take something, in words. */
export function diskProblem(error: unknown): string {
  const { code, message, cause } = error as NodeJS.ErrnoException;
  const text = `${code ?? ""} ${message} ${(cause as Error | undefined)?.message ?? ""}`;
  if (/ENOSPC|no space left/i.test(text)) return "the disk is full";
  if (/EDQUOT|quota/i.test(text)) return "the disk quota is used up";
  if (/EFBIG|file too large/i.test(text)) return "a file has reached the largest size allowed";
  if (/EROFS|read-only/i.test(text)) return "the disk is read-only";
  if (/EACCES|EPERM|permission denied/i.test(text)) return "permission denied";
  return (cause as Error | undefined)?.message ?? message;
}

async function openLevel(directory: string): Promise<Level> {
  const level: Level = new ClassicLevel(directory, { valueEncoding: "json" });
  try {
    await level.open();
  } catch (error) {
    const cause = (error as Error).cause as (Error & { code?: string }) | undefined;
    const locked = cause?.code === "LEVEL_LOCKED";
    const reason = locked ? "another process uses it" : diskProblem(error);
    throw new Error(`the state in ${directory} cannot be opened: ${reason}`, { cause: error });
  }
  return level;
}

function executionKey({ thingName, jobId, executionNumber }: Execution): string {
  return `${thingName}/${jobId}/${executionNumber}`;
}
