/**
 * The events a control plane tells the agent, as in src/events.ts: the bundle that ships has their numbers, not their names.
 * @module
 */
export const Subscribed = 0;
export const RequestJobDocument = 1;
export const ReceivedJobDocument = 2;
export const JobGone = 3;
export const CheckForUpdate = 18;
