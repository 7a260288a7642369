/**
 * States and the transition table of the agent, as data. The names are those of the FreeRTOS OTA library
 * (`OtaState_t`, `OtaEvent_t`) where it has such; "WaitingToActivate" and "SelfTesting" are ours, so that an image
 * that is complete, or on trial, cannot be mistaken for an idle agent.
 * @module
 */
import * as Event from "./events.js";
import * as State from "./states.js";

export type OtaState =
  | "Stopped"
  | "ShuttingDown"
  | "Init"
  | "Ready"
  | "RequestingJob"
  | "WaitingForJob"
  | "Suspended"
  | "SelfTesting"
  | "CreatingFile"
  | "RequestingFileBlock"
  | "WaitingForFileBlock"
  | "ClosingFile"
  | "WaitingToActivate";

/** Names of the states, by number. */
export const STATES =
  "Stopped ShuttingDown Init Ready RequestingJob WaitingForJob Suspended SelfTesting CreatingFile RequestingFileBlock WaitingForFileBlock ClosingFile WaitingToActivate";

/** How many states there are: length of a row. */
const WIDTH = 13;

/**
 * A row for each event up to Stop (events.ts), in it a letter for each state, a the first: the state afterwards, unless
 * the agent finds a reason for another; `.` where the event means nothing. One text, because objects would take a slot
 * of ROM for every cell.
 */
export const TRANSITIONS =
  // a Stopped, b ShuttingDown, c Init, d Ready, e RequestingJob, f WaitingForJob, g Suspended, h SelfTesting,
  // i CreatingFile, j RequestingFileBlock, k WaitingForFileBlock, l ClosingFile, m WaitingToActivate
  "..d.e........" + // Subscribed
  "...eee.hijklm" + // RequestJobDocument
  "....ff.hijklm" + // ReceivedJobDocument
  "......ghijklm" + // JobGone
  "........i...." + // CreateFile
  "........j...." + // FileCreated
  ".........k..." + // ReceivedFileBlock
  ".........ll.." + // FileComplete
  ".........mmm." + // FileClosed
  "............m" + // FileReported
  "............m" + // ActivateImage
  "............m" + // Activated
  "........fffff" + // TransferFailed
  "......e......" + // Resume
  ".b..........."; // Stop

/** The state after `event` in `state`, if nothing else comes of it; negative when the event means nothing there. */
export function transition(state: number, event: number): number {
  if (event > Event.Stop) return state > State.ShuttingDown ? state : -1;
  return TRANSITIONS.charCodeAt(event * WIDTH + state) - 97;
}
