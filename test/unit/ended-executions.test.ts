import { EndedExecutions } from "../../src/control/ended-executions.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { image, THING, World } from "../support/world.js";

const job = (jobId: string, executionNumber = 1) => ({ jobId, executionNumber });

describe("executions that are over", () => {
  it("wait longer each time, an hour at most", () => {
    const ended = new EndedExecutions();
    const waits: number[] = [];
    let now = 0;
    for (let i = 0; i < 9; i++) {
      ended.end(job("a"), now);
      waits.push(ended.wait(job("a"), now));
      now += 10_000_000;
    }
    deepEqual(waits.slice(0, 4), [30_000, 60_000, 120_000, 240_000]);
    equal(waits.at(-1), 3_600_000);
  });

  it("another attempt, or another job, does not wait", () => {
    const ended = new EndedExecutions();
    ended.end(job("a"), 0);
    ok(ended.wait(job("a", 2), 0) <= 0 && ended.wait(job("b"), 0) <= 0 && ended.wait(job("a"), 0) > 0);
  });

  it("the last four are kept in mind", () => {
    const ended = new EndedExecutions();
    for (const id of ["a", "b", "c", "d", "e"]) ended.end(job(id), 0);
    deepEqual(
      ["a", "b", "c", "d", "e"].map((id) => ended.wait(job(id), 0) > 0),
      [false, true, true, true, true],
    );
  });
});

describe("executions that are over and on offer all the same: no retry without back-off", () => {
  for (const code of [
    "InvalidStateTransition",
    "ResourceNotFound",
    "VersionMismatch",
    "InvalidRequest",
    "Anything",
  ])
    it(`statuses are refused with ${code} (1,900 transfers in 160 s)`, () => {
      const world = new World({ agent: { statusInterval: 1 } }).powerOn();
      world.run(1_000);
      world.intercept.request = ({ operation }) =>
        operation === "update" ? (code as "InvalidRequest") : undefined;
      const jobId = world.deploy(image("0.9.0"));
      const notify = () => {
        // The service goes on offering it, unasked as well.
        const execution = world.jobs.execution(THING, jobId);
        const jobDocument = world.jobs.document(execution);
        world.inject("jobs/notify-next", { execution: { ...execution, jobDocument } });
      };
      for (let i = 0; i < 160; i++) {
        world.run(1_000);
        notify();
      }
      const begun = world.count("received-job");
      ok(begun >= 1 && begun <= 4, `${begun} transfers in 160 s`);
      world.intercept.request = undefined;
      equal(world.ended(jobId, 3 * 3_600_000).status, "FAILED");
    });

  it("a job that was made anew under its old name, with another image, is begun at once", () => {
    const world = new World().powerOn();
    const options = { updateId: "again" };
    equal(world.ended(world.deploy(image("0.9.0"), options)).status, "FAILED");
    world.jobs.deleteJob("AFR_OTA-again", true);
    const from = world.time.now;
    equal(world.ended(world.deploy(image("1.1.0"), options)).status, "SUCCEEDED");
    ok(world.time.now - from < 10_000);
  });
});
