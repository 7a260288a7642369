import { ok } from "node:assert/strict";
import { CUT_MOMENTS } from "../../../hosts/emulated/flash-faults.js";
import { examine } from "../examine.js";
import { FIRST_WITH_PARTS, storyOf } from "../extras.js";
import { REFUSALS } from "../scenario.js";
import { nodeFoundry } from "./foundry.js";

/** Of issue-free seeds, from 1 on, and of those with second processors and mods; `npm run soak` runs more. */
const SEEDS = 1_000;
const WITH_PARTS = 500;
const GROUP = 100;

describe("the whole system in virtual time", () => {
  const foundry = nodeFoundry();
  const spread = new Map<string, number>();
  const overHawkbit = new Set<string>();
  const troubles = new Map<string, number>();
  let wear = 0;
  let lives = 0;

  const groups: number[] = [];
  for (let first = 1; first <= SEEDS; first += GROUP) groups.push(first);
  for (let first = 0; first < WITH_PARTS; first += GROUP) groups.push(FIRST_WITH_PARTS + first);
  for (const first of groups)
    it(`seeds ${first} to ${first + GROUP - 1}`, async () => {
      for (let seed = first; seed < first + GROUP; seed++) {
        const outcome = await examine(seed, foundry);
        for (const result of outcome.results) spread.set(result, (spread.get(result) ?? 0) + 1);
        if (storyOf(seed).ddi) for (const result of outcome.results) overHawkbit.add(result);
        for (const [name, times] of outcome.troubles) troubles.set(name, (troubles.get(name) ?? 0) + times);
        wear = Math.max(wear, outcome.wear);
        lives += outcome.lives;
      }
    });

  it("has seen every kind of end", () => {
    const jobs = [...spread.values()].reduce((sum, count) => sum + count, 0);
    let good = 0;
    for (const [end, count] of spread) if (/^good ((set|mod|gear) )?SUCCEEDED/.test(end)) good += count;
    console.log(
      `      ${jobs} jobs in ${lives} lives, ${good} updates, at most ${wear} erase cycles of a sector`,
    );
    ok(good > SEEDS, "most updates succeed: the last job of each seed, and more");
    for (const end of ENDS) ok(spread.has(end), `no job ended as "${end}"`);
    for (const end of ENDS_OVER_HAWKBIT) ok(overHawkbit.has(end), `no job of hawkBit's ended as "${end}"`);
  });

  it("has met every trouble", () => {
    for (const name of TROUBLES) ok(troubles.has(name), `"${name}" never took effect`);
  });
});

const ENDS = [
  ...[
    "rolled-back",
    "self-test-timeout",
    "no-progress",
    "flash-write",
    "signature-check",
    "stream-refused",
  ].map((code) => `good FAILED ${code}`),
  ...["fail FAILED self-test-rejected", "crash FAILED rolled-back", "hang FAILED rolled-back"],
  ...["no-network FAILED rolled-back", "older FAILED downgrade", "same FAILED same-version"],
  ...["no-version FAILED bad-version", "low-secure FAILED secure-version", "wrong-chip FAILED wrong-chip"],
  ...["wrong-project FAILED wrong-project", "unsigned FAILED signature-missing"],
  ...["other-signature FAILED signature-check", "tampered FAILED signature-check"],
  ...["too-large FAILED file-too-large", "custom SUCCEEDED"],
  ...["good SUCCEEDED by delta", "good SUCCEEDED by packed", "good SUCCEEDED by whole"],
  ...["good set SUCCEEDED", "good odd set FAILED signature-missing", "good odd set FAILED signature-check"],
  ...["good odd set FAILED bad-version", "good set FAILED rolled-back"],
  // Sets whose files are right, and whose members are not: none of them may be kept.
  ...["crash set FAILED rolled-back", "hang set FAILED rolled-back", "fail set FAILED self-test-rejected"],
  ...["good mod SUCCEEDED", "good odd mod FAILED signature-check", "good mod FAILED rolled-back"],
  ...["crash mod FAILED rolled-back", "hang mod FAILED rolled-back", "fail mod FAILED self-test-rejected"],
  ...["good gear SUCCEEDED", "good gear FAILED file-close", "fail gear FAILED self-test-rejected"],
  ...["signature-missing", "signature-check", "wrong-project", "file-create"].map(
    (code) => `good odd gear FAILED ${code}`,
  ),
];
const ENDS_OVER_HAWKBIT = [
  ...["good SUCCEEDED by delta", "good SUCCEEDED by packed", "good set SUCCEEDED"],
  ...["good odd set FAILED signature-check", "crash FAILED rolled-back", "tampered FAILED signature-check"],
];

const TROUBLES = [
  ...["power", "unstable bits read differently", "stuck bits", "rot", "outage"],
  ...CUT_MOMENTS.map((moment) => `power cut ${moment} a command`),
  ...["write", "erase"].flatMap((kind) => [`flash ${kind} fails`, `flash ${kind} does nothing`]),
  ...["flash read fails", "store fails to get", "store fails to set"],
  ...["silent SUBACK", "SUBSCRIBE refused", "foreign", "clock leaps by more than a minute"],
  ...REFUSALS.map((code) => `update refused: ${code}`),
  ...["update dropped", "get-stream dropped", "describe refused: InternalError"],
  ...["lose-reply", "late", "twice"].map((what) => `reply: ${what}`),
  ...["line loses", "line dead"],
  ...["cancel", "delete", "replace", "stream-gone", "block corrupted", "replay"],
  ...["job", "none", "garbage", "block"].map((what) => `forge ${what}`),
  ...["suspend", "abort", "check", "restart", "reject", "accept"].map((what) => `app ${what}`),
];
