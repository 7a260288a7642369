/**
 * Tells a person what happens in a scenario.
 * @module
 */
import type { Outcome } from "./play.js";
import type { Fault, Scenario, When } from "./scenario.js";

/** Lines of the log that are shown. */
const LAST_LINES = 60;

export function tell(scenario: Scenario, { violation, log }: Outcome, original = scenario.seed): string {
  const { device, agent, app, link, jobs, faults, horizon } = scenario;
  const kinds = Object.entries(device).filter(([, value]) => value === true);
  return [
    `seed ${original} FAILS: ${violation}`,
    "",
    `device   ${kinds.map(([key]) => key).join(", ") || "plain"}; erases ${device.eraseLength} bytes at a time`,
    `agent    ${pairs(agent)}`,
    `app      ${pairs(app)}`,
    `link     ${pairs(link)}`,
    ...jobs.map(
      ({ at, kind, size, ...rest }, index) =>
        `job ${index}    after ${seconds(at)} a ${kind} image of ${size} bytes (${pairs(rest)})`,
    ),
    ...faults.map((fault) => `fault    ${describe(fault)}`),
    `         all faults end after ${seconds(horizon)}, and a last good job is deployed`,
    "",
    ...log.slice(-LAST_LINES),
    "",
    `again: npm run soak -- --seeds 1 --start ${original}`,
    `as data: ${JSON.stringify(scenario)}`,
  ].join("\n");
}

function describe(fault: Fault): string {
  const { kind, ...rest } = fault as Fault & { when?: When };
  const { when, ...more } = rest;
  return `${kind}${when ? ` ${moment(when)}` : ""}: ${pairs(more)}`;
}

function moment(when: When): string {
  if ("at" in when) return `after ${seconds(when.at)}`;
  return `${when.delay} ms after the ${when.nth + 1}. "${when.on}"`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(3)} s`;
}

function pairs(values: object): string {
  return Object.entries(values)
    .filter(([, value]) => value !== undefined && value !== 0 && value !== false)
    .map(([key, value]) => `${key} ${typeof value === "object" ? JSON.stringify(value) : short(value)}`)
    .join(", ");
}

function short(value: unknown): unknown {
  return typeof value === "number" ? Math.round(value * 1000) / 1000 : value;
}
