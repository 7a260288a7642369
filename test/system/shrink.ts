/**
 * Makes a failing story shorter as long as it fails in the same manner (delta debugging: Zeller, "Yesterday, my
 * program worked. Today, it does not. Why?").
 * @module
 */
import type { Link } from "../support/virtual-network.js";
import type { Outcome } from "./play.js";
import type { Scenario } from "./scenario.js";

/** Most stories played on the way. */
const MOST_PLAYS = 400;

export interface Shrunk {
  readonly scenario: Scenario;
  readonly outcome: Outcome;
  readonly plays: number;
}

/** What a violation is about: its words without numbers. */
function sort(violation: string | undefined): string {
  return (violation ?? "").replace(/\d+(\.\d+)*/g, "#").slice(0, 60);
}

/**
 * @param scenario one that fails, with its outcome
 * @param replay plays a scenario
 */
export async function shrink(
  scenario: Scenario,
  outcome: Outcome,
  replay: (scenario: Scenario) => Promise<Outcome>,
): Promise<Shrunk> {
  const wanted = sort(outcome.violation);
  let best = { scenario, outcome };
  let plays = 0;

  async function attempt(candidate: Scenario): Promise<boolean> {
    if (plays >= MOST_PLAYS) return false;
    plays++;
    const tried = await replay(candidate);
    if (sort(tried.violation) !== wanted) return false;
    best = { scenario: candidate, outcome: tried };
    return true;
  }

  for (let before = ""; before !== JSON.stringify(best.scenario) && plays < MOST_PLAYS; ) {
    before = JSON.stringify(best.scenario);
    await withoutSome(best.scenario.faults, (faults) => attempt({ ...best.scenario, faults }));
    for (let index = best.scenario.jobs.length - 1; index >= 0 && best.scenario.jobs.length > 1; index--) {
      const { jobs, faults } = best.scenario;
      // Faults name jobs by their number: only the last one can go without a trace.
      if (index === jobs.length - 1 || !faults.some((fault) => "job" in fault))
        await attempt({ ...best.scenario, jobs: jobs.filter((_, i) => i !== index) });
    }
    for (const simpler of simplifications(best.scenario)) await attempt({ ...best.scenario, ...simpler });
  }
  return { ...best, plays };
}

/** Leaves out runs of items, half of them first, then smaller ones. */
async function withoutSome<T>(items: readonly T[], fails: (items: T[]) => Promise<boolean>): Promise<void> {
  let rest = [...items];
  for (let length = rest.length; length >= 1; length = Math.floor(length / 2))
    for (let at = 0; at < rest.length; ) {
      const fewer = [...rest.slice(0, at), ...rest.slice(at + length)];
      if (await fails(fewer)) rest = fewer;
      else at += length;
    }
}

/** Changes that make a story plainer, one at a time. */
function* simplifications(scenario: Scenario): Generator<Partial<Scenario>> {
  const { link, device, agent, app, jobs } = scenario;
  const calm: Link = { rtt: 20 };
  yield { link: calm };
  for (const key of ["loss", "duplicate", "reorder", "jitter", "bandwidth"] as const)
    if (link[key]) yield { link: { ...link, [key]: 0 } };
  for (const key of [
    "encrypted",
    "storage",
    "efuse",
    "staged",
    "mod",
    "components",
    "processor",
    "silentGear",
  ] as const)
    if (device[key]) yield { device: { ...device, [key]: false } };
  if (agent.blockSize !== 4096) yield { agent: { ...agent, blockSize: 4096 } };
  for (const key of ["totalDeadlineMs", "minRate", "rateLimit"] as const)
    if (agent[key] !== undefined) yield { agent: { ...agent, [key]: undefined } };
  if (app.bare) yield { app: { ...app, bare: false } };
  for (const key of ["testMs", "activateMs"] as const) if (app[key]) yield { app: { ...app, [key]: 0 } };
  for (let index = 0; index < jobs.length; index++)
    for (const plain of [
      { retries: 0 },
      { timeoutInMinutes: 0 },
      { answer: "apply" as const },
      { size: 9_000 },
      { payloads: undefined },
      { set: undefined },
      { gear: undefined },
    ])
      if (Object.entries(plain).some(([key, value]) => jobs[index][key as keyof typeof plain] !== value))
        yield { jobs: jobs.map((job, i) => (i === index ? { ...job, ...plain } : job)) };
}
