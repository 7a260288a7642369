/**
 * A block of lines at the end of a terminal that is drawn again and again, and bars of progress.
 * @module
 */
import { stripVTControlCharacters } from "node:util";
import type { ExecutionView, Phase } from "../../service/views.js";
import { printableLines } from "./printable.js";
import { hasStyles, paint, type Style } from "./text.js";

const BAR = 24;
/** Least time between two drawings, ms. */
const REDRAW_MS = 60;

export class Screen {
  readonly #out: NodeJS.WriteStream;
  #height = 0;
  #drawn = 0;

  constructor(out: NodeJS.WriteStream = process.stdout) {
    this.#out = out;
  }

  /** Lines that fit below each other. */
  get rows(): number {
    return Math.max(4, (this.#out.rows ?? 24) - 2);
  }

  /** Draws the block anew; seldom enough to be read unless `now`. */
  draw(lines: readonly string[], now = false): void {
    const time = performance.now();
    if (!now && time - this.#drawn < REDRAW_MS) return;
    this.#drawn = time;
    const columns = this.#out.columns ?? 80;
    const shown = lines.map((line) => printableLines(cut(line, columns - 1), hasStyles(this.#out)));
    const text = shown.map((line) => `${line}\x1b[K\n`).join("");
    this.#out.write(`${this.#height > 0 ? `\x1b[${this.#height}A` : ""}${text}\x1b[J`);
    this.#height = lines.length;
  }

  /** Leaves the block as it is; what is drawn next stands below. */
  leave(): void {
    this.#height = 0;
  }
}

export function bar(share: number): string {
  const full = Math.round(share * BAR);
  return "█".repeat(full) + "░".repeat(BAR - full);
}

export function percent(share: number): string {
  return `${Math.floor(share * 100)} %`.padStart(5);
}

const STYLES: Partial<Record<Phase, Style>> = {
  accepted: "green",
  refused: "red",
  failed: "red",
  "rolled back": "red",
  "timed out": "red",
  cancelled: "yellow",
};

export function phaseText(phase: Phase, text: string = phase): string {
  const style = STYLES[phase] ?? "cyan";
  return paint(style, text);
}

/** One device's update in a line. */
export function executionLine(execution: ExecutionView, nameWidth: number): string {
  const { thingName, progress, phase, text, attempt } = execution;
  const again = attempt > 1 ? ` (attempt ${attempt})` : "";
  return `${thingName.padEnd(nameWidth)} ${bar(progress)} ${percent(progress)}  ${phaseText(phase)}: ${text}${again}`;
}

/** Cuts a line to what is seen of it. Styles of a line that is cut are lost. */
function cut(line: string, columns: number): string {
  const plain = stripVTControlCharacters(line);
  return plain.length <= columns ? line : `${plain.slice(0, columns - 1)}…`;
}
