/**
 * What AWS's own API models say of the fields that this service and the command line handle: lengths, patterns and
 * quotas, as facts in a table. Sources, read on 2026-11-28:
 *
 * - jobs: model of "AWS IoT Jobs Data Plane" 2017-09-29 (repository aws/aws-sdk-js-v3, file
 *   `codegen/sdk-codegen/aws-models/iot-jobs-data-plane.json`)
 * - iot: model of "AWS IoT" 2015-05-28 (`iot.json` beside it; botocore 1.43.107 has the same)
 * - quotas: AWS General Reference, "AWS IoT Core endpoints and quotas", and the developer guide's pages on Jobs and
 *   on MQTT-based file delivery
 *
 * Where two of them differ, the stricter one stands here; docs/SPEC.md lists what is not certain.
 * @module
 */

/** What a string has to keep. Lengths in UTF-16 units, unless `bytes` is set. */
export interface StringLimit {
  readonly name: string;
  readonly min?: number;
  readonly max?: number;
  /** The whole string matches it. */
  readonly pattern?: string;
  /** Lengths count bytes in UTF-8. */
  readonly bytes?: true;
  readonly source: "jobs" | "iot" | "quotas";
}

const NAME = "[a-zA-Z0-9_-]";
const THING = "[a-zA-Z0-9:_-]";
/** No control, format, surrogate, private-use and unassigned characters. */
const PRINTABLE = "[^\\p{C}]";

export const STRINGS = Object.freeze({
  jobId: { name: "jobId", min: 1, max: 64, pattern: NAME, source: "jobs" },
  thingName: { name: "thingName", min: 1, max: 128, pattern: THING, source: "jobs" },
  detailsKey: { name: "statusDetails key", min: 1, max: 128, pattern: THING, source: "jobs" },
  detailsValue: { name: "statusDetails value", min: 1, max: 1024, pattern: PRINTABLE, source: "jobs" },
  clientToken: { name: "clientToken", min: 1, max: 64, bytes: true, source: "quotas" },
  jobDocument: { name: "document", min: 1, max: 32_768, bytes: true, source: "iot" },
  description: { name: "description", max: 2028, pattern: PRINTABLE, source: "iot" },
  comment: { name: "comment", max: 2028, pattern: PRINTABLE, source: "iot" },
  reasonCode: { name: "reasonCode", max: 128, pattern: "[A-Z0-9_]", source: "iot" },
  streamId: { name: "streamId", min: 1, max: 128, pattern: NAME, source: "iot" },
  /** The model allows 128, but the job's id `AFR_OTA-…` has at most 64. */
  otaUpdateId: { name: "otaUpdateId", min: 1, max: 56, pattern: NAME, source: "iot" },
  thingGroupName: { name: "thingGroupName", min: 1, max: 128, pattern: THING, source: "iot" },
  roleArn: { name: "roleArn", min: 20, max: 2048, source: "iot" },
  clientId: { name: "MQTT client id", min: 1, max: 128, bytes: true, source: "quotas" },
  topic: { name: "topic", min: 1, max: 256, bytes: true, source: "quotas" },
} as const satisfies Readonly<Record<string, StringLimit>>);

/** A number from `min` to `max`. */
export interface NumberLimit {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** Decimals it may have; default 0. */
  readonly decimals?: number;
  readonly source: "jobs" | "iot" | "quotas";
}

export const NUMBERS = Object.freeze({
  /** InProgressTimeoutInMinutes and stepTimeoutInMinutes: seven days. */
  timeoutInMinutes: { name: "timeoutInMinutes", min: 1, max: 10_080, source: "iot" },
  numberOfRetries: { name: "numberOfRetries", min: 0, max: 10, source: "iot" },
  urlSeconds: { name: "expiresInSec", min: 60, max: 3600, source: "iot" },
  fileId: { name: "fileId", min: 0, max: 255, source: "iot" },
  fileType: { name: "fileType", min: 0, max: 255, source: "iot" },
  maximumPerMinute: { name: "maximumPerMinute", min: 1, max: 1000, source: "iot" },
  baseRatePerMinute: { name: "baseRatePerMinute", min: 1, max: 1000, source: "iot" },
  incrementFactor: { name: "incrementFactor", min: 1.1, max: 5, decimals: 1, source: "iot" },
  rateIncreaseThings: { name: "number of things", min: 1, max: 2 ** 31 - 1, source: "iot" },
  thresholdPercentage: { name: "thresholdPercentage", min: 0, max: 100, decimals: 2, source: "iot" },
  minNumberOfExecutedThings: {
    name: "minNumberOfExecutedThings",
    ...{ min: 1, max: 2 ** 31 - 1, source: "iot" },
  },
  windowMinutes: { name: "durationInMinutes", min: 1, max: 1430, source: "iot" },
} as const satisfies Readonly<Record<string, NumberLimit>>);

