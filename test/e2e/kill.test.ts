/** The whole process of `npm start -- --keep DIR` killed again and again: nothing is lost. */
import { ok, strictEqual } from "node:assert/strict";
import { randomInt } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Summary } from "../../tools/start/summary.js";
import { StartProcess } from "../support/npm-start.js";

const KILLS = 10;
const SECTOR = 4096;
/** A life that got so far without being killed has done it all. */
const DONE = /Updated: /;

/** The update a run works on, by its version: a run that finds the one before finished starts another. */
function updateOf(stdout: string): string | undefined {
  return / update +(.+) for /.exec(stdout)?.[1];
}

/** Bytes on flash as the lines of a run tell them: at first, which is what it found, and at last. */
function written(stdout: string): { first: number; last: number } | undefined {
  const all = [...stdout.matchAll(/written +(\d+) bytes/g)].map(([, bytes]) => Number(bytes));
  return all.length ? { first: all[0] as number, last: all.at(-1) as number } : undefined;
}

describe(`npm start, killed at ${KILLS} random moments`, function () {
  this.timeout(180_000);
  let directory: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), "kill-"));
  });
  after(() => rmSync(directory, { recursive: true }));

  it("ends in SUCCEEDED, and fetches again no more than a sector for each kill", async () => {
    const parameters = ["--keep", directory, "--verbose", "--latency", "150"];
    const story: string[] = [];
    let before = 0;
    let update: string | undefined;
    let again = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const run = new StartProcess(...parameters);
      // The moments are spread over a whole life: starting, fetching, verifying, restarting, testing.
      await Promise.race([run.until(/boot /), run.ended]);
      const moment = randomInt(1500);
      const timer = setTimeout(() => run.kill("SIGKILL"), moment);
      const { signal, stdout, stderr } = await run.ended;
      clearTimeout(timer);
      const bytes = written(stdout);
      if (updateOf(stdout) !== update) before = 0;
      update = updateOf(stdout);
      // The first figure of a life counts a block it fetched itself; a finished file may have needed none.
      const lost = bytes ? Math.max(0, before - (bytes.first - SECTOR)) : 0;
      story.push(
        `${moment} ms after booting: ${bytes?.last ?? before} bytes on flash, ${lost} fetched again`,
      );
      again += lost;
      ok(lost <= SECTOR, `${lost} bytes fetched again\n${story.join("\n")}`);
      if (bytes) before = bytes.last;
      if (signal === "SIGKILL") continue;
      ok(DONE.test(stdout), `${stdout}\n${stderr}`);
      story.push("updated before the kill: another update follows");
    }
    const { code, stdout, stderr } = await new StartProcess("--keep", directory, "--json").ended;
    strictEqual(code, 0, `${story.join("\n")}\n${stdout}\n${stderr}`);
    const summary = JSON.parse(stdout.trimEnd().split("\n").at(-1) as string) as Summary;
    strictEqual(summary.job.status, "SUCCEEDED");
    console.log(`      ${story.join("\n      ")}\n      in all at most ${again} bytes fetched again`);
  });
});
