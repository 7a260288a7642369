/**
 * What a deployment asks of hawkBit's management API: a software module with the image and its signature, a distribution set of
 * it, and an assignment or a rollout. Pure. API: hawkbit-mgmt-api at commit 67ca1c43 (`MgmtSoftwareModuleRestApi`,
 * `MgmtDistributionSetRestApi`, `MgmtRolloutRestApi` and their models).
 * @module
 */
import { createHash } from "node:crypto";
import type { ImageSignature } from "../../../service/signer.js";

export interface HawkbitCall {
  readonly method: "GET" | "POST";
  /** Below `/rest/v1`. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as the part `file` of a form. */
  readonly file?: HawkbitFile;
  /** What the answer brings, for the calls behind it. */
  readonly makes?: keyof Ids;
}

export interface HawkbitFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Numbers hawkBit gives; a text as long as it has not. */
export interface Ids {
  module?: number | string;
  set?: number | string;
  rollout?: number | string;
}

export interface HawkbitUpdate {
  readonly name: string;
  readonly version: string;
  readonly description?: string | undefined;
  /** Keys of types, as hawkBit has them. */
  readonly moduleType: string;
  readonly setType: string;
  /** The image, and payloads of it. */
  readonly files: readonly HawkbitFile[];
  readonly signature: ImageSignature;
  readonly signer: string;
  readonly type: "soft" | "forced" | "timeforced";
  /** When a time-forced action becomes forced, milliseconds since 1970. */
  readonly forceTime?: number | undefined;
  readonly to: Assignment | Rollout;
}

export interface Assignment {
  readonly targets: readonly string[];
}

export interface Rollout {
  /** RSQL. */
  readonly filter: string;
  readonly groups: number;
  /** Percent of a group: how many have to succeed for the next one, how many may fail until all stands still. */
  readonly success: number;
  readonly error: number;
  /** Milliseconds since 1970: hawkBit starts it by itself when it is ready. */
  readonly startAt: number;
}

/** The calls, in their order; in the dry run with `{module}` and `{set}` in place of numbers. */
export function hawkbitCalls(update: HawkbitUpdate, ids: Ids = {}): HawkbitCall[] {
  const { module = "{module}", set = "{set}" } = ids;
  const { name, version, description, moduleType, setType, signature, signer, to } = update;
  const common = { name, version, ...(description !== undefined && { description }) };
  const shown = (key: string, value: string) => ({ key, value, targetVisible: true });
  const post = (path: string, rest: Omit<HawkbitCall, "method" | "path">): HawkbitCall => ({
    method: "POST",
    path,
    ...rest,
  });
  return [
    post("/softwaremodules", { body: [{ ...common, type: moduleType }], makes: "module" }),
    ...update.files.map((file) => post(artifactPath(module, file), { file })),
    post(`/softwaremodules/${module}/metadata`, {
      body: [shown(signature.key, signature.value), shown("certfile", signer)],
    }),
    post("/distributionsets", {
      body: [{ ...common, type: setType, modules: [{ id: module }] }],
      makes: "set",
    }),
    "targets" in to
      ? post(`/distributionsets/${set}/assignedTargets`, {
          body: to.targets.map((id) => ({ id, ...typeOf(update) })),
        })
      : post("/rollouts", { body: rolloutOf(update, to, set), makes: "rollout" }),
  ];
}

/** hawkBit compares the checksum; a name in the query is taken as it is, unlike one in a form's head. */
function artifactPath(module: number | string, { name, bytes }: HawkbitFile): string {
  const sha256sum = createHash("sha256").update(bytes).digest("hex");
  return `/softwaremodules/${module}/artifacts?${new URLSearchParams({ filename: name, sha256sum })}`;
}

function typeOf({ type, forceTime }: HawkbitUpdate): object {
  return { type, ...(forceTime !== undefined && { forcetime: forceTime }) };
}

function rolloutOf(update: HawkbitUpdate, to: Rollout, set: number | string): object {
  const threshold = (percent: number) => ({ condition: "THRESHOLD", expression: String(percent) });
  return {
    name: `${update.name} ${update.version}`,
    distributionSetId: set,
    targetFilterQuery: to.filter,
    amountGroups: to.groups,
    ...typeOf(update),
    successCondition: threshold(to.success),
    successAction: { action: "NEXTGROUP", expression: "" },
    errorCondition: threshold(to.error),
    errorAction: { action: "PAUSE", expression: "" },
    startAt: to.startAt,
  };
}