export const COUNTS = Object.freeze({
  /** UpdateJobExecution: pairs in `statusDetails` (quota "Maximum number of status details"). */
  statusDetails: 10,
  /** CreateStream: files of a stream. */
  streamFiles: 50,
  /** Executions in a ListNotification. */
  pendingExecutions: 15,
  /** Quota "Publish requests: message size", bytes: a larger PUBLISH ends the connection. */
  messageBytes: 131_072,
  /** Quota "Subscriptions per subscription request". */
  subscriptionsPerRequest: 8,
  /** Quota "Subscriptions per connection". */
  subscriptionsPerConnection: 50,
  /** Quota "Maximum number of slashes in topic and topic filter". */
  topicSlashes: 7,
  /** Quota "Connect requests per second per client ID", as the time between two, ms. */
  connectIntervalMs: 1000,
});

/** What is wrong with a text, in words; undefined when nothing is. */
export function stringProblem(value: unknown, limit: StringLimit): string | undefined {
  const { name, min = 0, max = Infinity, pattern } = limit;
  if (typeof value !== "string") return `${name} must be a string.`;
  const length = limit.bytes ? utf8Length(value) : value.length;
  const unit = limit.bytes ? "bytes" : "characters";
  if (length < min || length > max)
    return `${name} must have ${min === 0 ? "at most" : `${min} to`} ${max} ${unit}, not ${length}.`;
  if (pattern === undefined) return undefined;
  if (pattern === PRINTABLE ? isPrintable(value) : new RegExp(`^${pattern}*$`, "u").test(value))
    return undefined;
  return pattern === PRINTABLE
    ? `${name} has a character that cannot be printed.`
    : `${name} may have the characters ${pattern} alone.`;
}

/** What is wrong with a number, in words; undefined when nothing is. */
export function numberProblem(value: unknown, limit: NumberLimit): string | undefined {
  const { name, min, max, decimals = 0 } = limit;
  const scaled = typeof value === "number" ? value * 10 ** decimals : Number.NaN;
  const whole = Math.abs(scaled - Math.round(scaled)) < 1e-6;
  if (whole && (value as number) >= min && (value as number) <= max) return undefined;
  const kind = decimals === 0 ? "a whole number" : `a number with at most ${decimals} decimals,`;
  return `${name} must be ${kind} from ${min} to ${max}.`;
}

/** Format characters and private use, by their codes: what Unicode 16 has in Cf and Co. */
const UNPRINTABLE =
  /[\u{ad}\u{600}-\u{605}\u{61c}\u{6dd}\u{70f}\u{890}-\u{891}\u{8e2}\u{180e}\u{200b}-\u{200f}\u{202a}-\u{202e}\u{2060}-\u{2064}\u{2066}-\u{206f}\u{e000}-\u{f8ff}\u{feff}\u{fff9}-\u{fffb}\u{110bd}\u{110cd}\u{13430}-\u{1343f}\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0001}\u{e0020}-\u{e007f}\u{f0000}-\u{10ffff}]/u;

/** Whether nothing in a text is of `\p{C}`; an engine without Unicode's tables, as Moddable's, knows not what is unassigned. */
function hasNoOther(text: string): boolean {
  try {
    return new RegExp(`^${PRINTABLE}*$`, "u").test(text);
  } catch {
    return !UNPRINTABLE.test(text);
  }
}

/** Control characters and lone surrogates by their codes, as engines differ in what `\p{C}` has. */
function isPrintable(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.codePointAt(i)!;
    if (code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0xd800 && code < 0xe000)) return false;
    if (code > 0xffff) i++;
  }
  return hasNoOther(text);
}

function utf8Length(text: string): number {
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.codePointAt(i)!;
    length += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (code > 0xffff) i++;
  }
  return length;
}
