/**
 * When a job may be rolled out: its start and end, and maintenance windows (AWS IoT Jobs, SchedulingConfig and
 * MaintenanceWindow). All times are milliseconds since 1970, windows are in UTC.
 * @module
 */
import { NUMBERS, numberProblem } from "./aws-limits.js";
import { ServiceError } from "./errors.js";
import { list, plain } from "./rollout.js";

export type EndBehavior = "STOP_ROLLOUT" | "CANCEL" | "FORCE_CANCEL";

export interface MaintenanceWindow {
  /** `cron(minute hour ? * days *)`: days are `*`, numbers from 1 (Sunday) or names such as MON or MON-FRI. */
  readonly startTime: string;
  readonly durationInMinutes: number;
}

export interface Schedule {
  readonly startTime?: number;
  readonly endTime?: number;
  /** Default: STOP_ROLLOUT. */
  readonly endBehavior?: EndBehavior;
  readonly maintenanceWindows?: readonly MaintenanceWindow[];
}

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;
const DAYS: readonly string[] = Object.freeze(["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]);
const BEHAVIORS: readonly string[] = Object.freeze(["STOP_ROLLOUT", "CANCEL", "FORCE_CANCEL"]);
const CRON = /^cron\((\d{1,2}) (\d{1,2}) (?:\?|\*) \* ([A-Z0-9,*?-]+) \*\)$/;
/** A window opens at least once a week. */
const LOOK_AHEAD_DAYS = 8;

/** @throws ServiceError InvalidRequest */
export function checkSchedule(schedule: Schedule, now: number): Schedule {
  const { startTime, endTime, endBehavior, maintenanceWindows = [] } = plain(schedule, "schedule");
  const bad = (message: string) => new ServiceError("InvalidRequest", message);
  for (const [name, time] of Object.entries({ startTime, endTime }))
    if (time !== undefined && !Number.isFinite(time)) throw bad(`${name} is no time.`);
  if (endTime !== undefined && endTime <= (startTime ?? now)) throw bad("endTime must be after startTime.");
  if (endBehavior !== undefined && !BEHAVIORS.includes(endBehavior))
    throw bad(`endBehavior must be one of ${BEHAVIORS.join(", ")}.`);
  for (const window of list(maintenanceWindows, "maintenanceWindows")) {
    if (!readCron(String(plain(window, "window").startTime)))
      throw bad(
        "A maintenance window starts at cron(minute hour ? * days *), such as cron(0 2 ? * MON-FRI *).",
      );
    const problem = numberProblem(window.durationInMinutes, NUMBERS.windowMinutes);
    if (problem) throw bad(problem);
  }
  return schedule;
}

/** Whether a job may be rolled out at `now`, and when that changes next (`Infinity`: never). */
export function isOpen(schedule: Schedule | undefined, now: number): { open: boolean; until: number } {
  const { startTime = -Infinity, endTime = Infinity, maintenanceWindows = [] } = schedule ?? {};
  if (now < startTime) return { open: false, until: startTime };
  if (now >= endTime) return { open: false, until: Infinity };
  if (maintenanceWindows.length === 0) return { open: true, until: endTime };
  const times = maintenanceWindows.flatMap((window) => openings(window, now));
  const current = times.filter(({ from, to }) => from <= now && now < to);
  const until = current.length
    ? Math.max(...current.map(({ to }) => to))
    : Math.min(...times.filter(({ from }) => from > now).map(({ from }) => from));
  return { open: current.length > 0, until: Math.min(until, endTime) };
}

function openings({ startTime, durationInMinutes }: MaintenanceWindow, now: number) {
  const cron = readCron(startTime)!;
  const today = Math.floor(now / DAY) * DAY;
  const found: { from: number; to: number }[] = [];
  for (let day = -1; day <= LOOK_AHEAD_DAYS; day++) {
    const midnight = today + day * DAY;
    if (!cron.days.has(new Date(midnight).getUTCDay())) continue;
    const from = midnight + (cron.hour * 60 + cron.minute) * MINUTE;
    found.push({ from, to: from + durationInMinutes * MINUTE });
  }
  return found;
}

function readCron(text: string): { minute: number; hour: number; days: ReadonlySet<number> } | undefined {
  const [, minute, hour, list] = CRON.exec(text) ?? [];
  if (list === undefined || Number(minute) > 59 || Number(hour) > 23) return undefined;
  const days = new Set<number>();
  for (const part of list.split(",")) {
    const [first, last = first] = part.split("-").map(dayOf);
    if (part === "*" || part === "?") for (let day = 0; day < 7; day++) days.add(day);
    else if (first === undefined || last === undefined) return undefined;
    else for (let day = first; ; day = (day + 1) % 7) if (days.add(day) && day === last) break;
  }
  return { minute: Number(minute), hour: Number(hour), days };
}

function dayOf(text: string): number | undefined {
  const index = /^[1-7]$/.test(text) ? Number(text) - 1 : DAYS.indexOf(text);
  return index < 0 ? undefined : index;
}
