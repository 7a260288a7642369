/**
 * Debian's compiler for RISC-V chips, which needs nothing of ESP-IDF.
 * @module
 */
import { spawnSync } from "node:child_process";

const PREFIX = "riscv64-unknown-elf-";
export const COMPILER = `${PREFIX}gcc`;

/** Compiles one file. @throws Error with what the compiler says */
export function compile(args: readonly string[]): void {
  run(COMPILER, args);
}

/** Bytes of an object's code and constants, and of its variables that begin with a value. @throws Error */
export function sizeOf(object: string): { readonly text: number; readonly data: number } {
  const [text, data] = run(`${PREFIX}size`, [object]).trim().split("\n")[1].trim().split(/\s+/).map(Number);
  return { text, data };
}

function run(program: string, args: readonly string[]): string {
  const { error, status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8" });
  if (error || status) throw new Error(`${program}: ${error?.message ?? stderr}`);
  return stdout;
}
