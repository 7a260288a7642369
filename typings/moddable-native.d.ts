/** Binds a function to C code; only the XS compiler understands it. */
declare function native(name: string): (...values: never[]) => unknown;
