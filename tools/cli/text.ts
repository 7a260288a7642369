/**
 * Text on a terminal: colours where they are wanted, tables.
 * @module
 */
import { stripVTControlCharacters, styleText } from "node:util";
import { printableLines } from "./printable.js";

export type Style = "red" | "green" | "yellow" | "cyan" | "dim" | "bold";

/** Coloured on a terminal that has not asked for plain text (`NO_COLOR`). */
export function paint(style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return hasStyles(stream) ? styleText(style, text) : text;
}

/** Columns as wide as their widest cell, two spaces between them. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [heads, ...rows];
  const widths = heads.map((_, column) => Math.max(...all.map((row) => width(row[column] ?? ""))));
  return all.map((row, index) => {
    const line = row
      .map((cell, column) => cell + " ".repeat(Math.max(0, widths[column] - width(cell))))
      .join("  ")
      .trimEnd();
    return index === 0 ? paint("dim", line) : line;
  });
}

function width(text: string): number {
  return stripVTControlCharacters(text).length;
}

export function print(...lines: readonly string[]): void {
  process.stdout.write(printableLines(lines.map((line) => `${line}\n`).join(""), hasStyles()));
}

/** Whether standard output takes colours. */
export function hasStyles(stream: NodeJS.WriteStream = process.stdout): boolean {
  return Boolean(stream.isTTY) && !process.env["NO_COLOR"];
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}
