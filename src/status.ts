/**
 * The `statusDetails` of a job: the texts of the original agent, which back ends read, and beside them what a
 * person wants to know. Formats: docs/SPEC.md, "Status details".
 * @module
 */
import { hex32, OtaError } from "./errors.js";
import type { StatusDetails } from "./jobs.js";
import type { AppDescription } from "./ports.js";
import { packVersion } from "./version.js";

/** Longest value of a status detail, in characters (AWS IoT Jobs limits). */
const VALUE_LENGTH = 1024;

/** Names an image across a restart: version and build. */
export function imageName(app: AppDescription): string {
  return `${app.version}+${app.buildId}`;
}

export function receiving(received: number, total: number): StatusDetails {
  return { receive: `${received}/${total}` };
}

/**
 * @param step "ready": verified and about to be booted; "active": on trial
 * @param app the image it is about
 * @param running the application that reports
 */
export function selfTest(
  step: "ready" | "active",
  app: AppDescription,
  running: AppDescription,
): StatusDetails {
  return { self_test: step, updatedBy: hex32(packVersion(running.version)), image: imageName(app) };
}

/** @param updatedBy packed version of the application that performed the download */
export function accepted(running: AppDescription, updatedBy: number | undefined): StatusDetails {
  return {
    reason: `accepted  v${dotted(packVersion(running.version))}`,
    updatedBy: `  v${dotted(updatedBy ?? 0)}`,
    image: imageName(running),
  };
}

/** A file that is not firmware. */
export function acceptedFile(fileType: number): StatusDetails {
  return { reason: `accepted  v0.0.${fileType}`, updatedBy: "  v0.0.0" };
}

export function failed(error: OtaError): StatusDetails {
  const value = error.value;
  // From 0xe0 the values are main codes of the porting layer, which stand in the top byte of its status word.
  const word = hex32(value >= 0xe0 ? value << 24 : value);
  let reason = `aborted: ${word}`;
  if (error.code === "job-parser" || error.code === "bad-base64") reason = "0x0000000c: 0x00000004";
  else if (error.phase === "verify" || error.code === "flash-write") reason = `${hex32(value)}: 0x00000000`;
  else if (error.phase === "image" || error.phase === "self-test") reason = `rejected: ${word}`;
  return { reason, code: error.code, message: error.message.slice(0, VALUE_LENGTH) };
}

/**
 * The original agent's check of a job in self-test, which knows no image by name.
 * @returns undefined when the running version may be the one this job installed
 */
export function versionConflict(updatedBy: number | undefined, version: string): OtaError | undefined {
  const running = packVersion(version);
  if (updatedBy === undefined || updatedBy < running) return undefined;
  return updatedBy === running
    ? new OtaError("same-version", `version ${version} was running before the update too`, "self-test")
    : new OtaError("downgrade", `version ${version} is older than the one before the update`, "self-test");
}

/** major.minor.build of a packed version. */
function dotted(packed: number): string {
  return `${packed >>> 24}.${(packed >>> 16) & 0xff}.${packed & 0xffff}`;
}
