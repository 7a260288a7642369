/**
 * What a device said with a failure, below what it is about.
 * @module
 */
import type { Fact } from "../../service/failure-facts.js";

export function factLines(facts: readonly Fact[]): string[] {
  const width = Math.max(0, ...facts.map(([name]) => name.length));
  return facts.flatMap(([name, lines]) =>
    lines.map((line, index) => `    ${(index === 0 ? name : "").padEnd(width)}  ${line}`),
  );
}
