/**
 * The development service with what a person at a desk needs around it: state in a folder, a signing identity, a
 * folder of images to choose from, and views of it all that say when they change.
 * @module
 */
import { EventEmitter } from "node:events";
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { describeApp, imageBytes } from "../hosts/formats/esp-image-layout.js";
import { replaceFile } from "../hosts/node/replace-file.js";
import { ServiceError } from "./errors.js";
import { DevelopmentService, type ServiceOptions } from "./index.js";
import { type ImageInspection, inspectImageBytes } from "./inspection.js";
import type { Execution } from "./job-records.js";
import { readRegularFile } from "./regular-file.js";
import type { SigningIdentity } from "./signer.js";
import { diskProblem } from "./store.js";
import {
  type DeviceView,
  deviceView,
  type ExecutionView,
  executionView,
  type HistoryView,
  historyView,
  type ImageLabel,
  type JobView,
  jobView,
} from "./views.js";

export interface DeskOptions extends Pick<ServiceOptions, "broker" | "listen" | "http"> {
  /** Keeps everything over restarts. */
  readonly folder: string;
  /** Signs what is deployed without a signature of its own. */
  readonly identity?: SigningIdentity;
  /** Folder with images to choose from. */
  readonly images?: string;
}

export interface DeskDeployment {
  readonly image: Uint8Array;
  /** As the person knows the file; folders are cut off. */
  readonly fileName: string;
  /** Thing names, or every device known. */
  readonly things: readonly string[] | "all";
  readonly protocols?: readonly ("MQTT" | "HTTP")[];
  readonly signature?: { readonly key: string; readonly value: string };
  readonly certFile?: string;
  readonly timeoutInMinutes?: number;
  readonly retries?: number;
}

/** Everything at one moment. */
export interface DeskState {
  readonly devices: readonly DeviceView[];
  readonly jobs: readonly JobView[];
  readonly executions: readonly ExecutionView[];
}

/** What has changed since the change before. */
export interface DeskChange extends DeskState {
  /** Jobs that are gone. */
  readonly deleted: readonly string[];
}

export interface ImageFile {
  readonly name: string;
  readonly inspection?: ImageInspection;
  /** Why it can not be used. */
  readonly problem?: string;
}

export interface DeskEvents {
  change: [DeskChange];
  failure: [Error];
}

/** Least time between two changes told of, ms: progress of a fleet comes in bursts. */
const CHANGE_MS = 100;
/** Larger files are no firmware. */
const IMAGE_LIMIT = 24 * 1_048_576;
/** Files of a folder that are offered. */
const FOLDER_LIMIT = 1000;

export class Desk extends EventEmitter<DeskEvents> {
  readonly service: DevelopmentService;
  readonly #options: DeskOptions;
  readonly #labels: Map<string, ImageLabel>;
  readonly #inspections = new Map<string, { readonly stamp: string; readonly file: ImageFile }>();
  readonly #changedThings = new Set<string>();
  readonly #changedJobs = new Set<string>();
  readonly #changedExecutions = new Map<string, Execution>();
  readonly #deleted = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  /** @throws Error when the folder, an address or the broker can not be used */
  static async open(options: DeskOptions): Promise<Desk> {
    const { folder, broker, listen, http, identity } = options;
    mkdirSync(folder, { recursive: true });
    const labels = readLabels(labelFile(folder));
    const service = await DevelopmentService.start({
      ...{ broker, listen, http, identity },
      state: join(folder, "state"),
    });
    return new Desk(options, service, labels);
  }

