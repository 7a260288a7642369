/**
 * Sources with something taken out, to measure what that costs.
 * @module
 */
import type { SourceEdit } from "../bundle.js";

/** File below src, a text that stands in it once, and what takes its place. */
export type Edit = readonly [file: string, from: string, to: string];

/** @returns a change that throws an Error where the sources are not those the edits were made for */
export function edits(list: readonly Edit[]): SourceEdit {
  return (code, path) => {
    let edited = code;
    for (const [file, from, to] of list) {
      if (!path.endsWith(`/src/${file}`)) continue;
      const parts = edited.split(from);
      if (parts.length !== 2) throw new Error(`${file}: "${from}" is there ${parts.length - 1} times`);
      edited = parts.join(to);
    }
    return edited;
  };
}
