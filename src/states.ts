/**
 * The states of the agent as numbers, in the order of `STATES` in state-machine.ts: a number takes two bytes of ROM
 * wherever it stands, a name twenty.
 * @module
 */
export const Stopped = 0;
export const ShuttingDown = 1;
export const Init = 2;
export const Ready = 3;
export const RequestingJob = 4;
export const WaitingForJob = 5;
export const CreatingFile = 6;
export const RequestingFileBlock = 7;
export const WaitingForFileBlock = 8;
export const ClosingFile = 9;
export const WaitingToActivate = 10;
export const SelfTesting = 11;
export const Suspended = 12;
