/**
 * The agent: the public calls, the callbacks, and the life of an update from the job to its final status.
 * @module
 */
import type { ActiveJob } from "./control/active-job.js";
import type { ControlPlane } from "./control/control-plane.js";
import { EndedExecutions } from "./control/ended-executions.js";
import { FailedImages } from "./control/failed-images.js";
import { spread } from "./control/jitter.js";
import type { OtaJob, ParsedJob } from "./control/job-document.js";
import type { JobReference, JobStatus, StatusDetails, UpdateResult } from "./control/job-status.js";
import {
  identityOf,
  isEarlier,
  NO_ROLLBACK,
  newActiveJob,
  nextFile,
  payloadOf,
  planesFor,
  prepare,
} from "./control/offer.js";
import { judgeReentry, mismatch, NOT_ON_TRIAL, withdrawn } from "./control/reentry.js";
import * as report from "./control/status.js";
import { imageName } from "./control/status.js";
import { asOtaError, OtaError, type OtaErrorCode, wordsOf } from "./errors.js";
import * as Event from "./events.js";
import {
  type CheckedOptions,
  type CustomJob,
  checkOptions,
  type OtaAgentOptions,
  type OtaEvent,
} from "./options.js";
import type { AppDescription, Timer } from "./ports.js";
import { type ImageState, MAX_REPAIRS, type OtaPal, type Received } from "./slot/pal.js";
import { type OtaState, STATES, transition } from "./state-machine.js";
import * as State from "./states.js";
import type { DataPlane } from "./transfer/data-plane.js";
import { Download, type DownloadStatistics } from "./transfer/download.js";
import { StreamPlane } from "./transfer/stream.js";

/** How long a status may take before a restart that cannot wait for it, milliseconds. */
const LAST_WORD_MS = 5_000;
/** Wait before refused subscriptions are tried again, milliseconds. */
const SUBSCRIBE_RETRY_MS = 30_000;
/** Statuses of the application's own jobs that wait for the service; of those that end a job, twice as many. */
const MAX_OWN_STATUSES = 8;
/** How often a job in front of the queue that is not for this agent is told of, milliseconds. */
const DAY_MS = 86_400_000;
/** Longest an update can be put off at a time: what timers take (2^31 − 1), milliseconds. */
const MAX_DEFER_MS = 2_147_483_647;

export class OtaAgent {
  readonly #options: CheckedOptions;
  readonly #planes: readonly DataPlane[];
  readonly #jobs: ControlPlane;
  /** One of states.ts. */
  #state = State.Stopped as number;
  #imageState: ImageState = "unknown";
  #active: ActiveJob | undefined;
  /** Events not yet handled, with what comes with them: handlers run to completion, one after the other. */
  readonly #queue: [event: number, data: unknown, owner: ActiveJob | undefined][] = [];
  #pumping = false;
  /** Job whose final status is on its way: offers of it are old news. */
  #ending = "";
  readonly #ended = new EndedExecutions();
  readonly #failedImages: FailedImages;
  /** The custom job in front that was told of last, and until when that is enough. */
  #custom = "";
  #customUntil = 0;
  /** Statuses of the application's own jobs that have not been answered. */
  #ownStatuses = 0;
  /** Job the application has put off. */
  #deferred = "";
  #statistics: DownloadStatistics | undefined;
  #waiters: (() => void)[] = [];
  /** By the event they post. */
  readonly #timers: Timer[] = [];
  /** Counts starts. */
  #life = 0;
  /** Restart the device when the agent has stopped. */
  #restart = false;

  /**
   * @throws TypeError naming an option that is missing or of the wrong type
   * @throws RangeError naming an option that is out of range
   */
  constructor(options: OtaAgentOptions) {
    this.#options = checkOptions(options);
    this.#planes = this.#options.dataPlanes ?? [new StreamPlane(this.#options)];
    this.#failedImages = new FailedImages(this.#options.store, this.#options.imageAttempts);
    this.#jobs = this.#options.controlPlane(this.#options, (event, data) => this.#post(event, data));
    this.#options.failureLog?.begin(this.#options);
  }

