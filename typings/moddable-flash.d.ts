/**
 * The ECMA-419 flash of the Moddable SDK 8.2, which its published typings lack.
 */
declare module "embedded:storage/flash" {
  export interface Partition {
    /** Blocks `start` up to, not including, `end`. An `end` of `undefined` is taken for 0: leave it out or give it. */
    eraseBlock(start: number, end?: number): void;
    read(buffer: Uint8Array, byteOffset: number): number;
    write(buffer: Uint8Array, byteOffset: number): void;
    status(): { size: number; blocks: number; blockLength: number };
    close(): void;
  }
  const flash: {
    open(options: { path: string; mode?: "r" | "r+" }): Partition;
  };
  export default flash;
}
