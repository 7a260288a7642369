/**
 * What the agent makes of an image where another one runs, as far as versions go.
 * @module
 */
import type { ImageInspection } from "../../service/inspection.js";
import { compareVersions } from "../../src/slot/version.js";

/** "identical": the very build; "same": its version, in another build; "unordered": it cannot be told. */
export type Order = "newer" | "older" | "same" | "identical" | "unordered";

export interface Comparison {
  /** Version of what runs. */
  readonly running: string;
  readonly order: Order;
  /** In words. */
  readonly text: string;
  readonly refused: boolean;
}

const WORDS: Readonly<Record<Order, string>> = Object.freeze({
  newer: "newer: devices take it",
  older: "older: devices refuse it unless they allow downgrades",
  same: "the same version in another build: devices refuse it unless they allow downgrades",
  identical: "the very same build: devices have nothing to do",
  unordered: "it cannot be told which is newer: devices refuse it unless they allow downgrades",
});

/** @param running the image that runs, or its version alone */
export function compareImages(image: ImageInspection, running: ImageInspection | string): Comparison {
  const { version = "", elfSha256 = "" } = image.app ?? {};
  const other = typeof running === "string" ? { version: running, elfSha256: "" } : running.app;
  const name = other?.version ?? "";
  const difference = compareVersions(version, name);
  const isSame = version === name && elfSha256 !== "" && elfSha256 === other?.elfSha256;
  const order: Order = isSame
    ? "identical"
    : Number.isNaN(difference)
      ? "unordered"
      : difference > 0
        ? "newer"
        : difference < 0
          ? "older"
          : "same";
  const refused = order !== "newer" && order !== "identical";
  return { running: name, order, refused, text: WORDS[order] };
}