  /** `OTA_GetAgentState` */
  get state(): OtaState {
    return STATES.split(" ")[this.#state] as OtaState;
  }

  /** `OTA_GetImageState` */
  get imageState(): ImageState {
    return this.#imageState;
  }

  /** `OTA_GetStatistics`: of the transfer under way, or the last one. Undefined before the first. */
  get statistics(): DownloadStatistics | undefined {
    return this.#active?.download?.statistics ?? this.#statistics;
  }

  /**
   * `OTA_AgentInit`: starts the agent. When it runs already nothing changes.
   * @param timeoutMs how long to wait until the service listens to this agent; 0: do not wait
   * @returns the state then: "RequestingJob" or later when all is well, "Init" when the connection is not
   *   there yet (the agent goes on trying). Never rejects.
   * @throws what the porting layer throws when it cannot tell the state of the running image
   */
  init(timeoutMs = 0): Promise<OtaState> {
    if (this.#state === State.Stopped) {
      const { pal, selfTestTimeoutMs } = this.#options;
      this.#imageState = pal.getPlatformImageState() === "pending-commit" ? "testing" : "unknown";
      this.#life++;
      this.#ownStatuses = 0;
      this.#after(Event.SelfTestTimer, selfTestTimeoutMs);
      this.#jobs.open();
      this.#options.versionReport?.begin(this.#options);
      // Told once all is in place: the application may stop the agent at once.
      this.#setState(State.Init);
      if (!pal.rollbackEnabled && this.#started) this.#notice(new OtaError("no-rollback", NO_ROLLBACK));
      if (pal.ordered === false && this.#started)
        this.#notice(
          new OtaError("bad-version", `the running version "${pal.running?.version}" has no order`),
        );
      for (const text of pal.notices ?? [])
        if (this.#started) this.#notice(new OtaError("unsafe-build", text));
    }
    return this.#leave((1 << State.Init) | (1 << State.Ready), timeoutMs);
  }

  /**
   * `OTA_AgentShutdown`: stops the agent and frees what it holds. What is on flash stays for a later resume.
   * A final status under way is given `timeoutMs` to arrive.
   * @returns "Stopped". Never rejects.
   */
  shutdown(timeoutMs = 0): Promise<OtaState> {
    // Under way already, perhaps towards a restart that must not be lost: wait for it.
    if (this.#started) {
      this.#release(false);
      this.#end(timeoutMs);
    }
    return this.#leave(1 << State.ShuttingDown, timeoutMs + 2 * LAST_WORD_MS);
  }

  /**
   * `OTA_CheckForUpdate`: looks at the queue now.
   * @returns "requested"; "refreshing" when an update is under way (it goes on, with a fresh job document);
   *   "suspended" or "stopped" when nothing will be done
   */
  checkForUpdate(): "requested" | "refreshing" | "suspended" | "stopped" {
    if (!this.#started) return "stopped";
    if (this.#state === State.Suspended) return "suspended";
    this.#deferred = "";
    // Means nothing before the topics are there: then the queue is looked at anyway.
    this.#post(Event.RequestJobDocument);
    return this.#active ? "refreshing" : "requested";
  }

  /**
   * `OTA_ActivateNewImage`: boots the verified image. The device restarts; a failure is reported by "fail".
   * @throws OtaError "no-active-job" when there is no verified image
   */
  activateNewImage(): void {
    if (this.#state !== State.WaitingToActivate || !this.#active?.verified)
      throw new OtaError("no-active-job", "no verified image", "activate");
    this.#post(Event.ActivateImage);
  }

  /**
   * `OTA_SetImageState`: "accepted" or "rejected" decides about the running image, before or after the service
   * is reached; "aborted" gives up the update under way.
   * @throws OtaError "bad-image-state" for any other state, "no-active-job" when there is nothing to abort,
   *   "image-state-mismatch" when there is no image on trial to reject, "uninitialized" when the agent is stopped
   */
  setImageState(state: ImageState): void {
    this.#requireRunning();
    if (state === "aborted") {
      if (!this.#active?.planes.length && !(this.#onTrial && this.#active))
        throw new OtaError("no-active-job", "no update to abort");
    } else if (state === "rejected") {
      if (!this.#onTrial && this.#started) throw mismatch(NOT_ON_TRIAL);
    } else if (state !== "accepted") {
      throw new OtaError("bad-image-state", `cannot set ${state}`);
    }
    this.#post(Event.ImageDecided, state);
  }

  /**
   * `OTA_Suspend`: pauses until `resume`. The deadline of an image on trial runs on.
   * @throws OtaError "uninitialized" when the agent is stopped
   */
  suspend(): void {
    this.#requireRunning();
    this.#post(Event.Suspend);
  }

  /**
   * `OTA_Resume`: fetches the job document afresh and goes on where the transfer was.
   * @throws OtaError "uninitialized" when the agent is stopped
   */
  resume(): void {
    this.#requireRunning();
    this.#post(Event.Resume);
  }

  #requireRunning(): void {
    if (this.#state === State.Stopped) throw new OtaError("uninitialized", "the agent is stopped");
  }

  /** Neither stopped nor on its way there. */
  get #started(): boolean {
    return this.#state > State.ShuttingDown;
  }

  /** @param owner the job it is about: no longer at hand when the event is handled, it means nothing */
  #post(event: number, data?: unknown, owner?: ActiveJob): void {
    this.#queue.push([event, data, owner]);
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      for (let next = this.#queue.shift(); next; next = this.#queue.shift())
        if (!next[2] || next[2] === this.#active) this.#dispatch(next[0], next[1]);
    } finally {
      this.#pumping = false;
    }
  }

  /** Posts `event` in `ms` milliseconds, and no more at the time it was arranged for before. */
  #after(event: number, ms: number): void {
    const { clock } = this.#options;
    clock.clear(this.#timers[event]);
    this.#timers[event] = clock.set(() => this.#post(event), ms);
  }

  #dispatch(event: number, data: unknown): void {
    const next = transition(this.#state, event);
    if (next < 0) return;
    const life = this.#life;
    let found: number | undefined;
    try {
      found = this.#handle(event, data);
    } catch (cause) {
      found = this.#unknown(cause);
    }
    // Whoever is told that the agent has stopped may have started it again by now.
    if (this.#started && life === this.#life) this.#setState(found ?? next);
  }

  /** The porting layer cannot tell what is there: an update under way ends with that, otherwise the job is looked at again. */
  #unknown(cause: unknown): number | undefined {
    if (this.#active?.planes.length) return this.#finish(asOtaError(cause, "activate-failed"));
    this.#notice(asOtaError(cause, "bad-image-state"));
    this.#after(Event.RequestJobDocument, spread(SUBSCRIBE_RETRY_MS, this.#options));
    return;
  }

  /** Does what is to be done about an event; what it returns overrides the state the transition table names. */
  #handle(event: number, data: unknown): number | undefined {
    const active = this.#active as ActiveJob;
    switch (event) {
      case Event.Subscribed:
        this.#post(Event.RequestJobDocument);
        return;
      case Event.Refused:
        return this.#subscriptionRefused(data as Error);
      case Event.Subscribe:
        this.#jobs.open();
        return;
      case Event.RequestJobDocument:
      case Event.Resume:
        this.#jobs.request();
        return;
      case Event.CheckForUpdate:
        this.checkForUpdate();
        return;
      case Event.ReceivedJobDocument:
        return this.#received(data as ParsedJob);
      case Event.JobGone:
        return this.#jobGone(data as string);
      case Event.CreateFile:
      case Event.FileComplete:
      case Event.ActivateImage:
        return this.#callPal(event, active);
      case Event.FileCreated:
        return this.#startTransfer(active);
      case Event.FileClosed:
        return this.#fileClosed(active);
      case Event.FileReported:
        active.verified = true;
        this.#emit({ type: "activate", job: active.job });
        return;
      case Event.TransferFailed:
        return this.#transferFailed(active, data as OtaError);
      case Event.Suspend:
        return this.#suspend(active);
      case Event.ImageDecided:
        return this.#decide(data as ImageState);
      case Event.SelfTestTimer:
        if (this.#onTrial) this.#rollBack(new OtaError("self-test-timeout", "not accepted in time"));
        return;
      case Event.Activated:
      case Event.Stop:
        this.#stop();
    }
    return;
  }

  #suspend(active: ActiveJob): number {
    active?.download?.pause();
    if (this.#state >= State.ClosingFile && !active.verified) {
      // Verification is repeated after the pause; blocks are not.
      this.#release(false);
      this.#jobs.dropUpdates(active.job.jobId);
      // The porting layer has forgotten all files of a set with it: then the job is begun anew.
      if (!active.set) this.#active = active;
    }
    this.#jobs.cancelRequest();
    this.#deferred = "";
    return State.Suspended;
  }

  // Jobs

  #subscriptionRefused(error: Error): undefined {
    this.#notice(new OtaError("request-job-failed", `job topics refused: ${error.message}`));
    this.#jobs.close();
    this.#after(Event.Subscribe, spread(SUBSCRIBE_RETRY_MS, this.#options));
  }

  #received(parsed: ParsedJob): number | undefined {
    const active = this.#active;
    // Looks at the queue again in a while, should no notification come.
    this.#after(Event.RequestJobDocument, spread(this.#options.pollMs, this.#options));
    if (active) {
      // After a pause it decides what becomes of the job at hand.
      const paused = this.#state === State.RequestingJob;
      const job = parsed.kind === "ota" ? parsed.job : undefined;
      if (!parsed.clientToken && job && isEarlier(job, active.job)) {
        // A notification that is late or comes twice. Whether the job was made anew and counts from one again, the answer says.
        if (!this.#jobs.requesting) this.#jobs.request();
        return;
      }
      if (job && identityOf(job) === identityOf(active.job)) {
        const at = active.job.files.indexOf(active.file);
        active.files = job.files.filter((_, n) => active.files.includes(active.job.files[n]));
        active.job = job;
        active.file = job.files[at];
        active.download?.renew(active.file);
        if (paused) return this.#continue(active);
        return;
      }
      if (!paused && job?.jobId !== active.job.jobId) {
        // Another job comes first now. That alone does not say that this one is over: the service does. One question
        // at a time, however many notifications come.
        if (!this.#jobs.isReporting(active.job.jobId)) this.#inform(active, active.details);
        return;
      }
      // It is over, or was made anew with another file under the same name.
      this.#cancel(true);
      this.#post(Event.ReceivedJobDocument, parsed);
      return State.WaitingForJob;
    }
    return this.#consider(parsed);
  }

  #continue(active: ActiveJob): number {
    if (active.planes.length === 0) return this.#onTrial ? State.SelfTesting : this.#finish();
    if (active.verified) {
      this.#post(Event.FileReported);
      return State.WaitingToActivate;
    }
    if (!active.download) return this.#createFile();
    if (active.outcome) this.#post(active.outcome, active.failure);
    else active.download.resume();
    return State.WaitingForFileBlock;
  }

  /** A job document while there is no job at hand. */
  #consider(parsed: ParsedJob): number | undefined {
    const { kind } = parsed;
    const reference = kind === "ota" ? parsed.job : parsed;
    const { jobId } = reference as Partial<JobReference>;
    if (jobId === this.#ending) return;
    const wait = jobId ? this.#ended.wait(reference as JobReference, this.#options.clock.now()) : 0;
    if (wait > 0) {
      // It is over as far as this device is concerned, and on offer all the same.
      this.#after(Event.RequestJobDocument, spread(wait, this.#options));
      return;
    }
    if (this.#onTrial && !parsed.clientToken) {
      // Notifications can be late or come twice: about the image on trial only the answer to a question decides.
      if (!this.#jobs.requesting) this.#jobs.request();
      return State.RequestingJob;
    }
    if (kind === "ota") return this.#reenter(parsed.job);
    if (kind === "custom") {
      // A job of somebody else says nothing about the image on trial: its deadline decides.
      if (!this.#onTrial) this.#offerCustom(parsed);
      // Without an id it is no job, and says nothing about the image on trial either.
    } else if (this.#onTrial && (kind === "none" || jobId)) this.#rollBack(withdrawn());
    else if (kind === "none") this.#emit({ type: "no-active-job" });
    else this.#refuse(undefined, parsed.error, parsed);
    return;
  }

  /** A job this device may have worked on in an earlier life. */
  #reenter(job: OtaJob): number | undefined {
    const { pal } = this.#options;
    const verdict = judgeReentry(job, pal, this.#imageState);
    if (verdict === false) return this.#offer(job);
    const active = newActiveJob(job, pal, []);
    active.app = pal.describe ? pal.describe(job.files) : pal.running;
    if (job.progress.selfTest) this.#active = active;
    if (verdict === true) {
      // Not on trial as far as the boot loader is concerned. What installed it promised a self-test.
      this.#imageState = "testing";
      this.#after(Event.SelfTestTimer, this.#options.selfTestTimeoutMs);
    } else {
      if (verdict?.code === "rolled-back") this.#imageFailed(job.progress.image, active);
      if (!this.#onTrial) {
        if (job.progress.selfTest) this.#attempt(pal, "secure");
        return this.#finish(verdict);
      }
      if (verdict) return this.#rollBack(verdict);
    }
    this.#inform(active, report.selfTest("active", active));
    this.#emit({ type: "start-test", job });
    return State.SelfTesting;
  }

  /** A new job: can it, and may it? */
  #offer(job: OtaJob): number | undefined {
    const { log } = this.#options;
    const active = prepare(job, this.#options, this.#planes);
    if (active instanceof OtaError) return this.#refuse(job, active, job);
    if (job.jobId === this.#deferred) return;
    const decision = this.#ask("onUpdateAvailable", job) ?? "apply";
    if (decision === "apply") {
      this.#active = active;
      this.#emit({ type: "received-job", job });
      return this.#createFile();
    }
    const { refuse, defer, reason } = decision as { refuse?: string; defer: number; reason?: string };
    if (refuse !== undefined) return this.#refuse(job, new OtaError("refused", refuse), job, "REJECTED");
    if (defer >= 0 && defer <= MAX_DEFER_MS) {
      log("info", `${job.jobId} deferred: ${reason ?? defer}`);
      this.#deferred = job.jobId;
      this.#after(Event.CheckForUpdate, defer);
    }
    // Undecided is not accepted: the job is offered again later.
    else log("error", "onUpdateAvailable: no decision");
    return;
  }

  #offerCustom(parsed: ParsedJob & { kind: "custom" }): undefined {
    const { jobId, executionNumber } = parsed;
    const claimed = this.#ask("onCustomJob", {
      jobId,
      executionNumber,
      get document() {
        return parsed.document;
      },
      update: (status, details, done) => {
        const told = (result: UpdateResult) => void this.#guard("onCustomJob", done, result);
        const most = status === "IN_PROGRESS" ? MAX_OWN_STATUSES : 2 * MAX_OWN_STATUSES;
        if (this.#ownStatuses >= most) return void this.#options.clock.set(() => told("refused"), 0);
        this.#ownStatuses++;
        this.#jobs.update(parsed, status, details, (result) => {
          this.#ownStatuses--;
          told(result);
        });
      },
    } satisfies CustomJob);
    if (claimed) return;
    const error = new OtaError("custom-job", `${jobId} is no OTA job, and updates wait behind it`);
    if (this.#options.failCustomJobs) return this.#refuse(undefined, error, parsed);
    const now = this.#options.clock.now();
    if (jobId === this.#custom && now < this.#customUntil) return;
    this.#custom = jobId;
    this.#customUntil = now + DAY_MS;
    this.#notice(error);
  }

  #jobGone(jobId: string): number | undefined {
    if (this.#active?.job.jobId !== jobId) return;
    if (this.#state === State.SelfTesting) return this.#rollBack(cancelled("self-test"));
    // What was cancelled is not wanted any more; what took too long may be tried again.
    this.#cancel(this.#jobs.endedAs !== "TIMED_OUT");
    if (this.#state === State.Suspended) return;
    this.#jobs.request();
    return State.RequestingJob;
  }

  // Transfer

  #createFile(): number {
    this.#post(Event.CreateFile);
    return State.CreatingFile;
  }

  /** Asks the porting layer for what takes its time; the answer is the event that follows in number. */
  #callPal(event: number, active: ActiveJob): undefined {
    const { pal } = active;
    const done = (cause?: Error, received?: Received) => {
      // Whatever an operation that follows the call throws is told by some as it is.
      const error = cause && asOtaError(cause, codeFor(event));
      active.received = received;
      this.#post(error ? Event.TransferFailed : event + 1, error, active);
    };
    try {
      if (event === Event.CreateFile) pal.createFile(active.file, done);
      else if (event === Event.FileComplete) {
        active.outcome = undefined;
        pal.closeFile(done, (bytes, total) => this.#emit({ type: "applying", bytes, total }));
      } else if (active.verified) {
        active.verified = false;
        pal.activate(done);
      }
    } catch (error) {
      // A porting layer that throws instead of calling back must not leave the agent waiting.
      done(asOtaError(error, codeFor(event)));
    }
  }

  #startTransfer(active: ActiveJob): undefined {
    const download = new Download(this.#options, {
      file: active.file,
      planes: active.planes,
      pal: active.pal,
      received: active.received as Received,
      rttHint: this.#jobs.roundTrip,
      rateHint: this.#jobs.rate,
      onHead: (app) => {
        active.app = app;
        if (app) this.#judgeImage(active, app);
        // Paused in the meantime, the file is fetched to its end and judged then.
        if (active.set?.judging) this.#post(Event.FileClosed, undefined, active);
      },
      onProgress: (blocks, total, bytes) => this.#progress(active, blocks, total, bytes),
      tell: (event, error) => this.#transferTold(active, event, error),
    });
    active.download = download;
    download.start();
  }

  /** The head was accepted. @throws OtaError when there is nothing to install, or this image has failed too often */
  #judgeImage(active: ActiveJob, app: AppDescription): void {
    const { job, file, planes, pal, set } = active;
    const name = imageName(app);
    const running = pal.describe ? pal.describe([file]) : (pal.running as AppDescription);
    // That one file of several is in use already says nothing of the others.
    if (!(set && set.files.length > 1) && name === imageName(running) && /[1-9a-f]/.test(app.buildId)) {
      // Over plain HTTP anybody can have sent this head: it must not stand for an update.
      active.isRunning = planes[0].protocol !== "HTTP" || !/^http:/i.test(file.url);
      throw new OtaError("same-version", `${name} runs already`);
    }
    this.#withStore(() => this.#failedImages.check(name, job));
    this.#emit({ type: "image", app });
  }

  /** Something with the store, whose faults are worth a notice and nothing more. @throws OtaError when it says no */
  #withStore(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (error instanceof OtaError) throw error;
      this.#notice(new OtaError("store-failed", `the store failed: ${wordsOf(error)}`));
    }
  }

  #transferTold(active: ActiveJob, event: number, error?: OtaError): void {
    if (event !== Event.RequestJobDocument) {
      active.outcome = event;
      active.failure = error;
    }
    this.#post(event, error);
  }

  #progress(active: ActiveJob, received: number, total: number, bytes: number): void {
    if (this.#state === State.RequestingFileBlock) this.#post(Event.ReceivedFileBlock);
    const { onEvent, statusInterval } = this.#options;
    // Once a block: nobody but the application is told.
    if (onEvent) this.#guard("onEvent", onEvent, { type: "progress", received, total, bytes });
    if (received - (active.reported as number) < statusInterval) return;
    active.reported = received;
    active.details = report.receiving(received, total, active.set);
    this.#jobs.update(active.job, "IN_PROGRESS", active.details, false);
  }

  #transferFailed(active: ActiveJob, error: OtaError): number {
    const { received, file, download, planes } = active;
    active.outcome = undefined;
    if (active.isRunning) return this.#finish();
    if (received && this.#state === State.ClosingFile && active.repairs++ < MAX_REPAIRS) {
      const lost = file.fileSize - received.byteLength;
      this.#options.log("warn", `flash lost ${lost} bytes`);
      download?.missing(received);
      return State.WaitingForFileBlock;
    }
    const next = planes[1];
    if (!next || !isPlaneError(error.code)) return this.#another(active, error);
    this.#options.log("warn", `${error.message}; going on over ${next.protocol}`);
    active.planes = planes.slice(1);
    download?.switchPlanes(active.planes, file);
    return this.#state;
  }

  /** Goes on with the next of several files that are the same image, or ends with why none could be taken. */
  #another(active: ActiveJob, error: OtaError): number {
    const { refusals, pal } = active;
    const next = nextFile(active, error, this.#planes);
    if (!next)
      return this.#finish(refusals ? new OtaError(error.code, refusals + error.message, error.phase) : error);
    this.#options.log("warn", `${error.message}; going on with the next file`);
    this.#closeDownload(active);
    this.#attempt(pal, "abort", true);
    this.#active = next;
    return this.#createFile();
  }

  /**
   * Verified, or of a file among several its head. Behind the last one the service has to know before the device restarts, or
   * it would take the new image for a stranger.
   */
  #fileClosed(active: ActiveJob): number | undefined {
    const { job, set, pal } = active;
    this.#closeDownload(active);
    const file = set?.next(job.files);
    if (file) {
      active.file = file;
      active.planes = planesFor(job, file, this.#planes);
      active.repairs = 0;
      active.reported = active.outcome = undefined;
      return this.#createFile();
    }
    active.payload = set ? "" : payloadOf(active);
    active.app = pal.coming ?? active.app;
    if (!active.app) return this.#finish();
    this.#inform(active, report.selfTest("ready", active), Event.FileReported);
    return;
  }

  // The image on trial

  get #onTrial(): boolean {
    return this.#imageState === "testing";
  }

  #decide(state: ImageState): number | undefined {
    const error =
      state === "accepted"
        ? this.#attempt(this.#options.pal, "setPlatformImageState", state)
        : new OtaError(
            state === "rejected" ? "self-test-rejected" : "user-abort",
            `${state} by the application`,
          );
    if (!this.#onTrial) {
      // An image that was accepted is what runs: its job can only end well.
      return state === "aborted" && this.#active?.planes.length ? this.#finish(error) : undefined;
    }
    if (error) return this.#rollBack(error);
    this.#imageState = "accepted";
    const { app = this.#options.pal.running } = this.#active ?? {};
    this.#withStore(() => this.#failedImages.clear(imageName(app as AppDescription)));
    return this.#state === State.SelfTesting ? this.#finish() : undefined;
  }

  /** Gives up the image on trial: record it, say so, restart into the old one. */
  #rollBack(error: OtaError): undefined {
    const { pal } = this.#options;
    const active = this.#active;
    this.#imageState = "rejected";
    this.#attempt(pal, "setPlatformImageState", "rejected");
    // Whose job was withdrawn, or never was, says nothing of the image.
    if (error.code !== "cancelled" && error.code !== "image-state-mismatch")
      this.#imageFailed(imageName((active?.app ?? pal.running) as AppDescription), active);
    this.#emit({ type: "self-test-failed", error });
    this.#restart = true;
    if (active) this.#jobs.dropUpdates(active.job.jobId);
    if (active && this.#jobs.connected)
      this.#report(active.job, "FAILED", this.#failed(error, active.job.jobId));
    this.#end(LAST_WORD_MS);
  }

  #imageFailed(image: string, active: ActiveJob | undefined): void {
    this.#withStore(() => this.#failedImages.add(image, active?.job));
  }

