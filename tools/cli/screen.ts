/**
 * A block of lines at the end of a terminal that is drawn again and again, and bars of progress.
 * @module
 */
import { stripVTControlCharacters } from "node:util";
import type { ExecutionView, Phase } from "../../service/views.js";
import { printableLines } from "./printable.js";
import { hasStyles, paint, type Style } from "./text.js";

const BAR = 24;
/** Of a name on the narrowest screen. */
const NAME_LEAST = 5;
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

  /** Characters that fit beside each other. */
  get columns(): number {
    return (this.#out.columns ?? 80) - 1;
  }

  /** Draws the block anew; seldom enough to be read unless `now`. */
  draw(lines: readonly string[], now = false): void {
    const time = performance.now();
    if (!now && time - this.#drawn < REDRAW_MS) return;
    this.#drawn = time;
    const shown = lines.map((line) => printableLines(cut(line, this.columns), hasStyles(this.#out)));
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

/** One device's update in a line. Where it is narrow, the bar goes, and then a part of the name. */
export function executionLine(execution: ExecutionView, nameWidth: number, columns: number): string {
  const { thingName, progress, phase, text, attempt } = execution;
  const again = attempt > 1 ? ` (attempt ${attempt})` : "";
  const needed = percent(progress).length + phase.length + 3;
  const hasBar = nameWidth + needed + BAR + 1 <= columns;
  const width = hasBar ? nameWidth : Math.max(NAME_LEAST, Math.min(nameWidth, columns - needed));
  const shown = hasBar ? `${bar(progress)} ` : "";
  return `${shorten(thingName, width).padEnd(width)} ${shown}${percent(progress)}  ${phaseText(phase)}: ${text}${again}`;
}

/** A name with its beginning and its end, which tell things apart. */
export function shorten(name: string, width: number): string {
  if (name.length <= width) return name;
  const end = Math.floor((width - 1) / 2);
  return `${name.slice(0, width - 1 - end)}…${name.slice(name.length - end)}`;
}

/** Cuts a line to what is seen of it. Styles of a line that is cut are lost. */
function cut(line: string, columns: number): string {
  const plain = stripVTControlCharacters(line);
  return plain.length <= columns ? line : `${plain.slice(0, columns - 1)}…`;
}
