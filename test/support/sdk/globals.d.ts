/** Globals of the Moddable runtime that the hosts use; `machine.ts` sets them. */
declare function trace(...parts: unknown[]): void;
declare function native(name: string): (...values: never[]) => unknown;