  private constructor(options: DeskOptions, service: DevelopmentService, labels: Map<string, ImageLabel>) {
    super();
    this.#options = options;
    this.service = service;
    this.#labels = labels;
    service.on("device", ({ thingName }) => this.#touch(this.#changedThings, thingName));
    service.on("job", ({ jobId }) => this.#touch(this.#changedJobs, jobId));
    service.on("deleted", (jobId) => this.#touch(this.#deleted, jobId));
    service.on("failure", (error) => this.emit("failure", error));
    service.on("execution", (execution) => {
      const { thingName, jobId, executionNumber } = execution;
      this.#changedExecutions.set(`${thingName} ${jobId} ${executionNumber}`, execution);
      this.#changedThings.add(thingName);
      this.#touch(this.#changedJobs, jobId);
    });
  }

  /** PEM; undefined when nothing is signed here. */
  get certificate(): string | undefined {
    return this.#options.identity?.certificatePem;
  }

  state(): DeskState {
    const { jobs } = this.service;
    return {
      devices: this.#deviceViews(),
      jobs: jobs.jobs().map(({ jobId }) => this.#jobView(jobId)),
      executions: jobs.executions().map(executionView),
    };
  }

  /** A job with the history of every execution. @throws ServiceError ResourceNotFound */
  job(jobId: string): { job: JobView; executions: (ExecutionView & { history: HistoryView[] })[] } {
    const job = this.#jobView(jobId);
    const executions = this.service.jobs
      .executions({ jobId })
      .map((execution) => ({ ...executionView(execution), history: historyView(execution) }));
    return { job, executions };
  }

  /**
   * Signs an image unless it comes with a signature, and creates the job. Stored when this resolves.
   * @throws ServiceError InvalidRequest and others, in words
   */
  async deploy(deployment: DeskDeployment): Promise<JobView> {
    const { image, fileName, signature, certFile, timeoutInMinutes, retries, protocols } = deployment;
    const known = this.service.devices().map(({ thingName }) => thingName);
    const things = deployment.things === "all" ? known : deployment.things;
    if (things.length === 0) throw new ServiceError("InvalidRequest", "No device is known yet.");
    if (!signature && !this.#options.identity)
      throw new ServiceError(
        "InvalidRequest",
        "There is no signing key here: give a signature, or start with a key.",
      );
    const job = this.service.deploy({
      ...{ image, things, signature, certFile, timeoutInMinutes },
      protocols: protocols && protocols.length > 0 ? protocols : undefined,
      retries: retries === undefined ? undefined : { failed: retries },
    });
    this.#labels.set(job.jobId, labelOf(image, basename(fileName)));
    try {
      this.#saveLabels();
      await this.service.settled();
    } catch (error) {
      // No device has heard of it: what is not stored is not sent.
      this.#labels.delete(job.jobId);
      this.service.delete(job.jobId, true);
      throw error instanceof ServiceError
        ? error
        : new ServiceError("StorageFull", `Nothing can be stored: ${diskProblem(error)}.`);
    }
    return this.#jobView(job.jobId);
  }

  /** Cancels a job, also where it is in progress. @throws ServiceError */
  async cancel(jobId: string): Promise<JobView> {
    this.service.cancel(jobId, true);
    await this.service.settled();
    return this.#jobView(jobId);
  }

  /** Forgets a job. @throws ServiceError */
  async delete(jobId: string): Promise<void> {
    this.service.delete(jobId, true);
    this.#labels.delete(jobId);
    this.#saveLabels();
    await this.service.settled();
  }

  /** The images in the folder, by name. */
  images(): ImageFile[] {
    const { images } = this.#options;
    if (images === undefined) return [];
    let names: string[];
    try {
      names = readdirSync(images);
    } catch (error) {
      throw new ServiceError(
        "ResourceNotFound",
        `The folder of images can not be read: ${diskProblem(error)}.`,
      );
    }
    const wanted = names.filter((name) => name.endsWith(".bin")).slice(0, FOLDER_LIMIT);
    return wanted.sort().map((name) => this.#inspect(join(images, name), name));
  }

  /** One of `images`. @throws ServiceError ResourceNotFound */
  image(name: string): Uint8Array {
    const { images } = this.#options;
    if (images === undefined || !this.images().some((file) => file.name === name))
      throw new ServiceError("ResourceNotFound", `There is no image "${name}" in the folder.`);
    try {
      return readRegularFile(join(images, name), IMAGE_LIMIT);
    } catch (error) {
      throw new ServiceError(
        "ResourceNotFound",
        `The image "${name}" can not be used: ${(error as Error).message}.`,
      );
    }
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.service.close();
  }

  #deviceViews(only?: ReadonlySet<string>): DeviceView[] {
    const devices = this.service.devices();
    return devices
      .filter(({ thingName }) => !only || only.has(thingName))
      .map((device) => deviceView(device, this.service.jobs.executions({ thingName: device.thingName })));
  }

  #jobView(jobId: string): JobView {
    const { jobs } = this.service;
    return jobView(jobs.job(jobId), jobs.executions({ jobId }), this.#labels.get(jobId));
  }

  #touch(set: Set<string>, name: string): void {
    set.add(name);
    this.#timer ??= setTimeout(() => this.#tell(), CHANGE_MS);
  }

  #tell(): void {
    this.#timer = undefined;
    const alive = new Set(this.service.jobs.jobs().map(({ jobId }) => jobId));
    const change = {
      devices: this.#deviceViews(this.#changedThings),
      jobs: [...this.#changedJobs].filter((jobId) => alive.has(jobId)).map((jobId) => this.#jobView(jobId)),
      executions: [...this.#changedExecutions.values()]
        .filter(({ jobId }) => alive.has(jobId))
        .map(executionView),
      deleted: [...this.#deleted].filter((jobId) => !alive.has(jobId)),
    };
    for (const set of [this.#changedThings, this.#changedJobs, this.#changedExecutions, this.#deleted])
      set.clear();
    this.emit("change", change);
  }

  #inspect(path: string, name: string): ImageFile {
    const stamp = stampOf(path);
    const known = this.#inspections.get(path);
    if (known?.stamp === stamp) return known.file;
    const file = inspectFile(path, name);
    this.#inspections.set(path, { stamp, file });
    return file;
  }

  #saveLabels(): void {
    replaceFile(labelFile(this.#options.folder), JSON.stringify(Object.fromEntries(this.#labels)));
  }
}

/** Changes when a file does. */
function stampOf(path: string): string {
  try {
    const { ino, size, mtimeMs } = statSync(path);
    return `${ino} ${size} ${mtimeMs}`;
  } catch {
    return "";
  }
}

function inspectFile(path: string, name: string): ImageFile {
  try {
    return { name, inspection: inspectImageBytes(readRegularFile(path, IMAGE_LIMIT)) };
  } catch (error) {
    return { name, problem: (error as Error).message };
  }
}

function labelOf(image: Uint8Array, fileName: string): ImageLabel {
  const size = image.length;
  try {
    const { projectName: project, version } = describeApp(imageBytes(image));
    return { fileName, size, project, version, chip: inspectImageBytes(image).chip };
  } catch {
    // A file that is no image can be deployed too, to see it refused.
    return { fileName, size };
  }
}

function labelFile(folder: string): string {
  return join(folder, "images.json");
}

function readLabels(path: string): Map<string, ImageLabel> {
  try {
    return new Map(Object.entries(JSON.parse(readFileSync(path, "utf8")) as Record<string, ImageLabel>));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return new Map();
    throw new Error(`${path} is damaged: ${(error as Error).message}`);
  }
}
