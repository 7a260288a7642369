/**
 * What makes the agent go from state to state, as numbers: the rows of the transition table. What is asked of the porting
 * layer is followed by its answer.
 * @module
 */
/** The service listens to the agent. */
export const Subscribed = 0;
/** It does not; with the broker's `Error`. */
export const Refused = 1;
/** Try that again. */
export const Subscribe = 2;
/** Look at the queue. */
export const RequestJobDocument = 3;
/** The same, although a job was put off. */
export const CheckForUpdate = 4;
/** With a `ParsedJob`. */
export const ReceivedJobDocument = 5;
/** The execution of a job is over, whatever this device says; with the job's id. */
export const JobGone = 6;
export const CreateFile = 7;
export const FileCreated = 8;
export const ReceivedFileBlock = 9;
/** Every block is on flash. */
export const FileComplete = 10;
/** Verified. */
export const FileClosed = 11;
/** Verified, and the service knows. */
export const FileReported = 12;
export const ActivateImage = 13;
/** The device restarts. */
export const Activated = 14;
/** With an `OtaError`. */
export const TransferFailed = 15;
export const Suspend = 16;
export const Resume = 17;
/** By the application; with the `ImageState`. */
export const ImageDecided = 18;
/** Nobody decided about the image on trial in time. */
export const SelfTestTimer = 19;
/** Nothing is left to be waited for. */
export const Stop = 20;
