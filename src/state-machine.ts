/**
 * States, events and the transition table of the agent, as data. The names are those of the FreeRTOS OTA
 * library (`OtaState_t`, `OtaEvent_t`); "WaitingToActivate" and "SelfTesting" are ours, so that an image that
 * is complete, or on trial, can not be mistaken for an idle agent.
 * @module
 */

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
export type Transition = readonly [OtaHandler, OtaState];
type Row = Readonly<Partial<Record<OtaAgentEvent, Transition>>>;

const row = (transitions: Row): Row => Object.freeze(transitions);
const to = (handler: OtaHandler, state: OtaState): Transition => Object.freeze([handler, state] as const);

/** What may happen in every state of a started agent, unless the state's own row says otherwise. */
const ANY: Row = row({
  Suspend: to("suspend", "Suspended"),
  UserAbort: to("abort", "WaitingForJob"),
  ImageDecided: to("decide", "WaitingForJob"),
  SelfTestTimer: to("rollBack", "ShuttingDown"),
});

const TABLE: Readonly<Record<OtaState, Row>> = Object.freeze({
  Stopped: row({}),
  Init: row({ Subscribed: to("ready", "Ready") }),
  Ready: row({ Start: to("requestJob", "RequestingJob") }),
  RequestingJob: row({
    ReceivedJobDocument: to("processJob", "CreatingFile"),
    RequestJobDocument: to("requestJob", "RequestingJob"),
  }),
  WaitingForJob: row({
    ReceivedJobDocument: to("processJob", "CreatingFile"),
    RequestJobDocument: to("requestJob", "RequestingJob"),
  }),
  CreatingFile: row({
    FileCreated: to("startTransfer", "RequestingFileBlock"),
    ReceivedJobDocument: to("jobNotification", "CreatingFile"),
    RequestJobDocument: to("refreshJob", "CreatingFile"),
    TransferFailed: to("transferFailed", "WaitingForJob"),
    JobGone: to("jobGone", "RequestingJob"),
  }),
  RequestingFileBlock: row({
    ReceivedFileBlock: to("firstBlock", "WaitingForFileBlock"),
    FileComplete: to("closeFile", "ClosingFile"),
    ReceivedJobDocument: to("jobNotification", "RequestingFileBlock"),
    RequestJobDocument: to("refreshJob", "RequestingFileBlock"),
    TransferFailed: to("transferFailed", "WaitingForJob"),
    JobGone: to("jobGone", "RequestingJob"),
  }),
  WaitingForFileBlock: row({
    FileComplete: to("closeFile", "ClosingFile"),
    ReceivedJobDocument: to("jobNotification", "WaitingForFileBlock"),
    RequestJobDocument: to("refreshJob", "WaitingForFileBlock"),
    TransferFailed: to("transferFailed", "WaitingForJob"),
    JobGone: to("jobGone", "RequestingJob"),
  }),
  ClosingFile: row({
    FileClosed: to("fileClosed", "WaitingToActivate"),
    ReceivedJobDocument: to("jobNotification", "ClosingFile"),
    RequestJobDocument: to("refreshJob", "ClosingFile"),
    TransferFailed: to("transferFailed", "WaitingForJob"),
    JobGone: to("jobGone", "RequestingJob"),
  }),
  WaitingToActivate: row({
    ActivateImage: to("activate", "WaitingToActivate"),
    ReceivedJobDocument: to("jobNotification", "WaitingToActivate"),
    RequestJobDocument: to("refreshJob", "WaitingToActivate"),
    TransferFailed: to("transferFailed", "WaitingForJob"),
    JobGone: to("jobGone", "RequestingJob"),
  }),
  SelfTesting: row({
    ReceivedJobDocument: to("jobNotification", "SelfTesting"),
    RequestJobDocument: to("refreshJob", "SelfTesting"),
    JobGone: to("rollBack", "ShuttingDown"),
  }),
  Suspended: row({
    Resume: to("requestJob", "RequestingJob"),
    JobGone: to("jobGone", "Suspended"),
    Suspend: to("suspend", "Suspended"),
  }),
  ShuttingDown: row({ Suspend: undefined }),
});

/** The transition for `event` in `state`; undefined when the event means nothing there. */
export function transition(state: OtaState, event: OtaAgentEvent): Transition | undefined {
  if (state === "Stopped" || state === "ShuttingDown") return undefined;
  return TABLE[state][event] ?? ANY[event];
}
