/**
 * The agent: the public calls, the callbacks, and the life of an update from the job to its final status.
 * @module
 */
import { ActiveJob } from "./active-job.js";
import type { DataPlane } from "./data-plane.js";
import { Download, type DownloadStatistics } from "./download.js";
import { OtaError, type OtaErrorCode, type OtaPhase } from "./errors.js";
import type { OtaJob, ParsedJob } from "./job-document.js";
import { type JobStatus, Jobs, type StatusDetails, type UpdateResult } from "./jobs.js";
import { decide, findMeans, type Means } from "./offer.js";
import {
  type CheckedOptions,
  checkOptions,
  type OtaAgentOptions,
  type OtaEvent,
  type UpdateDecision,
} from "./options.js";
import type { ImageState, Received } from "./pal.js";
import type { AppDescription, Timer } from "./ports.js";
import { judgeReentry, mismatch } from "./reentry.js";
import { type OtaAgentEvent, type OtaHandler, type OtaState, transition } from "./state-machine.js";
import * as report from "./status.js";
import { StreamPlane } from "./stream.js";

/** How long a status may take before a restart that can not wait for it, milliseconds. */
const LAST_WORD_MS = 5_000;
/** Wait before refused subscriptions are tried again, milliseconds. */
const SUBSCRIBE_RETRY_MS = 30_000;
/** How often sectors that went bad are fetched again before the flash is given up. */
const MAX_REPAIRS = 3;

export class OtaAgent {
  readonly #options: CheckedOptions;
  readonly #planes: readonly DataPlane[];
  #jobs: Jobs | undefined;
  #state: OtaState = "Stopped";
  #imageState: ImageState = "unknown";
  #active: ActiveJob | undefined;
  /** Events not yet handled: handlers run to completion, one after the other. */
  readonly #queue: [OtaAgentEvent, unknown][] = [];
  #pumping = false;
  /** Job whose final status is on its way: offers of it are old news. */
  #ending = "";
  #statistics: DownloadStatistics | undefined;
  #waiters: (() => void)[] = [];
  #guard: Timer | undefined;
  #poll: Timer | undefined;
  #retry: Timer | undefined;
  #deferral: Timer | undefined;
  #deferred = "";

  /**
   * @throws TypeError naming an option that is missing or of the wrong type
   * @throws RangeError naming an option that is out of range
   */
  constructor(options: OtaAgentOptions) {
    this.#options = checkOptions(options);
    const { mqtt, thingName } = this.#options;
    this.#planes = this.#options.dataPlanes ?? [new StreamPlane({ mqtt, thingName })];
  }

