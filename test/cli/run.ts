/**
 * Runs `xs-ota` as a process, in a folder of its own.
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { equal, fail, ok } from "../support/assert.js";

/** What Node is started with: the program as built when the test command says so, else its source. */
export const PROGRAM =
  process.env["XS_OTA_TEST_BUILD"] === "1"
    ? [fileURLToPath(new URL("../../tools/dist/bin/xs-ota.js", import.meta.url))]
    : [
        "--import",
        import.meta.resolve("tsx"),
        fileURLToPath(new URL("../../tools/xs-ota.ts", import.meta.url)),
      ];

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that goes on until it is stopped. */
export interface Running {
  readonly child: ChildProcess;
  /** So far. */
  readonly output: { stdout: string; stderr: string };
  /** Resolves with the match when the output so far matches. @throws Error when the command ends without */
  until(pattern: RegExp): Promise<RegExpExecArray>;
  /** Sends the signal and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<Result>;
  readonly ended: Promise<Result>;
}

export class Folder {
  readonly path = mkdtempSync(join(tmpdir(), "xs-ota-cli-"));
  /** Commands that have not ended. */
  readonly running = new Set<Running>();

  file(name: string): string {
    return join(this.path, name);
  }

  write(name: string, content: string | Uint8Array): string {
    writeFileSync(this.file(name), content);
    return this.file(name);
  }

  /** Copies a file of test/data. */
  take(...names: readonly string[]): void {
    for (const name of names) copyFileSync(new URL(`../data/${name}`, import.meta.url), this.file(name));
  }

  start(...args: readonly string[]): Running {
    return this.#spawn(args, process.execPath, [...PROGRAM, ...args]);
  }

  /** As `start`, on a terminal of so many columns: what is drawn there stands in `stdout`, `child.stdin` types. */
  startOnTerminal(columns: number, ...args: readonly string[]): Running {
    const words = [process.execPath, ...PROGRAM, ...args].map((word) => `'${word}'`);
    const command = `stty cols ${columns} rows 24; exec ${words.join(" ")}`;
    return this.#spawn(args, "script", ["-qec", command, "/dev/null"], "pipe");
  }

  #spawn(
    args: readonly string[],
    program: string,
    words: readonly string[],
    stdin: "ignore" | "pipe" = "ignore",
  ): Running {
    const child = spawn(program, words, {
      cwd: this.path,
      env: { ...process.env, NO_COLOR: "1" },
      stdio: [stdin, "pipe", "pipe"],
    });
    const output = { stdout: "", stderr: "" };
    const waiting = new Set<() => void>();
    const gather = (name: "stdout" | "stderr") => (chunk: Buffer) => {
      output[name] += chunk.toString();
      for (const look of waiting) look();
    };
    child.stdout!.on("data", gather("stdout"));
    child.stderr!.on("data", gather("stderr"));
    const ended = new Promise<Result>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => {
        this.running.delete(running);
        resolve({ code, ...output });
        for (const look of waiting) look();
      });
    });
    const running: Running = {
      ...{ child, output, ended },
      until: (pattern) =>
        new Promise((resolve, reject) => {
          const look = () => {
            const match = pattern.exec(output.stdout) ?? pattern.exec(output.stderr);
            if (!match && child.exitCode === null && child.signalCode === null) return;
            waiting.delete(look);
            if (match) resolve(match);
            else
              reject(
                new Error(`"${args.join(" ")}" ended without ${pattern}: ${output.stdout}${output.stderr}`),
              );
          };
          waiting.add(look);
          look();
        }),
      stop: (signal = "SIGINT") => {
        child.kill(signal);
        return ended;
      },
    };
    this.running.add(running);
    return running;
  }

  run(...args: readonly string[]): Promise<Result> {
    return this.start(...args).ended;
  }

  /** Runs a command that has to succeed, and returns what it prints. */
  async good(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...args);
    if (code !== 0) fail(`xs-ota ${args.join(" ")} ended with ${code}: ${stderr}${stdout}`);
    equal(stderr, "", "stderr");
    return stdout;
  }

  /** Runs a command that has to end with an exit code and one line of error. */
  async bad(code: number, message: string | RegExp, ...args: readonly string[]): Promise<void> {
    const result = await this.run(...args);
    oneError(result, code, message);
  }

  /** Ends what still runs and deletes the folder. */
  async close(): Promise<void> {
    await Promise.all([...this.running].map((running) => running.stop("SIGKILL")));
    rmSync(this.path, { recursive: true, force: true });
  }
}

export function oneError({ code, stderr }: Result, expected: number, message: string | RegExp): void {
  equal(code, expected, `exit code (${stderr})`);
  equal(stderr.trimEnd().split("\n").length, 1, `lines of stderr in ${JSON.stringify(stderr)}`);
  ok(stderr.startsWith("error: "), `stderr does not start with "error: ": ${stderr}`);
  const found = typeof message === "string" ? stderr.includes(message) : message.test(stderr);
  ok(found, `"${stderr.trim()}" does not contain ${message}`);
}

/** Seconds of processor a process has taken (Linux: proc_pid_stat(5), utime and stime, in ticks of 10 ms). */
export function processorOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
