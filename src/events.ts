/**
 * What makes the agent go from state to state, as numbers: the rows of the transition table. What is asked of the porting
 * layer is followed by its answer.
 * @module
 */
/** The service listens to the agent. */
export const Subscribed = 0;
/** Look at the queue. */
export const RequestJobDocument = 1;
/** With a `ParsedJob`. */
export const ReceivedJobDocument = 2;
/** The execution of a job is over, whatever this device says; with the job's id. */
export const JobGone = 3;
export const CreateFile = 4;
export const FileCreated = 5;
export const ReceivedFileBlock = 6;
/** Every block is on flash. */
export const FileComplete = 7;
/** Verified; or its head was accepted, where no more of it is wanted yet. */
export const FileClosed = 8;
/** Verified, and the service knows. */
export const FileReported = 9;
export const ActivateImage = 10;
/** The device restarts. */
export const Activated = 11;
/** With an `OtaError`. */
export const TransferFailed = 12;
export const Resume = 13;
/** Nothing is left to be waited for. */
export const Stop = 14;

// From here on: in any state of a started agent.

export const Suspend = 15;
/** The service does not listen to the agent; with the broker's `Error`. */
export const Refused = 16;
/** Try that again. */
export const Subscribe = 17;
/** Look at the queue, although a job was put off. */
export const CheckForUpdate = 18;
/** By the application; with the `ImageState`. */
export const ImageDecided = 19;
/** Nobody decided about the image on trial in time. */
export const SelfTestTimer = 20;
