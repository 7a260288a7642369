/**
 * What a person sees of the run: a line for each thing that happens, and a progress bar on a terminal.
 * @module
 */
import { styleText } from "node:util";
import { printableLines } from "../cli/printable.js";
import { hasStyles } from "../cli/text.js";

const BAR = 30;
const LABEL = 12;
/** Share of the file between two lines of progress where there is no bar. */
const STEP = 0.1;
/** Least time between two changes of the bar, in ms. */
const REDRAW_MS = 40;

type Style = Parameters<typeof styleText>[0];

export class View {
  readonly #out: NodeJS.WriteStream;
  readonly #start = performance.now();
  #barShown = false;
  #nextShare = STEP;
  #drawn = 0;

  constructor(out: NodeJS.WriteStream = process.stdout) {
    this.#out = out;
  }

  /** A line: when, what, and the particulars. */
  line(label: string, text: string, style?: Style): void {
    const seconds = ((performance.now() - this.#start) / 1000).toFixed(2).padStart(7);
    const name = label.padEnd(LABEL);
    this.#print(`${this.#style("dim", `${seconds} s`)}  ${this.#style(style ?? "cyan", name)} ${text}`);
  }

  text(text = ""): void {
    this.#print(text);
  }

  /** @param seconds since the transfer began */
  progress(bytes: number, total: number, seconds: number, label = "download"): void {
    const share = total ? bytes / total : 1;
    if (!this.#out.isTTY) {
      if (share < this.#nextShare) return;
      while (this.#nextShare <= share) this.#nextShare += STEP;
      return this.line(label, `${percent(share)} of ${kilobytes(total)}${rate(bytes, seconds)}`);
    }
    const now = performance.now();
    if (share < 1 && now - this.#drawn < REDRAW_MS) return;
    this.#drawn = now;
    const full = Math.round(share * BAR);
    const bar = `${"█".repeat(full)}${"░".repeat(BAR - full)}`;
    const left = share > 0 && share < 1 ? `, ${Math.ceil((seconds / share) * (1 - share))} s left` : "";
    this.#out.write(
      `\r\x1b[K           ${this.#style("cyan", label.padEnd(LABEL))} ${bar} ${percent(share).padStart(5)} ` +
        `${kilobytes(bytes)} of ${kilobytes(total)}${rate(bytes, seconds)}${left}`,
    );
    this.#barShown = true;
  }

  /** The next file starts at the beginning. */
  resetProgress(): void {
    this.#nextShare = STEP;
    this.#drawn = 0;
  }

  style(style: Style, text: string): string {
    return this.#style(style, text);
  }

  #print(text: string): void {
    if (this.#barShown) this.#out.write("\n");
    this.#barShown = false;
    this.#out.write(`${printableLines(text, hasStyles(this.#out))}\n`);
  }

  #style(style: Style, text: string): string {
    return hasStyles(this.#out) ? styleText(style, text) : text;
  }
}

export function percent(share: number): string {
  return `${Math.floor(share * 100)} %`;
}

export function kilobytes(bytes: number): string {
  return `${Math.round(bytes / 1024)} KB`;
}

export function thousands(value: number): string {
  return value.toLocaleString("en-US");
}

function rate(bytes: number, seconds: number): string {
  return seconds > 0.05 ? `, ${kilobytes(bytes / seconds)}/s` : "";
}
