/**
 * The states of the agent as numbers, in the order of `STATES` in state-machine.ts: a number takes two bytes of ROM
 * wherever it stands, a name twenty. Their order means something: from CreatingFile on there is a transfer, from
 * ClosingFile on every block of it is here.
 * @module
 */
export const Stopped = 0;
export const ShuttingDown = 1;
export const Init = 2;
export const Ready = 3;
export const RequestingJob = 4;
export const WaitingForJob = 5;
export const Suspended = 6;
export const SelfTesting = 7;
export const CreatingFile = 8;
export const RequestingFileBlock = 9;
export const WaitingForFileBlock = 10;
export const ClosingFile = 11;
export const WaitingToActivate = 12;
