/**
 * Log lines on the console.
 * @module
 */
import type { LogLevel } from "../../src/ports.js";

/** All but the most detailed. */
export function traceLog(level: LogLevel, text: string): void {
  if (level !== "debug") trace(`ota ${level}: ${text}\n`);
}