  // Ends

  /** The job at hand has ended: by an error, or well. */
  #finish(error?: OtaError): number {
    const active = this.#active as ActiveJob;
    const { job } = active;
    // What a bad link left behind is good: another attempt at the same file goes on from there.
    this.#release(!(error && isPlaneError(error.code)));
    if (error) {
      if (this.#imageState !== "accepted")
        this.#imageState = error.code === "user-abort" ? "aborted" : "rejected";
      this.#refuse(job, error, job);
    } else {
      this.#emit({ type: "update-complete", job });
      this.#report(job, "SUCCEEDED", report.accepted(active));
    }
    return State.WaitingForJob;
  }

  /** The job at hand is over, as the service has it: nothing to report. */
  #cancel(discard: boolean): void {
    const { job } = this.#active as ActiveJob;
    this.#release(discard);
    this.#ended.end(job, this.#options.clock.now());
    this.#refuse(job, cancelled());
  }

  /** @param reference the job as far as it could be read, if there is anybody to report to */
  #refuse(
    job: OtaJob | undefined,
    error: OtaError,
    reference?: Partial<JobReference>,
    status: JobStatus = "FAILED",
  ): undefined {
    this.#emit({ type: "fail", job, error });
    if (reference?.jobId)
      this.#report(reference as JobReference, status, this.#failed(error, reference.jobId));
  }

  #failed(error: OtaError, jobId: string): StatusDetails {
    return { ...report.failed(error), ...this.#options.failureLog?.details(error, jobId) };
  }

  /** The job at hand goes on; `event` is posted when the service knows. */
  #inform(active: ActiveJob, details: StatusDetails, event?: number): void {
    active.details = details;
    this.#report(active.job, "IN_PROGRESS", details, event);
  }

  /** Reports a status that must arrive; after a final one the next job is looked for. */
  #report(job: JobReference, status: JobStatus, details: StatusDetails, event?: number): void {
    const { jobId } = job;
    const active = this.#active;
    const final = status !== "IN_PROGRESS";
    if (final) {
      this.#ending = jobId;
      this.#ended.end(job, this.#options.clock.now());
    }
    this.#jobs.update(job, status, details, (result, taken) => {
      this.#emit({ type: "status", jobId, status, details: taken, result });
      if (final) {
        this.#ending = "";
        // Not every service takes it.
        if (status === "REJECTED" && result !== "accepted") this.#report(job, "FAILED", details);
        // Otherwise the job is still there and would be offered at once, to end the same way.
        else if (result !== "refused") this.#post(Event.RequestJobDocument);
      } else if (result === "gone") this.#post(Event.JobGone, jobId);
      else if (event && result === "accepted") this.#post(event, undefined, active);
      else if (event)
        this.#post(Event.TransferFailed, new OtaError("activate-failed", "status refused"), active);
      if (!this.#started && !this.#jobs.reporting) this.#post(Event.Stop);
    });
  }

  /** Lets go of the job at hand. `discard`: what is on flash is worthless. */
  #release(discard: boolean): void {
    const active = this.#active;
    this.#active = undefined;
    if (!active) return;
    this.#closeDownload(active);
    this.#attempt(active.pal, "abort", discard);
  }

  #closeDownload(active: ActiveJob): void {
    const { download } = active;
    if (!download) return;
    this.#statistics = download.statistics;
    download.close();
    active.download = undefined;
  }

  /** Stops once every status has arrived, at the latest in `timeoutMs`. */
  #end(timeoutMs: number): void {
    this.#setState(State.ShuttingDown);
    if (this.#jobs.reporting && timeoutMs > 0) this.#after(Event.Stop, timeoutMs);
    else this.#post(Event.Stop);
  }

  /** Nothing may happen in this life any more. */
  #stop(): void {
    this.#release(false);
    for (const timer of this.#timers) this.#options.clock.clear(timer);
    this.#jobs.close();
    this.#queue.length = 0;
    this.#ending = this.#deferred = "";
    this.#setState(State.Stopped);
    if (!this.#restart) return;
    this.#restart = false;
    this.#guard("reset", () => this.#options.pal.reset(), undefined);
  }

  #setState(state: number): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#ask("onState", this.state);
    for (const waiter of this.#waiters.splice(0)) waiter();
  }

  /** The state when it is none of `states` (a bit for each) any more, or `timeoutMs` have passed. */
  #leave(states: number, timeoutMs: number): Promise<OtaState> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      const check = () => {
        if (timeoutMs > 0 && (states >> this.#state) & 1) return void this.#waiters.push(check);
        clock.clear(timer);
        resolve(this.state);
      };
      const late = () => {
        this.#waiters = this.#waiters.filter((waiter) => waiter !== check);
        resolve(this.state);
      };
      const timer = timeoutMs > 0 ? clock.set(late, timeoutMs) : undefined;
      check();
    });
  }

  /** Something the product's maker should know. */
  #notice(error: OtaError): void {
    this.#options.log("warn", error.message);
    this.#emit({ type: "notice", error });
  }

  /** @returns what went wrong, after telling of it */
  #attempt(
    pal: OtaPal,
    call: "abort" | "setPlatformImageState" | "secure",
    value?: boolean | ImageState,
  ): OtaError | undefined {
    try {
      const aside = pal[call]?.(value as never);
      if (aside) this.#notice(aside);
      return undefined;
    } catch (error) {
      const failure = asOtaError(error, call === "abort" ? "abort-failed" : "bad-image-state");
      this.#notice(failure);
      return failure;
    }
  }

  #emit(event: OtaEvent): void {
    const { failureLog, versionReport, onEvent } = this.#options;
    failureLog?.event(event);
    versionReport?.event(event);
    if (onEvent) this.#guard("onEvent", onEvent, event);
    else if (event.type === "activate") this.activateNewImage();
    else if (event.type === "start-test") this.setImageState("accepted");
  }

  #ask(name: "onEvent" | "onState" | "onUpdateAvailable" | "onCustomJob", value: unknown): unknown {
    return this.#guard(name, this.#options[name] as ((value: unknown) => unknown) | undefined, value);
  }

  /** Calls the application, whose faults must not take the update with them. @returns its answer; false for a fault */
  #guard<Value>(name: string, call: ((value: Value) => unknown) | undefined, value: Value): unknown {
    try {
      return call?.(value);
    } catch (error) {
      this.#options.log("error", `${name}: ${wordsOf(error)}`);
      return false;
    }
  }
}

function cancelled(phase?: "self-test"): OtaError {
  return new OtaError("cancelled", "cancelled or replaced", phase);
}

/** Of an error that has none, from the porting layer when it was called for `event`. */
function codeFor(event: number): OtaErrorCode {
  if (event === Event.CreateFile) return "file-create";
  return event === Event.FileComplete ? "file-close" : "activate-failed";
}

/** Failures another data plane may not have. */
function isPlaneError(code: OtaErrorCode): boolean {
  return code === "stream-refused" || code === "http" || code === "no-progress" || code === "too-slow";
}
