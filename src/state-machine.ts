/**
 * States, events and the transition table of the agent, as data. The names are those of the FreeRTOS OTA
 * library (`OtaState_t`, `OtaEvent_t`); "WaitingToActivate" and "SelfTesting" are ours, so that an image that
 * is complete, or on trial, can not be mistaken for an idle agent.
 * @module
 */
import { findRow } from "./errors.js";

export type OtaState =
  | "Stopped"
  | "Init"
  | "Ready"
  | "RequestingJob"
  | "WaitingForJob"
  | "CreatingFile"
  | "RequestingFileBlock"
  | "WaitingForFileBlock"
  | "ClosingFile"
  | "WaitingToActivate"
  | "SelfTesting"
  | "Suspended"
  | "ShuttingDown";

export type OtaAgentEvent =
  | "Subscribed"
  | "Start"
  | "RequestJobDocument"
  | "ReceivedJobDocument"
  | "FileCreated"
  | "ReceivedFileBlock"
  | "FileComplete"
  | "FileClosed"
  | "TransferFailed"
  | "ActivateImage"
  | "JobGone"
  | "Suspend"
  | "Resume"
  | "UserAbort"
  | "ImageDecided"
  | "SelfTestTimer";

export type OtaHandler =
  | "ready"
  | "requestJob"
  | "refreshJob"
  | "processJob"
  | "jobNotification"
  | "startTransfer"
  | "firstBlock"
  | "closeFile"
  | "fileClosed"
  | "transferFailed"
  | "activate"
  | "jobGone"
  | "suspend"
  | "abort"
  | "decide"
  | "rollBack";

/** What to do, and the state afterwards unless the handler names another. */
export interface Transition {
  readonly handler: OtaHandler;
  readonly next: OtaState;
}

/**
 * State, event, handler, next state; `*` stands for any state of a started agent that has no row of its own for
 * the event. One text, because objects would take a slot of ROM for every cell.
 */
export const TRANSITIONS = `
Init Subscribed ready Ready
Ready Start requestJob RequestingJob
RequestingJob Subscribed requestJob RequestingJob
RequestingJob ReceivedJobDocument processJob CreatingFile
RequestingJob RequestJobDocument requestJob RequestingJob
WaitingForJob ReceivedJobDocument processJob CreatingFile
WaitingForJob RequestJobDocument requestJob RequestingJob
CreatingFile FileCreated startTransfer RequestingFileBlock
CreatingFile ReceivedJobDocument jobNotification CreatingFile
CreatingFile RequestJobDocument refreshJob CreatingFile
CreatingFile TransferFailed transferFailed WaitingForJob
CreatingFile JobGone jobGone RequestingJob
RequestingFileBlock ReceivedFileBlock firstBlock WaitingForFileBlock
RequestingFileBlock FileComplete closeFile ClosingFile
RequestingFileBlock ReceivedJobDocument jobNotification RequestingFileBlock
RequestingFileBlock RequestJobDocument refreshJob RequestingFileBlock
RequestingFileBlock TransferFailed transferFailed WaitingForJob
RequestingFileBlock JobGone jobGone RequestingJob
WaitingForFileBlock FileComplete closeFile ClosingFile
WaitingForFileBlock ReceivedJobDocument jobNotification WaitingForFileBlock
WaitingForFileBlock RequestJobDocument refreshJob WaitingForFileBlock
WaitingForFileBlock TransferFailed transferFailed WaitingForJob
WaitingForFileBlock JobGone jobGone RequestingJob
ClosingFile FileClosed fileClosed WaitingToActivate
ClosingFile ReceivedJobDocument jobNotification ClosingFile
ClosingFile RequestJobDocument refreshJob ClosingFile
ClosingFile TransferFailed transferFailed WaitingForJob
ClosingFile JobGone jobGone RequestingJob
WaitingToActivate ActivateImage activate WaitingToActivate
WaitingToActivate ReceivedJobDocument jobNotification WaitingToActivate
WaitingToActivate RequestJobDocument refreshJob WaitingToActivate
WaitingToActivate TransferFailed transferFailed WaitingForJob
WaitingToActivate JobGone jobGone RequestingJob
SelfTesting ReceivedJobDocument jobNotification SelfTesting
SelfTesting RequestJobDocument refreshJob SelfTesting
SelfTesting JobGone rollBack ShuttingDown
Suspended Resume requestJob RequestingJob
Suspended JobGone jobGone Suspended
* Suspend suspend Suspended
* UserAbort abort WaitingForJob
* ImageDecided decide WaitingForJob
* SelfTestTimer rollBack ShuttingDown
`;

/** The transition for `event` in `state`; undefined when the event means nothing there. */
export function transition(state: OtaState, event: OtaAgentEvent): Transition | undefined {
  if (state === "Stopped" || state === "ShuttingDown") return undefined;
  const row = findRow(TRANSITIONS, `${state} ${event}`) ?? findRow(TRANSITIONS, `* ${event}`);
  return row && { handler: row[2] as OtaHandler, next: row[3] as OtaState };
}
