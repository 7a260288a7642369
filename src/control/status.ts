/**
 * The `statusDetails` of a job: the texts of the original agent, which back ends read, and beside them what a
 * person wants to know. Formats: docs/SPEC.md, "Status details".
 * @module
 */

import { hex32, OtaError } from "../errors.js";
import type { AppDescription } from "../ports.js";
import type { FileSet } from "../slot/pal.js";
import { packVersion } from "../slot/version.js";
import type { ActiveJob } from "./active-job.js";
import { fileMark } from "./job-document.js";
import type { StatusDetails } from "./job-status.js";
import { plain } from "./words.js";

/** Names an image across a restart: version and build. As it stands in a status, since it comes back from there. */
export function imageName(app: AppDescription): string {
  return plain(`${app.version}+${app.buildId}`);
}

export function receiving(received: number, total: number, set?: FileSet): StatusDetails {
  const details: Record<string, string> = { receive: `${received}/${total}` };
  if (set) details["files"] = set.progress(received, total);
  return details;
}

/** @param step "ready": verified and about to be booted; "active": on trial */
export function selfTest(step: "ready" | "active", active: ActiveJob): StatusDetails {
  const { version } = active.pal.running as AppDescription;
  const image = imageName(active.app as AppDescription);
  const details: Record<string, string> = { self_test: step, updatedBy: hex32(packVersion(version)), image };
  const mark = fileMark(active.job.files);
  if (mark) details["file"] = mark;
  return withPayload(details, active);
}

/** A file that is no application has no version, and stands there by its type. */
export function accepted(active: ActiveJob): StatusDetails {
  const { app, file, updatedBy } = active;
  const details: Record<string, string> = {
    reason: `accepted  v${dotted(app ? packVersion(app.version) : file.fileType)}`,
    updatedBy: `  v${dotted(app && updatedBy)}`,
  };
  if (app) details["image"] = imageName(app);
  return withPayload(details, active);
}

/** Says by which of several files the image came. */
function withPayload(details: Record<string, string>, { payload }: ActiveJob): StatusDetails {
  if (payload) details["payload"] = payload;
  return details;
}

export function failed(error: OtaError): StatusDetails {
  const { code, phase, value } = error;
  // From 0xe0 the values are main codes of the porting layer, which stand in the top byte of its status word.
  const word = hex32(value < 0xe0 ? value : value << 24);
  let reason = `aborted: ${word}`;
  if (code === "job-parser" || code === "bad-base64" || code === "custom-job")
    reason = "0x0000000c: 0x00000004";
  else if (phase === "verify" || code === "flash-write") reason = `${hex32(value)}: 0x00000000`;
  else if (phase === "image" || phase === "self-test") reason = `rejected: ${word}`;
  return { reason, code, message: plain(error.message || code) };
}

/**
 * The original agent's check of a job in self-test, which knows no image by name.
 * @returns undefined when the running version may be the one this job installed
 */
export function versionConflict(updatedBy: number | undefined, version: string): OtaError | undefined {
  const running = packVersion(version);
  // Not the other way round: an unknown version compares with nothing.
  if (!((updatedBy as number) >= running)) return undefined;
  return new OtaError(
    updatedBy === running ? "same-version" : "downgrade",
    `${version} is not newer`,
    "self-test",
  );
}

/** major.minor.build of a packed version, 0.0.0 when it is unknown. */
function dotted(packed = 0): string {
  return `${packed >>> 24}.${(packed >>> 16) & 0xff}.${packed & 0xffff}`;
}
