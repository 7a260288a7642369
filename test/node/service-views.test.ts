import type { Execution } from "../../service/job-records.js";
import { newJob } from "../../service/job-records.js";
import { deviceView, executionView, historyView, jobView } from "../../service/views.js";
import { deepEqual, equal } from "../support/assert.js";

type State = Pick<Execution, "status" | "statusDetails">;

/** An execution that has gone through these states. */
function execution(states: readonly State[], change: Partial<Execution> = {}): Execution {
  const history = states.map((state, index) => ({ ...state, at: 1000 + index, versionNumber: index + 1 }));
  return {
    ...{ jobId: "AFR_OTA-1", thingName: "board", executionNumber: 1, versionNumber: states.length },
    ...{ queuedAt: 1000, sequence: 1, lastUpdatedAt: 1000 + states.length - 1, history },
    ...states[states.length - 1],
    ...change,
  };
}

const QUEUED: State = { status: "QUEUED", statusDetails: {} };
const receiving = (receive: string): State => ({ status: "IN_PROGRESS", statusDetails: { receive } });
const READY: State = {
  status: "IN_PROGRESS",
  statusDetails: { self_test: "ready", image: "2.0.0+1234abcd" },
};
const ACTIVE: State = {
  status: "IN_PROGRESS",
  statusDetails: { self_test: "active", image: "2.0.0+1234abcd" },
};
const SUCCEEDED: State = {
  status: "SUCCEEDED",
  statusDetails: { reason: "accepted  v2.0.0", image: "2.0.0+1234abcd" },
};
const failed = (code: string, message: string): State => ({
  status: "FAILED",
  statusDetails: { reason: "0x000000e3: 0x00000000", code, message },
});

describe("service: views", () => {
  it("puts every step of an update into words", () => {
    const states = [QUEUED, receiving("10/40"), READY, ACTIVE, SUCCEEDED];
    deepEqual(
      historyView(execution(states)).map(({ phase, text }) => `${phase}: ${text}`),
      [
        "offered: waits for the device to take it",
        "downloading: block 10 of 40",
        "restarting: verified; the device restarts into 2.0.0",
        "testing: 2.0.0 runs on trial and tests itself",
        "accepted: runs 2.0.0 for good",
      ],
    );
  });

  it("tells apart what was rolled back, refused, and failed, with the device's reason", () => {
    for (const [code, phase] of [
      ["rolled-back", "rolled back"],
      ["self-test-rejected", "rolled back"],
      ["self-test-timeout", "rolled back"],
      ["wrong-chip", "refused"],
      ["signature-check", "refused"],
      ["no-progress", "failed"],
      ["", "failed"],
    ]) {
      const view = executionView(execution([QUEUED, failed(code, "so it is")]));
      equal(view.phase, phase, code);
      equal(view.text, "so it is");
      equal(view.ended, true);
    }
  });

  it("has words where a device gives no reason, and for what the service ends", () => {
    const end = (status: Execution["status"]) =>
      executionView(execution([QUEUED, { status, statusDetails: {} }]));
    equal(end("FAILED").text, "the device gives no reason");
    equal(end("REJECTED").phase, "refused");
    equal(end("CANCELED").phase, "cancelled");
    equal(end("TIMED_OUT").phase, "timed out");
    equal(end("REMOVED").phase, "removed");
    equal(end("IN_PROGRESS").phase, "started");
  });

  it("measures progress, which an end does not take back", () => {
    const progress = (...states: State[]) => executionView(execution([QUEUED, ...states])).progress;
    equal(progress(), 0);
    equal(progress(receiving("10/40")), 0.25);
    equal(progress(receiving("nonsense")), 0);
    equal(progress(receiving("1/0")), 0);
    equal(progress(receiving("40/40"), READY), 1);
    equal(progress(receiving("10/40"), failed("no-progress", "x")), 0.25);
    equal(progress(READY, failed("rolled-back", "x")), 1);
    equal(progress(SUCCEEDED), 1);
    const files = (text: string): State => ({
      status: "IN_PROGRESS",
      statusDetails: { receive: "1/1", files: text },
    });
    equal(progress(files("255:100% 0:waits 10:waits 11:waits")), 0.25);
    equal(progress(files("255:ready 0:26% 10:waits 11:waits")), 1.26 / 4);
    equal(progress(files("255:nonsense 0:900% x")), 1 / 3);
  });

  it("counts the latest attempt of each device in a job", () => {
    const job = newJob(
      { jobId: "AFR_OTA-1", document: { afr_ota: { protocols: ["MQTT"] } }, targets: ["a", "b"] },
      1,
    );
    const executions = [
      execution([failed("no-progress", "x")], { thingName: "a" }),
      execution([receiving("1/4")], { thingName: "a", executionNumber: 2 }),
      execution([SUCCEEDED], { thingName: "b" }),
    ];
    const view = jobView(job, executions, { targets: 2, notified: 2, counts: {}, lastNotifiedAt: 1 });
    equal(view.waiting, 0);
    deepEqual(view.phases, { downloading: 1, accepted: 1 });
    equal(view.ended, false);
    deepEqual(view.protocols, ["MQTT"]);
  });

  it("knows a device's firmware from its shadow, or else from what it accepted last", () => {
    const device = { thingName: "board", connected: true, lastSeen: 5, groups: [] };
    const firmware = { project: "p", version: "3.0.0", chip: "ESP32", slot: "ota_0", state: "valid" };
    deepEqual(deviceView({ ...device, reported: { firmware } }, []).firmware, firmware);
    equal(deviceView(device, [execution([SUCCEEDED])]).firmware.version, "2.0.0");
    const original = { status: "SUCCEEDED", statusDetails: { reason: "accepted v1.9.3" } } as const;
    equal(deviceView(device, [execution([original])]).firmware.version, "1.9.3");
    equal(deviceView(device, []).firmware.version, undefined);
    equal(
      deviceView({ ...device, reported: { firmware: { version: { a: 1 } } } }, []).firmware.version,
      undefined,
    );
  });

  it("shows of a device what is in progress, then what waits, then what was last", () => {
    const device = { thingName: "board", connected: true, lastSeen: 5, groups: [] };
    const done = execution([SUCCEEDED], { jobId: "done" });
    const waits = execution([QUEUED], { jobId: "waits" });
    const runs = execution([receiving("1/2")], { jobId: "runs" });
    equal(deviceView(device, [done, waits, runs]).update?.jobId, "runs");
    equal(deviceView(device, [waits, done]).update?.jobId, "waits");
    equal(deviceView(device, [done]).update?.jobId, "done");
  });
});
