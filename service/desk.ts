/**
 * The development service with what a person at a desk needs around it: state in a folder, a signing identity, a
 * folder of images to choose from, and views of it all that say when they change.
 * @module
 */
import { EventEmitter } from "node:events";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { describeApp, imageBytes } from "../hosts/formats/esp-image-layout.js";
import { compareVersions } from "../src/slot/version.js";
import { ServiceError } from "./errors.js";
import { DevelopmentService, type ServiceOptions } from "./index.js";
import { type ImageInspection, inspectImageBytes } from "./inspection.js";
import { checkThingName, type Execution, isTerminal, type Job } from "./job-records.js";
import { type DeviceList, type JobList, type ListQuery, listDevices, listJobs } from "./lists.js";
import { makeFolder } from "./make-folder.js";
import { type MadePayload, type MakePayload, PayloadMaker, type PayloadWish } from "./payload-maker.js";
import { readRegularFile } from "./regular-file.js";
import type { SigningIdentity } from "./signer.js";
import { diskProblem } from "./store.js";
import type { UpdatePayload } from "./updates.js";
import {
  type DeviceView,
  deviceView,
  type ExecutionView,
  executionView,
  type HistoryView,
  historyView,
  type ImageLabel,
  isAway,
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
  /** Makes deltas and compressed images; without it they have to be brought along. */
  readonly makePayload?: MakePayload;
  /** Jobs that have ended are kept up to this age and number. Default: a year, 10,000. */
  readonly keep?: { readonly days?: number; readonly jobs?: number };
}

export interface DeskDeployment {
  readonly image: Uint8Array;
  /** Files that are the same image, smaller. */
  readonly payloads?: readonly UpdatePayload[];
  /** As the person knows the file; folders are cut off. */
  readonly fileName: string;
  /** Thing names, or every device known. */
  readonly things: readonly string[] | "all";
  readonly protocols?: readonly ("MQTT" | "HTTP")[];
  readonly signature?: { readonly key: string; readonly value: string };
  readonly certFile?: string;
  /** Of the first file. Default 0: an image. */
  readonly fileType?: number;
  readonly timeoutInMinutes?: number;
  /** For devices that failed, and for those that timed out. */
  readonly retries?: number;
  readonly retriesTimedOut?: number;
  /** Names of groups whose devices are targets, too. */
  readonly groups?: readonly string[];
  /** Makes things known that are not; they are refused otherwise. */
  readonly addThings?: boolean;
  readonly targetSelection?: Job["targetSelection"];
  readonly rollout?: Job["rollout"];
  readonly abort?: Job["abort"];
  readonly schedule?: Job["schedule"];
  readonly description?: string;
}

/** Who a deployment would touch. */
export interface DeploymentPreview {
  readonly things: readonly string[];
  readonly offline: readonly string[];
  /** What stands against it, in words. */
  readonly warnings: readonly string[];
  /** Bytes of the image. */
  readonly size: number;
  /** Files that are the same image, smaller. */
  readonly payloads: readonly PayloadPreview[];
}

export interface PayloadPreview {
  /** Name of the base; undefined for the compressed image. */
  readonly base?: string;
  /** How many of the devices say that they run the base. */
  readonly things?: number;
  /** Bytes. */
  readonly size: number;
}

/** A job as a page shows it. */
export interface JobBrief {
  readonly job: JobView;
  /** Of each device the latest attempt; the ones that failed first. */
  readonly executions: readonly ExecutionView[];
  /** Why devices failed, and how many of them; the most frequent first. */
  readonly reasons: readonly (readonly [reason: string, count: number])[];
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
  /** Devices that are gone. */
  readonly forgotten: readonly string[];
}

