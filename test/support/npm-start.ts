/**
 * Runs `npm start` as a process of its own.
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import type { Summary } from "../../tools/start/summary.js";

const ROOT = join(import.meta.dirname, "../..");

/** The program as built when the test command says so, which starts faster; else its source. */
const PROGRAM =
  process.env["XS_OTA_TEST_BUILD"] === "1"
    ? [join(ROOT, "build/tools/start.js")]
    : ["--import", "tsx", join(ROOT, "tools/start.ts")];

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class StartProcess {
  readonly ended: Promise<Ended>;
  stdout = "";
  stderr = "";
  readonly #child: ChildProcess;
  readonly #watchers: { pattern: RegExp; seen: () => void }[] = [];

  constructor(...parameters: string[]) {
    this.#child = spawn(process.execPath, [...PROGRAM, ...parameters], {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child.stdout?.on("data", (chunk: Buffer) => {
      this.stdout += chunk.toString();
      for (const { pattern, seen } of this.#watchers) if (pattern.test(this.stdout)) seen();
    });
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      this.stderr += chunk.toString();
    });
    this.ended = new Promise((resolve, reject) => {
      this.#child.on("error", reject);
      this.#child.on("close", (code, signal) => {
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  /** Resolves when the output matches. Rejects when the process ends before. */
  until(pattern: RegExp): Promise<void> {
    if (pattern.test(this.stdout)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#watchers.push({ pattern, seen: resolve });
      void this.ended.then(({ stdout, stderr }) => {
        reject(new Error(`ended before ${pattern} came:\n${stdout}\n${stderr}`));
      });
    });
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}

/** Runs to the end and returns the summary of the last line. Throws when there is none. */
export async function npmStart(...parameters: string[]): Promise<Ended & { summary: Summary }> {
  const ended = await new StartProcess("--json", ...parameters).ended;
  const last = ended.stdout.trimEnd().split("\n").at(-1) ?? "";
  try {
    return { ...ended, summary: JSON.parse(last) as Summary };
  } catch {
    throw new Error(`no summary; exit code ${ended.code}:\n${ended.stdout}\n${ended.stderr}`);
  }
}
