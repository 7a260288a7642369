/**
 * Text on a terminal: colours where they are wanted, tables.
 * @module
 */
import { stripVTControlCharacters, styleText } from "node:util";

export type Style = "red" | "green" | "yellow" | "cyan" | "dim" | "bold";

/** Coloured on a terminal that has not asked for plain text (`NO_COLOR`). */
export function paint(style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return stream.isTTY && !process.env["NO_COLOR"] ? styleText(style, text) : text;
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
  process.stdout.write(lines.map((line) => `${line}\n`).join(""));
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}
