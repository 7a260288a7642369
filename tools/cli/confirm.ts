/**
 * Questions to a person at a terminal.
 * @module
 */
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";

/** True when a person says yes; false where nobody can be asked. */
export async function confirmed(question: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return false;
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `)).trim());
  } finally {
    lines.close();
  }
}

/** What a person types without its being shown, or the first line of a pipe. */
export async function askSecret(question: string): Promise<string> {
  const isAsked = process.stdin.isTTY && process.stderr.isTTY;
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: silent, terminal: isAsked });
  if (isAsked) process.stderr.write(question);
  try {
    for await (const line of lines) return line;
    return "";
  } finally {
    lines.close();
    if (isAsked) process.stderr.write("\n");
  }
}