export interface ImageFile {
  readonly name: string;
  readonly inspection?: ImageInspection;
  /** Why it cannot be used. */
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
/** Executions and reasons of a brief view. */
const BRIEF_LIMIT = 100;
const REASONS_LIMIT = 20;
const BAD_PHASES: readonly string[] = Object.freeze(["failed", "refused", "rolled back", "timed out"]);
const DAY_MS = 86_400_000;
const KEEP_DAYS = 365;
const KEEP_JOBS = 10_000;
const PRUNE_MS = 3_600_000;
/** Files of a folder that are offered. */
const FOLDER_LIMIT = 1000;

export class Desk extends EventEmitter<DeskEvents> {
  readonly service: DevelopmentService;
  readonly #options: DeskOptions;
  /** Of jobs made by earlier releases. */
  readonly #labels: ReadonlyMap<string, ImageLabel>;
  readonly #maker: PayloadMaker | undefined;
  #pruning: NodeJS.Timeout;
  #revision = 0;
  readonly #inspections = new Map<string, { readonly stamp: string; readonly file: ImageFile }>();
  readonly #changedThings = new Set<string>();
  readonly #changedJobs = new Set<string>();
  readonly #changedExecutions = new Map<string, Execution>();
  readonly #deleted = new Set<string>();
  readonly #forgotten = new Set<string>();
  /** Views of devices, and the names of those whose view is of before. */
  readonly #known = new Map<string, DeviceView>();
  readonly #stale = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  /** @throws Error when the folder, an address or the broker cannot be used */
  static async open(options: DeskOptions): Promise<Desk> {
    const { folder, broker, listen, http, identity } = options;
    makeFolder(folder);
    const labels = readLabels(join(folder, "images.json"));
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
    this.#maker = options.makePayload && new PayloadMaker(options.makePayload);
    for (const { thingName } of service.devices()) this.#stale.add(thingName);
    service.on("device", ({ thingName }) => {
      this.#stale.add(thingName);
      this.#touch(this.#changedThings, thingName);
    });
    service.on("job", ({ jobId }) => this.#touch(this.#changedJobs, jobId));
    service.on("deleted", (jobId) => {
      for (const name of this.#known.keys()) this.#stale.add(name);
      this.#touch(this.#deleted, jobId);
    });
    service.on("forgotten", (thingName) => {
      this.#stale.add(thingName);
      this.#touch(this.#forgotten, thingName);
    });
    service.on("failure", (error) => this.emit("failure", error));
    this.#prune();
    this.#pruning = setInterval(() => this.#prune(), PRUNE_MS);
    this.#pruning.unref();
    service.on("execution", (execution) => {
      const { thingName, jobId, executionNumber } = execution;
      this.#changedExecutions.set(`${thingName} ${jobId} ${executionNumber}`, execution);
      this.#changedThings.add(thingName);
      this.#stale.add(thingName);
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

  /** A part of the list of devices. */
  listDevices(query: ListQuery): DeviceList {
    const { failedIn } = query;
    const failed =
      failedIn === undefined
        ? undefined
        : new Set(
            this.service.jobs
              .executions({ jobId: failedIn })
              .filter(({ status }) => status === "FAILED" || status === "REJECTED" || status === "TIMED_OUT")
              .map(({ thingName }) => thingName),
          );
    return listDevices(this.#views(), query, failed);
  }

  /** A part of the list of jobs, the latest first. */
  listJobs(query: ListQuery): JobList {
    const text = (job: Job) => {
      const { fileName, project, version } = this.#label(job) ?? {};
      return [job.jobId, fileName, project, version, job.status, ...(job.groups ?? [])].join(" ");
    };
    return listJobs(this.service.jobs.jobs(), query, text, ({ jobId }) => this.#jobView(jobId));
  }

  /** Views of all devices, made anew of those alone that have changed. */
  #views(): DeviceView[] {
    for (const name of this.#stale) {
      const device = this.service.device(name);
      if (device)
        this.#known.set(name, deviceView(device, this.service.jobs.executions({ thingName: name })));
      else this.#known.delete(name);
    }
    this.#stale.clear();
    return [...this.#known.values()];
  }

  /** A job with the history of every execution. @throws ServiceError ResourceNotFound */
  job(jobId: string): { job: JobView; executions: (ExecutionView & { history: HistoryView[] })[] } {
    const job = this.#jobView(jobId);
    const executions = this.service.jobs
      .executions({ jobId })
      .map((execution) => ({ ...executionView(execution), history: historyView(execution) }));
    return { job, executions };
  }

  /** Counts changes. */
  get revision(): number {
    return this.#revision;
  }

  /** A device with all that happened on it, the latest first. @throws ServiceError ResourceNotFound */
  device(thingName: string): {
    device: DeviceView;
    executions: (ExecutionView & { image?: ImageLabel; history: HistoryView[] })[];
  } {
    const device = this.service.device(thingName);
    if (!device) throw new ServiceError("ResourceNotFound", `There is no device "${thingName}".`);
    const executions = this.service.jobs.executions({ thingName });
    return {
      device: deviceView(device, executions),
      executions: executions.reverse().map((execution) => ({
        ...executionView(execution),
        image: this.#label(this.service.jobs.job(execution.jobId)),
        history: historyView(execution),
      })),
    };
  }

  /** Names a device, or puts it into groups. Stored when this resolves. @throws ServiceError */
  async editDevice(
    thingName: string,
    change: { label?: string; groups?: readonly string[] },
  ): Promise<DeviceView> {
    this.service.editDevice(thingName, change);
    await this.service.settled();
    return this.device(thingName).device;
  }

  /** Forgets a device. @throws ServiceError */
  async forgetDevice(thingName: string): Promise<void> {
    this.service.forgetDevice(thingName);
    await this.service.settled();
  }

  /** Smaller files for an image, which take their time. @throws ServiceError */
  async makePayloads(image: Uint8Array, wish: PayloadWish): Promise<MadePayload[]> {
    if (wish.bases.length === 0 && !wish.packed) return [];
    if (!this.#maker) throw new ServiceError("InvalidRequest", "No deltas are made here.");
    return await this.#maker.make(image, wish);
  }

  /** Whom a deployment would touch, and what stands against it. @throws ServiceError */
  preview(deployment: DeskDeployment, payloads: readonly MadePayload[] = []): DeploymentPreview {
    const things = this.#targets(deployment);
    const devices = things.map((name) => this.service.device(name));
    const offline = things.filter((_, index) => !devices[index] || isAway(devices[index]));
    const warnings: string[] = [];
    const { chip, project, version } = labelOf(deployment.image, "");
    const views = devices.flatMap((device) =>
      device ? deviceView(device, this.service.jobs.executions({ thingName: device.thingName })) : [],
    );
    const count = (test: (view: DeviceView) => boolean) => views.filter(test).length;
    const warn = (number: number, text: string) => {
      if (number > 0) warnings.push(`${number} of ${things.length} devices ${text}`);
    };
    warn(
      count(({ firmware }) => chip !== undefined && firmware.chip !== undefined && firmware.chip !== chip),
      `have another chip than ${chip}`,
    );
    warn(
      count(
        ({ firmware }) =>
          project !== undefined && firmware.project !== undefined && firmware.project !== project,
      ),
      `run another project than ${project}`,
    );
    warn(
      count(({ firmware }) => isOlder(version, firmware.version)),
      `run a newer version than ${version}`,
    );
    warn(
      count(({ firmware }) => isUnordered(version, firmware.version)),
      `run a version of which it cannot be told whether ${version} is newer`,
    );
    warn(
      count(({ firmware }) => firmware.version === version && version !== undefined),
      `run ${version} already`,
    );
    warn(
      count(({ update }) => update !== undefined && !update.ended),
      "have an update under way or waiting",
    );
    const { length: size } = deployment.image;
    return { things, offline, warnings, size, payloads: payloads.map((made) => payloadPreview(made, views)) };
  }

  #targets({ things, groups, addThings, targetSelection }: DeskDeployment): string[] {
    const devices = this.service.devices();
    const known = new Set(devices.map(({ thingName }) => thingName));
    const named = things === "all" ? [...known] : things;
    const unknown = named.filter((name) => !known.has(name));
    for (const name of unknown) checkThingName(name);
    if (unknown.length > 0 && !addThings)
      throw new ServiceError(
        "UnknownThing",
        `No device is known by the name ${unknown.slice(0, 3).join(", ")}${unknown.length > 3 ? " …" : ""}.`,
      );
    for (const group of groups ?? [])
      if (targetSelection !== "CONTINUOUS" && !devices.some((device) => device.groups.includes(group)))
        throw new ServiceError("ResourceNotFound", `No device is in the group "${group}".`);
    const members = devices.filter((device) => device.groups.some((group) => groups?.includes(group)));
    const all = [...new Set([...named, ...members.map(({ thingName }) => thingName)])];
    if (all.length === 0 && targetSelection !== "CONTINUOUS")
      throw new ServiceError("InvalidRequest", "No device is known yet.");
    return all;
  }

  /** A job with the executions that ask for a person first, and reasons of failure with their number. @throws ServiceError */
  briefJob(jobId: string): JobBrief {
    const job = this.#jobView(jobId);
    const latest = new Map(
      this.service.jobs.executions({ jobId }).map((execution) => [execution.thingName, execution]),
    );
    const reasons = new Map<string, number>();
    const views = [...latest.values()].map(executionView);
    for (const { phase, text } of views)
      if (BAD_PHASES.includes(phase))
        reasons.set(`${phase}: ${text}`, (reasons.get(`${phase}: ${text}`) ?? 0) + 1);
    const rank = ({ phase, ended }: ExecutionView) => (BAD_PHASES.includes(phase) ? 0 : ended ? 2 : 1);
    return {
      job,
      executions: views.sort((a, b) => rank(a) - rank(b)).slice(0, BRIEF_LIMIT),
      reasons: [...reasons].sort((a, b) => b[1] - a[1]).slice(0, REASONS_LIMIT),
    };
  }

  /**
   * Signs an image unless it comes with a signature, and creates the job. Stored when this resolves.
   * @throws ServiceError InvalidRequest and others, in words
   */
  async deploy(deployment: DeskDeployment): Promise<JobView> {
    const { image, payloads, fileName, signature, certFile, timeoutInMinutes, retries, protocols } =
      deployment;
    const { groups, targetSelection, rollout, abort, schedule, description } = deployment;
    const things = this.#targets(deployment);
    if (!signature && !this.#options.identity)
      throw new ServiceError(
        "InvalidRequest",
        "There is no signing key here: give a signature, or start with a key.",
      );
    const job = this.service.deploy({
      ...{
        image,
        payloads,
        things,
        signature,
        certFile,
        fileType: deployment.fileType,
        timeoutInMinutes,
        targetSelection,
        rollout,
        abort,
        schedule,
      },
      ...{ description, label: labelOf(image, basename(fileName)) },
      groups: groups && groups.length > 0 ? groups : undefined,
      protocols: protocols && protocols.length > 0 ? protocols : undefined,
      retries: { failed: retries, timedOut: deployment.retriesTimedOut },
    });
    try {
      await this.service.settled();
    } catch (error) {
      // No device has heard of it: what is not stored is not sent.
      this.service.delete(job.jobId, true);
      throw error;
    }
    return this.#jobView(job.jobId);
  }

  /** Cancels a job; with `force` also where it is in progress. @throws ServiceError */
  async cancel(jobId: string, force = true, comment?: string): Promise<JobView> {
    this.service.cancel(jobId, force, { reasonCode: "USER_INITIATED", ...(comment && { comment }) });
    await this.service.settled();
    return this.#jobView(jobId);
  }

  /** Offers a job to no further device. @throws ServiceError */
  async pause(jobId: string): Promise<JobView> {
    this.service.jobs.pauseJob(jobId);
    await this.service.settled();
    return this.#jobView(jobId);
  }

  /** @throws ServiceError */
  async resume(jobId: string): Promise<JobView> {
    this.service.jobs.resumeJob(jobId);
    await this.service.settled();
    return this.#jobView(jobId);
  }

  /** Forgets a job. @throws ServiceError */
  async delete(jobId: string): Promise<void> {
    this.service.delete(jobId, true);
    await this.service.settled();
  }

  /** Jobs that ended long ago, or too many of them, are forgotten. */
  #prune(): void {
    const { days = KEEP_DAYS, jobs: most = KEEP_JOBS } = this.#options.keep ?? {};
    const { jobs } = this.service;
    const ended = jobs.jobs().filter(({ status }) => status === "COMPLETED" || status === "CANCELED");
    const oldest = jobs.now() - days * DAY_MS;
    ended.sort((a, b) => b.lastUpdatedAt - a.lastUpdatedAt);
    for (const [index, { jobId, lastUpdatedAt }] of ended.entries()) {
      if (index < most && lastUpdatedAt >= oldest) continue;
      if (jobs.executions({ jobId }).every(({ status }) => isTerminal(status))) this.service.delete(jobId);
    }
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
        `The folder of images cannot be read: ${diskProblem(error)}.`,
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
        `The image "${name}" cannot be used: ${(error as Error).message}.`,
      );
    }
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    clearInterval(this.#pruning);
    await this.service.close();
  }

  #deviceViews(only?: ReadonlySet<string>): DeviceView[] {
    const { service } = this;
    const devices = only ? [...only].flatMap((name) => service.device(name) ?? []) : service.devices();
    return devices.map((device) =>
      deviceView(device, service.jobs.executions({ thingName: device.thingName })),
    );
  }

  #jobView(jobId: string): JobView {
    const { jobs } = this.service;
    const job = jobs.job(jobId);
    return jobView({ ...job, image: this.#label(job) }, jobs.executions({ jobId }), jobs.facts(job));
  }

  #label(job: Job): ImageLabel | undefined {
    return job.image ?? this.#labels.get(job.jobId);
  }

  #touch(set: Set<string>, name: string): void {
    set.add(name);
    this.#revision++;
    this.#timer ??= setTimeout(() => this.#tell(), CHANGE_MS);
  }

  #tell(): void {
    this.#timer = undefined;
    const things = new Set(this.#changedThings);
    const [jobs, executions] = [[...this.#changedJobs], [...this.#changedExecutions.values()]];
    const [deleted, forgotten] = [[...this.#deleted], [...this.#forgotten]];
    const alive = once(() => new Set(this.service.jobs.jobs().map(({ jobId }) => jobId)));
    // Of a fleet these are long, and pages ask for what they show themselves: made for who looks alone.
    const change = lazily<DeskChange>({
      devices: () => this.#deviceViews(things),
      jobs: () => jobs.filter((jobId) => alive().has(jobId)).map((jobId) => this.#jobView(jobId)),
      executions: () => executions.filter(({ jobId }) => alive().has(jobId)).map(executionView),
      deleted: () => deleted.filter((jobId) => !alive().has(jobId)),
      forgotten: () => forgotten.filter((name) => !this.service.device(name)),
    });
    for (const set of [
      this.#forgotten,
      this.#changedThings,
      this.#changedJobs,
      this.#changedExecutions,
      this.#deleted,
    ])
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
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** An object each of whose members is made when it is first asked for; JSON has them all. */
function lazily<T extends object>(makers: { readonly [K in keyof T]: () => T[K] }): T {
  const members = Object.entries(makers as Record<string, () => unknown>).map(([name, make]) => [
    name,
    { get: once(make), enumerable: true },
  ]);
  return Object.defineProperties({}, Object.fromEntries(members) as PropertyDescriptorMap) as T;
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

function isUnordered(version: string | undefined, running: string | undefined): boolean {
  if (version === undefined || running === undefined || version === running) return false;
  return Number.isNaN(compareVersions(version, running));
}

function payloadPreview({ bytes, base }: MadePayload, views: readonly DeviceView[]): PayloadPreview {
  if (!base) return { size: bytes.length };
  const { buildId, version, projectName } = base.app;
  const runs = ({ firmware: { build, ...firmware } }: DeviceView) =>
    build !== undefined
      ? build === buildId
      : firmware.version === version && firmware.project === projectName;
  return { base: base.name, things: views.filter(runs).length, size: bytes.length };
}

function isOlder(version: string | undefined, running: string | undefined): boolean {
  if (version === undefined || running === undefined) return false;
  return compareVersions(version, running) < 0;
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

function readLabels(path: string): Map<string, ImageLabel> {
  try {
    return new Map(Object.entries(JSON.parse(readFileSync(path, "utf8")) as Record<string, ImageLabel>));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return new Map();
    throw new Error(`${path} is damaged: ${(error as Error).message}`);
  }
}