  /** `OTA_GetAgentState` */
  get state(): OtaState {
    return this.#state;
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
   * @throws what the porting layer throws when it can not tell the state of the running image
   */
  init(timeoutMs = 0): Promise<OtaState> {
    if (this.#state === "Stopped") {
      const { pal, clock, selfTestTimeoutMs } = this.#options;
      this.#imageState = pal.getPlatformImageState() === "pending-commit" ? "testing" : "unknown";
      this.#setState("Init");
      if (!pal.rollbackEnabled)
        this.#notice("no-rollback", "the boot loader can not roll back a bad image", "init");
      if (this.#onTrial) {
        this.#guard = clock.set(() => this.#post("SelfTestTimer"), selfTestTimeoutMs);
      }
      this.#subscribe();
    }
    return this.#until(() => this.#state !== "Init" && this.#state !== "Ready", timeoutMs);
  }

  /**
   * `OTA_AgentShutdown`: stops the agent and frees what it holds. What is on flash stays for a later resume.
   * A final status under way is given `timeoutMs` to arrive.
   * @returns "Stopped". Never rejects.
   */
  async shutdown(timeoutMs = 0): Promise<OtaState> {
    // Under way already, perhaps towards a restart that must not be lost: wait for it.
    if (this.#state === "ShuttingDown")
      return this.#until(() => this.#state === "Stopped", timeoutMs + 2 * LAST_WORD_MS);
    if (this.#state === "Stopped") return this.#state;
    this.#release(false);
    this.#setState("ShuttingDown");
    await this.#until(() => !this.#jobs?.reporting, timeoutMs);
    this.#stop();
    return this.#state;
  }

  /**
   * `OTA_CheckForUpdate`: looks at the queue now.
   * @returns "requested"; "refreshing" when an update is under way (it goes on, with a fresh job document);
   *   "suspended" or "stopped" when nothing will be done
   */
  checkForUpdate(): "requested" | "refreshing" | "suspended" | "stopped" {
    switch (this.#state) {
      case "Stopped":
      case "ShuttingDown":
        return "stopped";
      case "Suspended":
        return "suspended";
      case "Init":
      case "Ready":
        return "requested";
      default:
        this.#deferred = "";
        this.#post("RequestJobDocument");
        return this.#active ? "refreshing" : "requested";
    }
  }

  /**
   * `OTA_ActivateNewImage`: boots the verified image. The device restarts; a failure is reported by "fail".
   * @throws OtaError "no-active-job" when there is no verified image
   */
  activateNewImage(): void {
    if (this.#state !== "WaitingToActivate" || !this.#active?.verified)
      throw new OtaError("no-active-job", "there is no verified image to activate", "activate");
    this.#post("ActivateImage");
  }

  /**
   * `OTA_SetImageState`: "accepted" or "rejected" decides about the running image, before or after the service
   * is reached; "aborted" gives up the update under way.
   * @throws OtaError "bad-image-state" for any other state, "no-active-job" when there is nothing to abort,
   *   "image-state-mismatch" when there is no image on trial to reject, "uninitialized" when the agent is stopped
   */
  setImageState(state: ImageState): void {
    this.#requireStarted();
    if (state === "aborted") {
      if (!this.#active) throw new OtaError("no-active-job", "there is no update to abort");
      this.#post("UserAbort");
    } else if (state === "accepted" || state === "rejected") {
      if (state === "rejected" && !this.#onTrial && this.#state !== "ShuttingDown")
        throw mismatch("the running image is not on trial");
      this.#post("ImageDecided", state);
    } else {
      throw new OtaError("bad-image-state", `no image state to set: ${String(state)}`);
    }
  }

  /**
   * `OTA_Suspend`: pauses until `resume`. The deadline of an image on trial runs on.
   * @throws OtaError "uninitialized" when the agent is stopped
   */
  suspend(): void {
    this.#requireStarted();
    this.#post("Suspend");
  }

  /**
   * `OTA_Resume`: fetches the job document afresh and goes on where the transfer was.
   * @throws OtaError "uninitialized" when the agent is stopped
   */
  resume(): void {
    this.#requireStarted();
    this.#post("Resume");
  }

  #requireStarted(): void {
    if (this.#state === "Stopped") throw new OtaError("uninitialized", "the agent is stopped");
  }

  #post(event: OtaAgentEvent, data?: unknown): void {
    this.#queue.push([event, data]);
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      for (let next = this.#queue.shift(); next; next = this.#queue.shift()) this.#dispatch(next[0], next[1]);
    } finally {
      this.#pumping = false;
    }
  }

  #dispatch(event: OtaAgentEvent, data: unknown): void {
    const row = transition(this.#state, event);
    if (!row) return this.#options.log("debug", `${event} means nothing in ${this.#state}`);
    const next = this.#handle(row.handler, data) ?? row.next;
    if (this.#state !== "Stopped" && this.#state !== "ShuttingDown") this.#setState(next);
  }

  /** Runs a handler of the transition table; what it returns overrides the state the table names. */
  #handle(handler: OtaHandler, data: unknown): OtaState | undefined {
    switch (handler) {
      case "ready":
        this.#queue.push(["Start", undefined]);
        return;
      case "requestJob":
      case "refreshJob":
        this.#required.request();
        return;
      case "processJob":
        return this.#processJob(data as ParsedJob);
      case "jobNotification":
        return this.#jobNotification(data as ParsedJob);
      case "startTransfer":
        return this.#startTransfer(data as Received);
      case "firstBlock":
        return;
      case "closeFile":
        return this.#closeFile();
      case "fileClosed":
        return this.#fileClosed();
      case "transferFailed":
        return this.#transferFailed(data as OtaError);
      case "activate":
        return this.#activate();
      case "jobGone":
        return this.#jobGone(data as string);
      case "suspend":
        return this.#suspend();
      case "abort":
        if (this.#onTrial) return this.#rollBack(userAbort());
        if (this.#active) this.#fail(userAbort());
        return;
      case "decide":
        return this.#decide(data as ImageState);
      case "rollBack":
        return this.#rollBack(
          data === undefined
            ? new OtaError("self-test-timeout", "the new image was not accepted in time")
            : new OtaError("cancelled", "the job was withdrawn while its image was on trial", "self-test"),
        );
    }
  }

  #suspend(): undefined {
    const active = this.#active;
    active?.download?.pause();
    if (active?.complete && !active.verified) {
      // Verification is repeated after the pause; blocks are not.
      active.pal.abort(false);
      active.complete = false;
      this.#closeDownload(active);
      this.#required.dropUpdates();
    }
    this.#required.cancelRequest();
    this.#clearTimers();
  }

  // Jobs

  #subscribe(): void {
    const { mqtt, clock, random, thingName, log } = this.#options;
    const jobs = new Jobs({
      mqtt,
      clock,
      random,
      thingName,
      log,
      onJob: (parsed) => this.#post("ReceivedJobDocument", parsed),
      onGone: (jobId) => this.#post("JobGone", jobId),
      onReturn: () => this.#post("RequestJobDocument"),
    });
    this.#jobs = jobs;
    jobs.open((error) => {
      if (!error) return this.#post("Subscribed");
      this.#notice("request-job-failed", `the job topics were refused: ${error.message}`, "init");
      jobs.close();
      this.#retry = clock.set(() => this.#subscribe(), SUBSCRIBE_RETRY_MS * (0.75 + random() / 2));
    });
  }

  get #required(): Jobs {
    return this.#jobs as Jobs;
  }

  /** Looks at the queue again in a while, should no notification come. */
  #pollLater(): void {
    const { pollMs, random } = this.#options;
    const wait = pollMs * (0.75 + random() / 2);
    this.#poll = this.#timer(this.#poll, wait, () => this.#post("RequestJobDocument"));
  }

  /** A job document while no transfer is under way. */
  #processJob(parsed: ParsedJob): OtaState {
    const active = this.#active;
    if (active) {
      // After a suspension: the same job goes on, anything else means that it is over.
      if (parsed.kind === "ota" && active.isFor(parsed.job)) return this.#continue(active, parsed.job);
      this.#release(true);
      this.#emit({ type: "fail", job: active.job, error: cancelled() });
    }
    this.#pollLater();
    const jobId = parsed.kind === "ota" ? parsed.job.jobId : parsed.kind === "none" ? "" : parsed.jobId;
    if (jobId && jobId === this.#ending) return "WaitingForJob";
    const trial = this.#onTrial;
    switch (parsed.kind) {
      case "none":
        if (trial) return this.#rollBack(mismatch("the job of the image on trial is gone"));
        this.#emit({ type: "no-active-job" });
        return "WaitingForJob";
      case "custom":
        // A job of somebody else says nothing about the image on trial: its deadline decides.
        if (!trial) this.#offerCustom(parsed);
        return "WaitingForJob";
      case "invalid":
        // Without an id it is no job, and says nothing about the image on trial either.
        if (trial && parsed.jobId !== undefined)
          return this.#rollBack(mismatch("the job of the image on trial is gone"));
        this.#emit({ type: "fail", job: undefined, error: parsed.error });
        if (parsed.jobId !== undefined)
          this.#finish(parsed.jobId, parsed.executionNumber, "FAILED", report.failed(parsed.error));
        return "WaitingForJob";
      case "ota":
        return this.#reentry(parsed.job) ?? this.#offer(parsed.job);
    }
  }

  /** A job this device may have worked on in an earlier life. Undefined: it is an ordinary offer. */
  #reentry(job: OtaJob): OtaState | undefined {
    const { pal } = this.#options;
    const { running, rolledBack } = pal;
    const onTrial = this.#onTrial;
    const verdict = judgeReentry(job, {
      ...{ running, rolledBack, onTrial },
      accepted: this.#imageState === "accepted",
    });
    if (verdict.kind === "offer") return undefined;
    if (verdict.kind === "withdrawn") return this.#rollBack(verdict.error);
    const active = new ActiveJob(job, pal, []);
    this.#active = active;
    switch (verdict.kind) {
      case "trial":
        this.#update("IN_PROGRESS", this.#trialDetails, () => {});
        this.#emit({ type: "start-test", job });
        return "SelfTesting";
      case "passed":
        return this.#passed(active);
      case "mismatch":
        return this.#rollBack(verdict.error);
      case "failed":
        this.#fail(verdict.error);
        return "WaitingForJob";
    }
  }

  /** A new job: can it, and may it? */
  #offer(job: OtaJob): OtaState {
    const { log } = this.#options;
    let means: Means;
    try {
      means = findMeans(job, this.#options, this.#planes);
    } catch (error) {
      this.#emit({ type: "fail", job, error: error as OtaError });
      this.#finish(job.jobId, job.executionNumber, "FAILED", report.failed(error as OtaError));
      return "WaitingForJob";
    }
    if (job.jobId === this.#deferred) return "WaitingForJob";
    let decision: UpdateDecision;
    try {
      decision = decide(job, this.#options);
    } catch (error) {
      // Undecided is not accepted: the job is offered again later.
      log("error", `onUpdateAvailable: ${(error as Error).message}`);
      return "WaitingForJob";
    }
    if (decision !== "apply" && "refuse" in decision) {
      const error = new OtaError("refused", decision.refuse);
      this.#emit({ type: "fail", job, error });
      this.#finish(job.jobId, job.executionNumber, "REJECTED", report.failed(error), () => {
        this.#finish(job.jobId, job.executionNumber, "FAILED", report.failed(error));
      });
      return "WaitingForJob";
    }
    if (decision !== "apply") {
      log("info", `${job.jobId} deferred for ${decision.defer} ms: ${decision.reason ?? ""}`);
      this.#deferred = job.jobId;
      this.#deferral = this.#timer(this.#deferral, decision.defer, () => {
        this.#deferred = "";
        this.#post("RequestJobDocument");
      });
      return "WaitingForJob";
    }
    this.#active = new ActiveJob(job, means.pal, means.planes);
    this.#emit({ type: "received-job", job });
    this.#createFile(this.#active);
    return "CreatingFile";
  }

  #offerCustom(parsed: ParsedJob & { kind: "custom" }): void {
    const { jobId, executionNumber, document } = parsed;
    const { onCustomJob, log } = this.#options;
    try {
      const claimed = onCustomJob?.({
        jobId,
        executionNumber,
        document,
        update: (status, details, done) =>
          this.#jobs?.update(jobId, executionNumber, status, details, (result) => done?.(result)),
      });
      if (!claimed) log("info", `${jobId} is not an OTA job and is left alone`);
    } catch (error) {
      log("error", `onCustomJob: ${(error as Error).message}`);
    }
  }

  /** A job document while one is being worked on. */
  #jobNotification(parsed: ParsedJob): OtaState | undefined {
    const active = this.#active;
    if (!active) return undefined;
    if (parsed.kind === "ota" && active.isFor(parsed.job)) {
      this.#refresh(active, parsed.job);
      return undefined;
    }
    if (parsed.kind === "ota" && parsed.job.jobId === active.job.jobId) {
      // The job was made anew with another file under the same name.
      this.#release(true);
      this.#emit({ type: "fail", job: active.job, error: cancelled() });
      return this.#onTrial ? this.#rollBack(cancelled()) : this.#offer(parsed.job);
    }
    // Another job comes first now. That alone does not say that this one is over: the service does.
    this.#update("IN_PROGRESS", this.#progressDetails(active), () => {});
    return undefined;
  }

  #refresh(active: ActiveJob, job: OtaJob): void {
    // What this life knows of the one before stays: by now the service has the words of this one.
    active.job = { ...job, progress: active.job.progress };
    active.file = job.files[0];
    active.download?.refresh(active.file);
  }

  #continue(active: ActiveJob, job: OtaJob): OtaState {
    this.#refresh(active, job);
    if (active.planes.length === 0) return this.#onTrial ? "SelfTesting" : this.#passed(active);
    if (active.verified) {
      this.#emit({ type: "activate", job });
      return "WaitingToActivate";
    }
    if (!active.download) {
      this.#createFile(active);
      return "CreatingFile";
    }
    if (active.outcome) this.#queue.push(active.outcome);
    else active.download.resume();
    return "WaitingForFileBlock";
  }

  #jobGone(jobId: string): OtaState | undefined {
    const active = this.#active;
    if (!active || active.job.jobId !== jobId) return this.#state;
    // What was cancelled is not wanted any more; what took too long may be tried again.
    this.#release(this.#required.endedAs !== "TIMED_OUT");
    this.#emit({ type: "fail", job: active.job, error: cancelled() });
    if (this.#state !== "Suspended") this.#required.request();
    return undefined;
  }

  // Transfer

  #createFile(active: ActiveJob): void {
    this.#guarded(() =>
      active.pal.createFile(active.file, (error, received) => {
        if (this.#active !== active) return;
        if (error) this.#post("TransferFailed", error);
        else this.#post("FileCreated", received);
      }),
    );
  }

  /** A porting layer that throws instead of calling back must not leave the agent waiting. */
  #guarded(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#post(
        "TransferFailed",
        error instanceof OtaError ? error : new OtaError("file-create", (error as Error).message),
      );
    }
  }

  #startTransfer(received: Received): OtaState | undefined {
    const active = this.#active as ActiveJob;
    const {
      clock,
      random,
      blockSize,
      maxOutstandingBytes,
      noProgressTimeoutMs,
      totalDeadlineMs,
      minRate,
      rateLimit,
      blockIntervalMs,
    } = this.#options;
    active.download = new Download({
      file: active.file,
      plane: active.planes[0],
      pal: active.pal,
      received,
      clock,
      random,
      blockSize,
      maxOutstandingBytes,
      rttHint: this.#jobs?.roundTrip,
      noProgressTimeoutMs,
      totalDeadlineMs,
      minRate,
      rateLimit,
      blockIntervalMs,
      onHead: (app) => {
        active.app = app;
        if (app) this.#emit({ type: "image", app });
      },
      onProgress: (blocks, total, bytes) => this.#progress(active, blocks, total, bytes),
      onComplete: () => this.#transferEnded(active, "FileComplete"),
      onFailed: (error) => this.#transferEnded(active, "TransferFailed", error),
      onRefresh: () => this.#post("RequestJobDocument"),
    });
    active.download.start();
    return undefined;
  }

  #transferEnded(active: ActiveJob, event: "FileComplete" | "TransferFailed", error?: OtaError): void {
    active.outcome = [event, error];
    this.#post(event, error);
  }

  #progress(active: ActiveJob, received: number, total: number, bytes: number): void {
    if (this.#state === "RequestingFileBlock") this.#post("ReceivedFileBlock");
    this.#emit({ type: "progress", received, total, bytes });
    if (active.reported && received - active.reported < this.#options.statusInterval) return;
    active.reported = received;
    const { jobId, executionNumber } = active.job;
    this.#jobs?.progress(jobId, executionNumber, report.receiving(received, total));
  }

  #progressDetails(active: ActiveJob): StatusDetails {
    const { running } = active.pal;
    // The details replace those the service has: what a later life must find there has to be repeated.
    if (this.#state === "SelfTesting") return this.#trialDetails;
    if (running && active.app && this.#state === "WaitingToActivate")
      return report.selfTest("ready", active.app, running);
    return report.receiving(active.reported, Math.ceil(active.file.fileSize / this.#options.blockSize));
  }

  get #trialDetails(): StatusDetails {
    const running = this.#options.pal.running as AppDescription;
    return report.selfTest("active", running, running);
  }

  #transferFailed(error: OtaError): OtaState | undefined {
    const active = this.#active as ActiveJob;
    active.outcome = undefined;
    const next = active.planes[1];
    if (next && active.download && error.phase === "transfer" && isPlaneError(error.code)) {
      this.#options.log("warn", `${error.message}; going on over ${next.protocol}`);
      active.planes = active.planes.slice(1);
      active.download.switchPlane(next, active.file);
      return this.#state;
    }
    this.#fail(error);
    return undefined;
  }

  #closeFile(): OtaState | undefined {
    const active = this.#active as ActiveJob;
    active.outcome = undefined;
    active.complete = true;
    this.#guarded(() =>
      active.pal.closeFile((error, left) => {
        if (this.#active !== active || !active.complete) return;
        if (!error) return this.#post("FileClosed");
        if (!left || ++active.repairs > MAX_REPAIRS) return this.#post("TransferFailed", error);
        this.#options.log(
          "warn",
          `flash lost ${active.file.fileSize - left.byteLength} bytes, fetching them again`,
        );
        active.complete = false;
        active.download?.missing(left);
        this.#setState("WaitingForFileBlock");
      }),
    );
    return undefined;
  }

  /** Verified. The service has to know before the device restarts, or it would take the new image for a stranger. */
  #fileClosed(): OtaState | undefined {
    const active = this.#active as ActiveJob;
    this.#closeDownload(active);
    if (!active.app || !active.pal.running) {
      this.#succeed(report.acceptedFile(active.file.fileType), true);
      return "WaitingForJob";
    }
    this.#update("IN_PROGRESS", report.selfTest("ready", active.app, active.pal.running), (result) => {
      if (this.#active !== active || !active.complete) return;
      if (result === "refused")
        return this.#post(
          "TransferFailed",
          new OtaError("activate-failed", "the service refused the status"),
        );
      active.verified = true;
      if (this.#state === "WaitingToActivate") this.#emit({ type: "activate", job: active.job });
    });
    return undefined;
  }

  #activate(): undefined {
    const active = this.#active as ActiveJob;
    if (!active.verified) return;
    active.verified = false;
    this.#guarded(() =>
      active.pal.activate((error) => {
        if (error) this.#post("TransferFailed", error);
        else this.#restarted();
      }),
    );
  }

  // The image on trial

  get #onTrial(): boolean {
    return this.#imageState === "testing";
  }

  #decide(state: ImageState): OtaState | undefined {
    const { clock } = this.#options;
    if (!this.#onTrial) {
      if (state === "accepted") this.#platform("accepted");
      return this.#state;
    }
    if (state === "rejected")
      return this.#rollBack(new OtaError("self-test-rejected", "the application rejected the new image"));
    const error = this.#platform("accepted");
    if (error) return this.#rollBack(error);
    clock.clear(this.#guard);
    this.#imageState = "accepted";
    const active = this.#active;
    return this.#state === "SelfTesting" && active ? this.#passed(active) : this.#state;
  }

  /** The image of this job was accepted. */
  #passed(active: ActiveJob): OtaState {
    this.#succeed(report.accepted(active.pal.running as AppDescription, active.job.progress.updatedBy));
    return "WaitingForJob";
  }

  /** Gives up the image on trial: record it, say so, restart into the old one. */
  #rollBack(error: OtaError): OtaState {
    const { clock, pal } = this.#options;
    clock.clear(this.#guard);
    this.#imageState = "rejected";
    this.#platform("rejected");
    this.#emit({ type: "self-test-failed", error });
    this.#setState("ShuttingDown");
    const restart = () => {
      this.#restarted();
      pal.reset();
    };
    this.#clearTimers();
    this.#jobs?.dropUpdates();
    this.#retry = clock.set(restart, LAST_WORD_MS);
    if (this.#active && this.#options.mqtt.connected) this.#update("FAILED", report.failed(error), restart);
    else restart();
    return "ShuttingDown";
  }

  #platform(state: ImageState): OtaError | undefined {
    try {
      this.#options.pal.setPlatformImageState(state);
      return undefined;
    } catch (error) {
      this.#emit({ type: "notice", error: error as OtaError });
      return error as OtaError;
    }
  }

  // Ends

  /** @param discard what is on flash needs no resume any more */
  #succeed(details: StatusDetails, discard = false): void {
    const { job } = this.#active as ActiveJob;
    this.#release(discard);
    this.#emit({ type: "update-complete", job });
    this.#finish(job.jobId, job.executionNumber, "SUCCEEDED", details);
  }

  #fail(error: OtaError): void {
    const { job } = this.#active as ActiveJob;
    // What a bad link left behind is good: another attempt at the same file goes on from there.
    this.#release(!isPlaneError(error.code));
    if (this.#imageState !== "accepted")
      this.#imageState = error.code === "user-abort" ? "aborted" : "rejected";
    this.#emit({ type: "fail", job, error });
    this.#finish(job.jobId, job.executionNumber, "FAILED", report.failed(error));
  }

  /** Reports a final status, then looks for the next job. `refused` is called when the service does not take it. */
  #finish(
    jobId: string,
    executionNumber: number | undefined,
    status: JobStatus,
    details: StatusDetails,
    refused?: () => void,
  ): void {
    this.#ending = jobId;
    this.#jobs?.update(jobId, executionNumber, status, details, (result) => {
      this.#ending = "";
      this.#emit({ type: "status", jobId, status, details, result });
      if (result !== "accepted" && refused) refused();
      else if (result !== "refused") this.#post("RequestJobDocument");
      // The job is still there and would be offered at once, to end the same way.
      else this.#pollLater();
      this.#wake();
    });
  }

  #update(status: JobStatus, details: StatusDetails, done: (result: UpdateResult) => void): void {
    const { jobId, executionNumber } = (this.#active as ActiveJob).job;
    this.#jobs?.update(jobId, executionNumber, status, details, (result) => {
      this.#emit({ type: "status", jobId, status, details, result });
      if (result === "gone" && status === "IN_PROGRESS") this.#post("JobGone", jobId);
      else done(result);
      this.#wake();
    });
  }

  /** Lets go of the job at hand. `discard`: what is on flash is worthless. */
  #release(discard: boolean): void {
    const active = this.#active;
    this.#active = undefined;
    if (!active) return;
    this.#closeDownload(active);
    try {
      active.pal.abort(discard);
    } catch (error) {
      this.#emit({ type: "notice", error: error as OtaError });
    }
  }

  #closeDownload(active: ActiveJob): void {
    if (!active.download) return;
    this.#statistics = active.download.statistics;
    active.download.close();
    active.download = undefined;
  }

  /** The device restarts (a simulated one: in a later turn): nothing may happen in this life any more. */
  #restarted(): void {
    this.#release(false);
    this.#stop();
  }

  #stop(): void {
    this.#clearTimers();
    this.#options.clock.clear(this.#guard);
    this.#options.clock.clear(this.#retry);
    this.#jobs?.close();
    this.#jobs = undefined;
    this.#queue.length = 0;
    this.#ending = "";
    this.#setState("Stopped");
  }

  #clearTimers(): void {
    const { clock } = this.#options;
    clock.clear(this.#poll);
    clock.clear(this.#deferral);
    this.#deferred = "";
  }

  #timer(old: Timer | undefined, ms: number, callback: () => void): Timer {
    const { clock } = this.#options;
    clock.clear(old);
    return clock.set(callback, ms);
  }

  #setState(state: OtaState): void {
    if (state === this.#state) return;
    this.#state = state;
    const { onState, log } = this.#options;
    try {
      onState?.(state);
    } catch (error) {
      log("error", `onState: ${(error as Error).message}`);
    }
    this.#wake();
  }

  #wake(): void {
    for (const waiter of this.#waiters.splice(0)) waiter();
  }

  #until(condition: () => boolean, timeoutMs: number): Promise<OtaState> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      if (timeoutMs <= 0 || condition()) return resolve(this.#state);
      const timer = clock.set(() => resolve(this.#state), timeoutMs);
      const check = () => {
        if (!condition()) return void this.#waiters.push(check);
        clock.clear(timer);
        resolve(this.#state);
      };
      this.#waiters.push(check);
    });
  }

  #notice(code: OtaErrorCode, message: string, phase: OtaPhase): void {
    this.#options.log("warn", message);
    this.#emit({ type: "notice", error: new OtaError(code, message, phase) });
  }

  #emit(event: OtaEvent): void {
    const { onEvent, log } = this.#options;
    try {
      if (onEvent) onEvent(event);
      else if (event.type === "activate") this.activateNewImage();
      else if (event.type === "start-test") this.setImageState("accepted");
    } catch (error) {
      // A fault of the application must not take the update with it.
      log("error", `onEvent threw on "${event.type}": ${(error as Error).message}`);
    }
  }
}

function userAbort(): OtaError {
  return new OtaError("user-abort", "the application aborted the update");
}

function cancelled(): OtaError {
  return new OtaError("cancelled", "the job was cancelled or replaced");
}

/** Failures another data plane may not have. */
function isPlaneError(code: OtaErrorCode): boolean {
  return code === "stream-refused" || code === "http" || code === "no-progress" || code === "too-slow";
}
