/**
 * What AWS IoT Jobs lets a device read back after a restart and DDI does not, kept in the store: of the action that was at work
 * last. Format: docs/SPEC.md, "hawkBit".
 * @module
 */
import type { JobFile, JobProgress } from "../control/job-document.js";
import type { StatusDetails } from "../control/job-status.js";
import { imageName } from "../control/status.js";
import type { Store } from "../ports.js";
import type { OtaPal } from "../slot/pal.js";

/** Name of the image, packed version it came from, payload, types of the job's files; empty of another action. */
export type Memory = [image?: string, updatedBy?: string, payload?: string, types?: number[]];

type Typed = Pick<JobFile, "fileType">;

const KEY = "xs-ota.ddi";

/** @throws what the store does */
function read(store: Store): [jobId?: string, ...memory: Memory] {
  return JSON.parse(store.get(KEY) || "[]");
}

/** @throws what the store does */
export function remember(
  store: Store,
  jobId: string,
  { image = "", updatedBy = "", payload = "" }: StatusDetails,
  files: readonly Typed[],
): void {
  const memory = [image, updatedBy, payload, files.map(({ fileType }) => fileType)] satisfies Memory;
  const text = JSON.stringify([jobId, ...memory]);
  if (store.get(KEY) !== text) store.set(KEY, text);
}

/** @throws what the store does */
export function recall(store: Store, jobId: string): Memory {
  const [id, ...memory] = read(store);
  return id === jobId ? memory : [];
}

/** The action that was at work last; "" when there is none. @throws what the store does */
export function lastAction(store: Store): string {
  return read(store)[0] ?? "";
}

export function progressOf([image, version, payload = ""]: Memory): JobProgress {
  const updatedBy = Number(version || Number.NaN);
  return {
    selfTest: image !== undefined,
    updatedBy: updatedBy >= 0 ? updatedBy : undefined,
    image: image ?? "",
    payload,
  };
}

/** Whether `image` is what is in use of what such files install. @throws what the porting layer does */
export function isInUse(pal: OtaPal, image: string, files: readonly Typed[]): boolean {
  const app = pal.describe ? pal.describe(files) : pal.running;
  return app !== undefined && image === imageName(app);
}

/** The same, and not on trial any more. @throws what the porting layer does */
export function isAccepted(pal: OtaPal, image: string, types: readonly number[]): boolean {
  const state = pal.getPlatformImageState();
  // Without firmware among them the boot loader's word is about something else, unless all of it is on trial.
  const decided = types.includes(0) ? state === "valid" : state !== "pending-commit";
  const files = types.map((fileType) => ({ fileType }));
  return decided && isInUse(pal, image, files);
}
