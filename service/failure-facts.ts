/**
 * What a device said with a failure, for people: the pairs of its failure log (docs/SPEC.md, "Failure log") under names,
 * the log as lines, and whatever else there is as it is.
 * @module
 */

/** A name and its lines. */
export type Fact = readonly [name: string, lines: readonly string[]];

const NAMES: Readonly<Record<string, string>> = Object.freeze({
  phase: "Phase",
  firmware: "Firmware",
  causes: "Went wrong",
  transfer: "Transfer",
  reset: "Reset by",
  reason: "Reason",
  code: "Code",
  files: "Files",
  payload: "Came by",
  log: "Log",
});
const BETWEEN = " | ";

/** @param hidden names of pairs that are shown elsewhere */
export function failureFacts(
  details: Readonly<Record<string, string>>,
  hidden: readonly string[] = [],
): Fact[] {
  const { log_before: before, log, ...others } = details;
  const lines = [before, log].filter((text) => text !== undefined).flatMap((text) => text.split(BETWEEN));
  const known = Object.keys(NAMES).filter((name) => name in others);
  const rest = Object.keys(others).filter((name) => !(name in NAMES) && !hidden.includes(name));
  const facts = [...known, ...rest].map((name): Fact => [NAMES[name] ?? name, linesOf(name, others[name])]);
  return lines.length > 0 ? [...facts, [NAMES["log"], lines]] : facts;
}

function linesOf(name: string, value: string): string[] {
  if (name === "causes" || name === "transfer") return value.split("; ");
  // States of a job's files: "0:ready 2:78%".
  return name === "files" ? value.split(" ").map((file) => file.replace(":", ": ")) : [value];
}
