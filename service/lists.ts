/**
 * Parts of the lists of devices and jobs, as a page shows them: filtered, sorted, cut to what is seen. Plain data.
 * @module
 */
import type { DeviceView, JobView } from "./views.js";

export interface ListQuery {
  /** Words, all of which the name, label, version, state or group has. */
  readonly text?: string;
  readonly version?: string;
  /** A phase of the device's update, "none", "online" or "offline". */
  readonly state?: string;
  readonly group?: string;
  /** Devices that failed in this job. */
  readonly failedIn?: string;
  readonly sort?: "name" | "version" | "state" | "seen";
  readonly descending?: boolean;
  readonly offset: number;
  readonly limit: number;
}

export interface DeviceList {
  readonly total: number;
  readonly matching: number;
  readonly rows: readonly DeviceView[];
  /** Of all devices, the most frequent first. */
  readonly versions: readonly (readonly [version: string, count: number])[];
  readonly groups: readonly (readonly [group: string, count: number])[];
  readonly states: readonly (readonly [state: string, count: number])[];
  readonly online: number;
}

export interface JobList {
  readonly total: number;
  readonly matching: number;
  /** The latest first. */
  readonly rows: readonly JobView[];
}

/** Rows of an answer at most. */
export const ROWS_LIMIT = 200;
/** Versions and groups told at most: a fleet in which everybody runs another one is no chart. */
const CHART_LIMIT = 50;
const BAD: readonly string[] = Object.freeze(["failed", "refused", "rolled back", "timed out"]);

/** @param failed names of the devices that failed in `query.failedIn` */
export function listDevices(
  devices: readonly DeviceView[],
  query: ListQuery,
  failed?: ReadonlySet<string>,
): DeviceList {
  const words = wordsOf(query.text);
  const matches = (device: DeviceView) => {
    const { thingName, label = "", firmware, groups } = device;
    if (query.version !== undefined && (firmware.version ?? "unknown") !== query.version) return false;
    if (query.group !== undefined && !groups.includes(query.group)) return false;
    if (query.state !== undefined && !isIn(device, query.state)) return false;
    if (failed && !failed.has(thingName)) return false;
    const text = `${thingName} ${label} ${firmware.version ?? ""} ${stateOf(device)} ${groups.join(" ")}`;
    return words.every((word) => text.toLowerCase().includes(word));
  };
  const found = devices.filter(matches).sort(orderOf(query));
  if (query.descending) found.reverse();
  return {
    total: devices.length,
    matching: found.length,
    rows: cut(found, query),
    versions: countUp(devices.map(({ firmware }) => firmware.version ?? "unknown")),
    groups: countUp(devices.flatMap(({ groups }) => [...groups])),
    states: countUp(devices.map(stateOf)),
    online: devices.filter(({ connected }) => connected === true).length,
  };
}

/** @param count of all jobs @param view makes the view of one: only of those that are shown */
export function listJobs<T>(
  jobs: readonly T[],
  query: ListQuery,
  textOf: (job: T) => string,
  view: (job: T) => JobView,
): JobList {
  const words = wordsOf(query.text);
  const found = words.length
    ? jobs.filter((job) => words.every((word) => textOf(job).toLowerCase().includes(word)))
    : jobs;
  const { offset, limit } = query;
  const end = found.length - offset;
  const shown = found.slice(Math.max(0, end - Math.min(limit, ROWS_LIMIT)), Math.max(0, end)).reverse();
  return { total: jobs.length, matching: found.length, rows: shown.map(view) };
}

function stateOf({ update }: DeviceView): string {
  return update?.phase ?? "none";
}

function isIn(device: DeviceView, state: string): boolean {
  if (state === "online") return device.connected === true;
  if (state === "offline") return device.connected !== true;
  if (state === "bad") return BAD.includes(stateOf(device));
  return stateOf(device) === state;
}

function orderOf({ sort = "name" }: ListQuery): (a: DeviceView, b: DeviceView) => number {
  // By what is shown, so that the list is in the order one sees.
  const byName = (a: DeviceView, b: DeviceView) =>
    compare(a.label || a.thingName, b.label || b.thingName) || compare(a.thingName, b.thingName);
  switch (sort) {
    case "version":
      return (a, b) => compare(a.firmware.version ?? "", b.firmware.version ?? "") || byName(a, b);
    case "state":
      return (a, b) => compare(stateOf(a), stateOf(b)) || byName(a, b);
    case "seen":
      return (a, b) => (b.lastSeen ?? 0) - (a.lastSeen ?? 0) || byName(a, b);
    default:
      return byName;
  }
}

/** As people count: board-9 before board-10. */
const collator = new Intl.Collator("en", { numeric: true });
function compare(a: string, b: string): number {
  return collator.compare(a, b);
}

function cut<T>(list: readonly T[], { offset, limit }: ListQuery): T[] {
  return list.slice(offset, offset + Math.min(limit, ROWS_LIMIT));
}

function wordsOf(text = ""): string[] {
  return text.toLowerCase().split(/\s+/).filter(Boolean);
}

function countUp(values: readonly string[]): (readonly [string, number])[] {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]).slice(0, CHART_LIMIT);
}
