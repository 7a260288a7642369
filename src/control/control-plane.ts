/**
 * What the agent asks of a fleet service: what is next, here is the state, is it still mine? AWS IoT Jobs (`jobs.ts`) is one
 * implementation; the agent knows none.
 * @module
 */
import type { Clock, Log, MqttConnection, Random, Store } from "../ports.js";
import type { OtaPal } from "../slot/pal.js";
import type { ParsedJob } from "./job-document.js";
import type { JobReference, JobStatus, StatusDetails, UpdateResult } from "./job-status.js";

/**
 * Told what the service has to say, as events of the agent (`events.ts`): Subscribed when it can be asked, or Refused with an
 * `Error`; ReceivedJobDocument with a `ParsedJob`, which has a `clientToken` when it answers `request`; JobGone with a job's id
 * when its execution is over, whatever this device says; RequestJobDocument when the queue should be looked at.
 */
export type ControlListener = (event: number, data?: ParsedJob | Error | string) => void;

/** @param details as the service took them, or refused them last */
export type UpdateDone = (result: UpdateResult, details: StatusDetails) => void;

export interface ControlPlane {
  /** A status can be sent at once, as far as is known. */
  readonly connected: boolean;
  /** True while an update that must arrive has not been answered. */
  readonly reporting: boolean;
  /** True while a job request has not been answered. */
  readonly requesting: boolean;
  /** Milliseconds the last answered job request took; undefined before. */
  readonly roundTrip: number | undefined;
  /** Bytes a second its answer came at, at the least; 0 when nothing is known. */
  readonly rate: number;
  /** The status of the execution that was refused an update last, as far as the service told. */
  readonly endedAs: unknown;
  /** Begins to listen: Subscribed or Refused is told, in a turn of its own. */
  open(): void;
  /** Nothing is told or sent any more. */
  close(): void;
  /** True while an update of a job's that must arrive has not been answered. */
  isReporting(jobId: string): boolean;
  /** Asks for the next job, however long the service takes: ReceivedJobDocument is told. */
  request(): void;
  /** Gives up an unanswered request. */
  cancelRequest(): void;
  /**
   * Reports a status that must arrive: repeated until the service has answered, or `close`. Updates keep their order.
   * Before `open` nothing is reported.
   * @param done false for a report of progress: sent once, and never waited for
   */
  update(job: JobReference, status: JobStatus, details: StatusDetails, done?: UpdateDone | false): void;
  /** Forgets the updates of a job that nobody waits for any more; without `jobId`, of all. */
  dropUpdates(jobId?: string): void;
}

/** What a control plane knows of its agent: some of the agent's options. */
export interface ControlContext {
  readonly thingName: string;
  /** Undefined when the agent was given none. */
  readonly mqtt: MqttConnection;
  readonly pal: OtaPal;
  readonly clock: Clock;
  readonly random: Random;
  readonly store?: Store | undefined;
  readonly log: Log;
}

/** Makes the control plane of an agent. */
export type ControlPlaneFactory = (options: ControlContext, tell: ControlListener) => ControlPlane;
