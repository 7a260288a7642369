import type { JobOptions } from "../../service/job-records.js";
import { isOpen } from "../../service/schedule.js";
import { deepEqual, equal, ok, throws } from "../support/assert.js";
import { EPOCH, ServiceProbe } from "../support/service-probe.js";

const MINUTE = 60_000;

function things(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `t${index}`);
}

/** A service with one job. */
function rollout(options: Partial<JobOptions>): ServiceProbe {
  const service = new ServiceProbe();
  service.jobs.createJob({ jobId: "j", document: {}, targets: things(100), ...options });
  return service;
}

const offered = (service: ServiceProbe) => service.jobs.executions({ jobId: "j" }).length;

/** Ends what is open, as `end` says by thing. */
function end(service: ServiceProbe, status: (thing: string) => string = () => "SUCCEEDED"): void {
  for (const execution of service.jobs.executions({ jobId: "j" }))
    if (execution.status === "QUEUED")
      service.update(execution.thingName, "j", { status: status(execution.thingName) });
}

describe("service: rollouts", () => {
  it("offers a job to everybody at once by default", () => {
    equal(offered(rollout({})), 100);
  });

  it("offers it to so many things a minute", () => {
    const service = rollout({ rollout: { maximumPerMinute: 10 } });
    equal(offered(service), 1);
    service.clock.run(MINUTE);
    equal(offered(service), 11);
    service.clock.run(10 * MINUTE);
    equal(offered(service), 100);
  });

  it("goes faster with the things notified, or with those that succeeded", () => {
    const exponentialRate = { baseRatePerMinute: 10, incrementFactor: 2 };
    const notified = rollout({
      rollout: {
        exponentialRate: { ...exponentialRate, rateIncreaseCriteria: { numberOfNotifiedThings: 10 } },
      },
    });
    notified.clock.run(2 * MINUTE);
    ok(offered(notified) > 25, `${offered(notified)} notified`);
    const succeeded = rollout({
      rollout: {
        exponentialRate: { ...exponentialRate, rateIncreaseCriteria: { numberOfSucceededThings: 10 } },
      },
    });
    succeeded.clock.run(2 * MINUTE);
    equal(offered(succeeded), 21, "nobody has succeeded");
  });

  it("begins a stage once the one before has succeeded", () => {
    const service = rollout({ rollout: { stages: [{ count: 2 }, { percent: 30 }] } });
    equal(offered(service), 2);
    service.update("t0", "j", { status: "SUCCEEDED" });
    equal(offered(service), 2, "one of the stage is still open");
    service.update("t1", "j", { status: "SUCCEEDED" });
    equal(offered(service), 30);
    end(service);
    equal(offered(service), 100);
    end(service);
    equal(service.jobs.job("j").status, "COMPLETED");
  });

  it("pauses when a stage has not succeeded well enough, and goes on when resumed", () => {
    const service = rollout({
      rollout: { stages: [{ count: 10 }, { count: 40 }], stageSuccessPercentage: 90 },
    });
    end(service, (thing) => (thing === "t3" || thing === "t4" ? "FAILED" : "SUCCEEDED"));
    equal(offered(service), 10);
    equal(service.jobs.job("j").paused, "8 of 10 devices succeeded in the stages so far, 90 % are needed");
    service.jobs.resumeJob("j");
    equal(offered(service), 50);
    end(service);
    equal(offered(service), 100, "what was let pass counts no more");
  });

  it("goes on where few enough of a stage have failed", () => {
    const service = rollout({ rollout: { stages: [{ count: 10 }], stageSuccessPercentage: 90 } });
    end(service, (thing) => (thing === "t3" ? "FAILED" : "SUCCEEDED"));
    equal(offered(service), 100);
  });

  it("waits for the retries of a stage", () => {
    const service = rollout({ rollout: { stages: [{ count: 1 }] }, retries: { failed: 1 } });
    service.update("t0", "j", { status: "FAILED" });
    equal(service.jobs.job("j").paused, undefined);
    service.update("t0", "j", { status: "SUCCEEDED" });
    equal(offered(service), 101);
  });

  it("stops by itself at a threshold: nobody else is offered the job", () => {
    const criterion = { failureType: "ALL", action: "CANCEL", minNumberOfExecutedThings: 10 } as const;
    const service = rollout({
      rollout: { stages: [{ count: 20 }] },
      abort: [{ ...criterion, thresholdPercentage: 20 }],
    });
    for (let i = 0; i < 9; i++) service.update(`t${i}`, "j", { status: i < 2 ? "FAILED" : "SUCCEEDED" });
    equal(service.jobs.job("j").status, "IN_PROGRESS", "9 are too few to judge by");
    service.update("t9", "j", { status: "SUCCEEDED" });
    const { status, reasonCode, comment } = service.jobs.job("j");
    deepEqual(
      { status, reasonCode, comment },
      {
        status: "CANCELED",
        reasonCode: "ABORT_THRESHOLD_REACHED",
        comment: "20 % failures reached: 8 SUCCEEDED, 2 FAILED",
      },
    );
    equal(offered(service), 20);
    service.clock.run(60 * MINUTE);
    equal(offered(service), 20);
  });

  it("counts rejected and timed out things apart", () => {
    const criterion = { action: "CANCEL", thresholdPercentage: 50, minNumberOfExecutedThings: 1 } as const;
    const service = rollout({ targets: things(4), abort: [{ ...criterion, failureType: "TIMED_OUT" }] });
    service.update("t0", "j", { status: "FAILED" });
    service.update("t1", "j", { status: "REJECTED" });
    equal(service.jobs.job("j").status, "IN_PROGRESS");
    const other = rollout({ targets: things(4), abort: [{ ...criterion, failureType: "REJECTED" }] });
    other.update("t1", "j", { status: "REJECTED" });
    equal(other.jobs.job("j").status, "CANCELED");
  });

  it("pauses and resumes on request", () => {
    const service = rollout({ rollout: { maximumPerMinute: 10 } });
    service.jobs.pauseJob("j");
    service.clock.run(10 * MINUTE);
    equal(offered(service), 1);
    service.jobs.resumeJob("j");
    service.clock.run(MINUTE);
    ok(offered(service) >= 11, `${offered(service)}`);
    throws(() => service.jobs.resumeJob("j"), { code: "InvalidStateTransition" });
    service.jobs.cancelJob("j");
    throws(() => service.jobs.pauseJob("j"), { code: "InvalidStateTransition" });
  });

  it("a continuous job is for things that join its groups later, and does not complete", () => {
    const service = rollout({ targets: ["t0"], groups: ["lab"], targetSelection: "CONTINUOUS" });
    end(service);
    equal(service.jobs.job("j").status, "IN_PROGRESS");
    service.jobs.joined("new", ["other"]);
    equal(offered(service), 1);
    service.jobs.joined("new", ["lab"]);
    service.jobs.joined("new", ["lab"]);
    equal(offered(service), 2);
    const snapshot = rollout({ targets: ["t0"], groups: ["lab"] });
    snapshot.jobs.joined("new", ["lab"]);
    equal(offered(snapshot), 1);
  });

  it("a thing that is forgotten holds nothing up", () => {
    const service = rollout({ targets: ["t0", "t1"] });
    service.update("t0", "j", { status: "SUCCEEDED" });
    service.jobs.forgetThing("t1");
    equal(service.jobs.job("j").status, "COMPLETED");
    deepEqual(service.jobs.job("j").targets, ["t0"]);
  });

  it("starts and ends at its times", () => {
    const schedule = {
      startTime: EPOCH + 30 * MINUTE,
      endTime: EPOCH + 60 * MINUTE,
      endBehavior: "CANCEL",
    } as const;
    const service = rollout({ schedule, rollout: { maximumPerMinute: 1 } });
    equal(service.jobs.job("j").status, "SCHEDULED");
    equal(offered(service), 0);
    service.clock.run(29 * MINUTE);
    equal(offered(service), 0);
    service.clock.run(6 * MINUTE);
    equal(service.jobs.job("j").status, "IN_PROGRESS");
    ok(offered(service) >= 5, `${offered(service)}`);
    service.clock.run(30 * MINUTE);
    equal(service.jobs.job("j").status, "CANCELED");
    const before = offered(service);
    service.clock.run(30 * MINUTE);
    equal(offered(service), before);
  });

  it("offers within maintenance windows alone", () => {
    const from = new Date(EPOCH);
    const hour = (from.getUTCHours() + 2) % 24;
    const window = { startTime: `cron(${from.getUTCMinutes()} ${hour} ? * * *)`, durationInMinutes: 5 };
    const service = rollout({ schedule: { maintenanceWindows: [window] }, rollout: { maximumPerMinute: 2 } });
    service.clock.run(119 * MINUTE);
    equal(offered(service), 0);
    service.clock.run(10 * MINUTE);
    const first = offered(service);
    ok(first >= 8 && first <= 11, `${first}`);
    service.clock.run(23 * 60 * MINUTE);
    equal(offered(service), first);
    service.clock.run(60 * MINUTE);
    ok(offered(service) > first, "the next day");
  });

  it("goes on after a restart of the service where it was", () => {
    const service = rollout({ rollout: { maximumPerMinute: 10 } });
    service.clock.run(MINUTE);
    const restore = { jobs: service.jobs.jobs(), executions: service.jobs.executions() };
    const again = new ServiceProbe({ restore });
    again.clock.run(3 * MINUTE);
    ok(again.jobs.executions({ jobId: "j" }).length >= 30, "it stands still");
  });

  for (const [name, options] of [
    ["a rate of nothing", { rollout: { maximumPerMinute: 0 } }],
    ["a rate beyond AWS's", { rollout: { maximumPerMinute: 1001 } }],
    ["a stage of nobody", { rollout: { stages: [{ count: 0 }] } }],
    [
      "a threshold beyond all",
      {
        abort: [
          { failureType: "ALL", action: "CANCEL", thresholdPercentage: 101, minNumberOfExecutedThings: 1 },
        ],
      },
    ],
    [
      "an unknown failure",
      {
        abort: [
          {
            failureType: "SUCCEEDED",
            action: "CANCEL",
            thresholdPercentage: 1,
            minNumberOfExecutedThings: 1,
          },
        ],
      },
    ],
    [
      "a window that is none",
      { schedule: { maintenanceWindows: [{ startTime: "daily", durationInMinutes: 5 }] } },
    ],
    ["an end before the start", { schedule: { startTime: EPOCH + 2, endTime: EPOCH + 1 } }],
  ] as [string, Partial<JobOptions>][])
    it(`refuses ${name}`, () => {
      throws(() => rollout(options), { code: "InvalidRequest" });
    });

  it("reads windows as AWS writes them", () => {
    const at = (text: string) => Date.parse(`${text}:00Z`);
    const open = (cron: string, minutes: number, time: string) =>
      isOpen({ maintenanceWindows: [{ startTime: cron, durationInMinutes: minutes }] }, at(time)).open;
    // 2026-11-28 is a Saturday.
    equal(open("cron(30 2 ? * SAT *)", 60, "2026-11-28T02:30"), true);
    equal(open("cron(30 2 ? * SAT *)", 60, "2026-11-28T03:30"), false);
    equal(open("cron(30 2 ? * MON-FRI *)", 60, "2026-11-28T02:30"), false);
    equal(open("cron(30 2 ? * FRI-SUN *)", 60, "2026-11-28T02:30"), true);
    equal(open("cron(0 23 ? * 6 *)", 240, "2026-11-28T02:30"), true, "begun on Friday");
    deepEqual(
      isOpen(
        { maintenanceWindows: [{ startTime: "cron(0 2 ? * SUN *)", durationInMinutes: 60 }] },
        at("2026-11-28T00:00"),
      ),
      {
        open: false,
        until: at("2026-11-29T02:00"),
      },
    );
  });
});
