import { STRINGS } from "../../service/aws-limits.js";
import { HISTORY_LIMIT } from "../../service/job-records.js";

import { deepEqual, equal, ok, throws } from "../support/assert.js";
import { ascii } from "../support/hex.js";
import { EPOCH, ServiceProbe } from "../support/service-probe.js";

const MINUTE = 60_000;
const NOW = EPOCH / 1000;

function probe(options: ConstructorParameters<typeof ServiceProbe>[0] = {}): ServiceProbe {
  return new ServiceProbe(options);
}

/** With `jobs` created one second apart for thing t, and their notifications taken. */
function queued(jobs: string[], options: ConstructorParameters<typeof ServiceProbe>[0] = {}): ServiceProbe {
  const service = probe(options);
  for (const jobId of jobs) {
    service.jobs.createJob({ jobId, document: { name: jobId }, targets: ["t"] });
    service.clock.run(1000);
  }
  service.take();
  return service;
}

describe("service: Jobs requests", () => {
  it("answers $next/get of an empty queue with client token and timestamp alone", () => {
    deepEqual(probe().ask("t", "$next/get", { clientToken: "0:t" }), { clientToken: "0:t", timestamp: NOW });
  });

  it("describes the next job with its document and no empty fields", () => {
    const service = queued(["j"]);
    deepEqual(service.ask("t", "$next/get").execution, {
      jobId: "j",
      status: "QUEUED",
      queuedAt: NOW,
      lastUpdatedAt: NOW,
      versionNumber: 1,
      executionNumber: 1,
      jobDocument: { name: "j" },
    });
  });

  it("leaves the document out when asked to", () => {
    const { execution } = queued(["j"]).ask("t", "$next/get", { includeJobDocument: false });
    ok(!("jobDocument" in execution));
  });

  it("does not change an execution by describing it", () => {
    const service = queued(["j"]);
    service.ask("t", "j/get");
    deepEqual(service.published, []);
    equal(service.jobs.execution("t", "j").versionNumber, 1);
  });

  it("answers with QoS 1 on the request's topic and /accepted", () => {
    const service = probe();
    service.jobs.handle("$aws/things/t/jobs/$next/get", ascii("{}"));
    const [{ topic, qos }] = service.published;
    deepEqual({ topic, qos }, { topic: "$aws/things/t/jobs/$next/get/accepted", qos: 1 });
  });

  it("prefers a job in progress, then the one queued first", () => {
    const service = queued(["first", "second", "third"]);
    equal(service.ask("t", "$next/get").execution.jobId, "first");
    service.update("t", "third", { status: "IN_PROGRESS" });
    equal(service.ask("t", "$next/get").execution.jobId, "third");
    service.update("t", "third", { status: "SUCCEEDED" });
    equal(service.ask("t", "$next/get").execution.jobId, "first");
  });

  it("keeps the order of jobs queued in the same second", () => {
    const service = probe();
    for (const jobId of ["b", "a", "c"]) service.jobs.createJob({ jobId, document: {}, targets: ["t"] });
    deepEqual(
      service.ask("t", "get").queuedJobs.map((job: { jobId: string }) => job.jobId),
      ["b", "a", "c"],
    );
  });

  it("lists pending jobs by status without their documents", () => {
    const service = queued(["one", "two"]);
    service.ask("t", "start-next");
    const summary = { executionNumber: 1, versionNumber: 1 };
    deepEqual(service.ask("t", "get", { clientToken: "x" }), {
      clientToken: "x",
      timestamp: NOW + 2,
      inProgressJobs: [
        {
          jobId: "one",
          queuedAt: NOW,
          startedAt: NOW + 2,
          lastUpdatedAt: NOW + 2,
          ...summary,
          versionNumber: 2,
        },
      ],
      queuedJobs: [{ jobId: "two", queuedAt: NOW + 1, lastUpdatedAt: NOW + 1, ...summary }],
    });
  });

  it("start-next marks the next job IN_PROGRESS with the details given", () => {
    const service = queued(["j"]);
    const { execution } = service.ask("t", "start-next", { statusDetails: { step: "one" } });
    equal(execution.status, "IN_PROGRESS");
    deepEqual(execution.statusDetails, { step: "one" });
    equal(execution.startedAt, NOW + 1);
    equal(execution.versionNumber, 2);
  });

  it("start-next returns a job in progress unchanged", () => {
    const service = queued(["j"]);
    service.ask("t", "start-next", { statusDetails: { step: "one" } });
    const { execution } = service.ask("t", "start-next", { statusDetails: { step: "two" } });
    deepEqual(execution.statusDetails, { step: "one" });
    equal(execution.versionNumber, 2);
  });

  it("start-next of an empty queue has no execution", () => {
    deepEqual(probe().ask("t", "start-next"), { timestamp: NOW });
  });

  it("keeps the executions of two things apart", () => {
    const service = probe();
    service.jobs.createJob({ jobId: "j", document: {}, targets: ["a", "b"] });
    service.update("a", "j", { status: "SUCCEEDED" });
    equal(service.jobs.execution("a", "j").status, "SUCCEEDED");
    equal(service.jobs.execution("b", "j").status, "QUEUED");
  });

  it("is not concerned with other topics and with its own messages", () => {
    const service = probe();
    for (const topic of [
      "$aws/things/t/jobs/notify",
      "$aws/things/t/jobs/notify-next",
      "$aws/things/t/jobs/$next/get/accepted",
      "$aws/things/t/jobs/j/update/rejected",
      "$aws/things/t/shadow/get",
      "$aws/things/t/streams/s/get/cbor",
      "sensors/t/jobs/get",
    ])
      equal(service.jobs.handle(topic, ascii("{}")), false, topic);
    deepEqual(service.published, []);
  });
});

describe("service: Jobs updates", () => {
  it("counts the version and answers with token and timestamp alone", () => {
    const service = queued(["j"]);
    deepEqual(service.update("t", "j", { status: "IN_PROGRESS", clientToken: "c" }), {
      clientToken: "c",
      timestamp: NOW + 1,
    });
    equal(service.jobs.execution("t", "j").versionNumber, 2);
  });

  it("includes state and document when asked to", () => {
    const answer = queued(["j"]).update("t", "j", {
      status: "IN_PROGRESS",
      statusDetails: { receive: "1/3" },
      includeJobExecutionState: true,
      includeJobDocument: true,
    });
    deepEqual(answer, {
      timestamp: NOW + 1,
      executionState: { status: "IN_PROGRESS", statusDetails: { receive: "1/3" }, versionNumber: 2 },
      jobDocument: { name: "j" },
    });
  });

  it("replaces the details, and leaves them when none are given", () => {
    const service = queued(["j"]);
    service.update("t", "j", { status: "IN_PROGRESS", statusDetails: { self_test: "ready", a: "1" } });
    service.update("t", "j", { status: "IN_PROGRESS", statusDetails: { b: "2" } });
    deepEqual(service.jobs.execution("t", "j").statusDetails, { b: "2" });
    service.update("t", "j", { status: "IN_PROGRESS" });
    deepEqual(service.jobs.execution("t", "j").statusDetails, { b: "2" });
  });

  it("adds to the details with mergeDetails", () => {
    const service = queued(["j"], { mergeDetails: true });
    service.update("t", "j", { status: "IN_PROGRESS", statusDetails: { a: "1", b: "1" } });
    service.update("t", "j", { status: "IN_PROGRESS", statusDetails: { b: "2" } });
    deepEqual(service.jobs.execution("t", "j").statusDetails, { a: "1", b: "2" });
  });

  it("accepts the expected version as text and as a number", () => {
    const service = queued(["j"]);
    service.update("t", "j", { status: "IN_PROGRESS", expectedVersion: "1" });
    service.update("t", "j", { status: "IN_PROGRESS", expectedVersion: 2 });
    equal(service.jobs.execution("t", "j").versionNumber, 3);
  });

  it("answers another expected version with VersionMismatch and the state", () => {
    const service = queued(["j"]);
    const answer = service.update("t", "j", { status: "FAILED", expectedVersion: "7", clientToken: "c" });
    equal(answer.code, "VersionMismatch");
    equal(answer.clientToken, "c");
    deepEqual(answer.executionState, { status: "QUEUED", versionNumber: 1 });
    equal(service.jobs.execution("t", "j").status, "QUEUED");
  });

  it("refuses to change an execution that has ended", () => {
    const service = queued(["j"]);
    service.update("t", "j", { status: "SUCCEEDED" });
    const answer = service.update("t", "j", { status: "IN_PROGRESS" });
    equal(answer.code, "InvalidStateTransition");
    deepEqual(answer.executionState, { status: "SUCCEEDED", versionNumber: 2 });
  });

  it("accepts REJECTED for a queued execution", () => {
    const service = queued(["j"]);
    service.update("t", "j", { status: "REJECTED", statusDetails: { reason: "no room" } });
    equal(service.jobs.execution("t", "j").status, "REJECTED");
    equal(service.jobs.job("j").status, "COMPLETED");
  });

  it("refuses REJECTED for an execution in progress, unless told to allow it", () => {
    const strict = queued(["j"]);
    strict.ask("t", "start-next");
    equal(strict.update("t", "j", { status: "REJECTED" }).code, "InvalidStateTransition");
    const lenient = queued(["j"], { rejectInProgress: true });
    lenient.ask("t", "start-next");
    equal(lenient.update("t", "j", { status: "REJECTED" }).code, undefined);
  });

  it("keeps a bounded history of every change", () => {
    const service = queued(["j"]);
    for (let i = 0; i < HISTORY_LIMIT + 5; i++) service.update("t", "j", { status: "IN_PROGRESS" });
    const { history, versionNumber } = service.jobs.execution("t", "j");
    equal(history.length, HISTORY_LIMIT);
    equal(history.at(-1)!.versionNumber, versionNumber);
  });
});

describe("service: Jobs errors", () => {
  const cases: [name: string, operation: string, body: unknown, code: string][] = [
    ["a topic of no operation", "j/cancel", {}, "InvalidTopic"],
    ["text that is not JSON", "$next/get", ascii("{"), "InvalidJson"],
    ["an empty payload", "$next/get", ascii(""), "InvalidJson"],
    ["bytes that are not UTF-8", "$next/get", Uint8Array.of(0x22, 0xff, 0x22), "InvalidJson"],
    ["JSON that is no object", "$next/get", [], "InvalidRequest"],
    ["an unknown job", "other/get", {}, "ResourceNotFound"],
    ["an update of an unknown job", "other/update", { status: "FAILED" }, "ResourceNotFound"],
    ["an unknown attempt", "j/update", { status: "FAILED", executionNumber: 2 }, "ResourceNotFound"],
    ["an attempt that is no number", "j/get", { executionNumber: "1" }, "InvalidRequest"],
    ["an update without a status", "j/update", { statusDetails: {} }, "InvalidRequest"],
    ["a status devices cannot set", "j/update", { status: "QUEUED" }, "InvalidRequest"],
    ["details that are no object", "j/update", { status: "FAILED", statusDetails: "x" }, "InvalidRequest"],
    [
      "a detail that is no string",
      "j/update",
      { status: "FAILED", statusDetails: { a: 1 } },
      "InvalidRequest",
    ],
    ["an empty detail", "j/update", { status: "FAILED", statusDetails: { a: "" } }, "InvalidRequest"],
    ["a control character", "j/update", { status: "FAILED", statusDetails: { a: "\n" } }, "InvalidRequest"],
    [
      "a detail's bad name",
      "j/update",
      { status: "FAILED", statusDetails: { "a b": "1" } },
      "InvalidRequest",
    ],
    [
      "a detail of 1025 characters",
      "j/update",
      { status: "FAILED", statusDetails: { a: "x".repeat(1025) } },
      "InvalidRequest",
    ],
    [
      "eleven details",
      "j/update",
      { status: "FAILED", statusDetails: Object.fromEntries("abcdefghijk".split("").map((c) => [c, c])) },
      "InvalidRequest",
    ],
    ["a version that is no number", "j/update", { status: "FAILED", expectedVersion: "x" }, "InvalidRequest"],
    ["a flag that is none", "j/get", { includeJobDocument: "yes" }, "InvalidRequest"],
    ["a step time-out of 0", "start-next", { stepTimeoutInMinutes: 0 }, "InvalidRequest"],
    ["a step time-out beyond a week", "start-next", { stepTimeoutInMinutes: 10081 }, "InvalidRequest"],
    ["a client token of 65 bytes", "get", { clientToken: "x".repeat(65) }, "InvalidRequest"],
    ["a client token that is no text", "get", { clientToken: 1 }, "InvalidRequest"],
  ];
  for (const [name, operation, body, code] of cases)
    it(`answers ${name} with ${code}`, () => {
      const service = queued(["j"]);
      const answer = service.ask("t", operation, body);
      equal(answer.code, code);
      ok(answer.message.length > 10);
      equal(answer.timestamp, NOW + 1);
      deepEqual(service.topics(), []);
      equal(service.jobs.execution("t", "j").versionNumber, 1);
    });

  it("answers a description of an ended execution with TerminalStateReached", () => {
    const service = queued(["j"]);
    service.update("t", "j", { status: "FAILED" });
    equal(service.ask("t", "j/get").code, "TerminalStateReached");
  });

  it("answers a thing name no thing can have with InvalidRequest", () => {
    equal(probe().ask("a thing", "get").code, "InvalidRequest");
  });

  it("answers InternalError when the document cannot be produced", () => {
    const service = queued([], {
      deliverDocument: () => {
        throw new Error("no storage");
      },
    });
    throws(() => service.jobs.createJob({ jobId: "j", document: {}, targets: ["t"] }), {
      message: "no storage",
    });
    const answer = service.ask("t", "$next/get");
    equal(answer.code, "InternalError");
    equal(answer.message, "no storage");
  });
});

describe("service: Jobs notifications", () => {
  it("announces a first job in both lists", () => {
    const service = probe();
    service.jobs.createJob({ jobId: "j", document: { a: 1 }, targets: ["t"] });
    const summary = { queuedAt: NOW, lastUpdatedAt: NOW, executionNumber: 1, versionNumber: 1 };
    deepEqual(service.take(), [
      {
        topic: "t/jobs/notify",
        qos: 1,
        body: { timestamp: NOW, jobs: { QUEUED: [{ jobId: "j", ...summary }] } },
      },
      {
        topic: "t/jobs/notify-next",
        qos: 1,
        body: {
          timestamp: NOW,
          execution: { jobId: "j", status: "QUEUED", ...summary, jobDocument: { a: 1 } },
        },
      },
    ]);
  });

  it("tells of a second job in the list only", () => {
    const service = queued(["one"]);
    service.jobs.createJob({ jobId: "two", document: {}, targets: ["t"] });
    deepEqual(service.topics(), ["t/jobs/notify"]);
  });

  it("tells of the start of the first job in the list only", () => {
    const service = queued(["one", "two"]);
    service.ask("t", "start-next");
    deepEqual(service.topics(), ["t/jobs/notify"]);
  });

  it("tells nothing when details of the same job change", () => {
    const service = queued(["one"]);
    service.ask("t", "start-next");
    service.take();
    service.update("t", "one", { status: "IN_PROGRESS", statusDetails: { receive: "1/3" } });
    deepEqual(service.topics(), []);
  });

  it("tells of another job that starts and so becomes the first", () => {
    const service = queued(["one", "two"]);
    service.update("t", "two", { status: "IN_PROGRESS" });
    const [list, next] = service.take();
    deepEqual(Object.keys(list.body.jobs), ["IN_PROGRESS", "QUEUED"]);
    equal(next.topic, "t/jobs/notify-next");
    equal(next.body.execution.jobId, "two");
  });

  it("tells of the next job when the first ends", () => {
    const service = queued(["one", "two"]);
    service.update("t", "one", { status: "SUCCEEDED" });
    equal(service.take()[1].body.execution.jobId, "two");
  });

  it("sends an empty notify-next when the last job ends", () => {
    const service = queued(["one"]);
    service.update("t", "one", { status: "FAILED" });
    deepEqual(
      service.take().map(({ topic, body }) => [topic, body]),
      [
        ["t/jobs/notify", { timestamp: NOW + 1, jobs: {} }],
        ["t/jobs/notify-next", { timestamp: NOW + 1 }],
      ],
    );
  });

  it("tells nothing of the end of a job that was not first", () => {
    const service = queued(["one", "two"]);
    service.update("t", "two", { status: "FAILED" });
    deepEqual(service.topics(), ["t/jobs/notify"]);
  });

  it("comes after the answer that caused it", () => {
    const service = queued(["one"]);
    service.jobs.handle("$aws/things/t/jobs/one/update", ascii('{"status":"SUCCEEDED"}'));
    deepEqual(service.topics(), ["t/jobs/one/update/accepted", "t/jobs/notify", "t/jobs/notify-next"]);
  });

  it("lists fifteen executions at most", () => {
    const service = queued(Array.from({ length: 16 }, (_, i) => `j${i}`));
    service.jobs.createJob({ jobId: "last", document: {}, targets: ["t"] });
    equal(service.take()[0].body.jobs.QUEUED.length, 15);
  });
});

describe("service: Jobs control", () => {
  it("refuses a second job of the same id", () => {
    const service = queued(["j"]);
    throws(() => service.jobs.createJob({ jobId: "j", document: {}, targets: ["t"] }), {
      code: "ResourceAlreadyExists",
    });
  });

  const bad: [name: string, change: object][] = [
    ["an id with a slash", { jobId: "a/b" }],
    ["an id of 65 characters", { jobId: "x".repeat(65) }],
    ["no target", { targets: [] }],
    ["a bad target", { targets: ["a/b"] }],
    ["a document that is no object", { document: [] }],
    ["a document that is too long", { document: { a: "x".repeat(STRINGS.jobDocument.max) } }],
    ["a time-out of 0 minutes", { timeoutInMinutes: 0 }],
    ["eleven retries", { retries: { failed: 6, timedOut: 5 } }],
    ["a negative number of retries", { retries: { failed: -1 } }],
  ];
  for (const [name, change] of bad)
    it(`refuses ${name}`, () => {
      const options = { jobId: "j", document: {}, targets: ["t"], ...change } as never;
      throws(() => probe().jobs.createJob(options), { code: "InvalidRequest" });
    });

  it("queues one execution for a target named twice", () => {
    const service = probe();
    service.jobs.createJob({ jobId: "j", document: {}, targets: ["t", "t"] });
    equal(service.jobs.executions().length, 1);
  });

  it("completes a job when the last of its executions has ended", () => {
    const service = probe();
    service.jobs.createJob({ jobId: "j", document: {}, targets: ["a", "b"] });
    service.update("a", "j", { status: "FAILED" });
    equal(service.jobs.job("j").status, "IN_PROGRESS");
    service.update("b", "j", { status: "SUCCEEDED" });
    equal(service.jobs.job("j").status, "COMPLETED");
  });

  it("cancels queued executions and leaves those in progress", () => {
    const service = probe();
    service.jobs.createJob({ jobId: "j", document: {}, targets: ["a", "b"] });
    service.ask("a", "start-next");
    service.take();
    service.jobs.cancelJob("j");
    equal(service.jobs.execution("a", "j").status, "IN_PROGRESS");
    equal(service.jobs.execution("b", "j").status, "CANCELED");
    deepEqual(service.topics(), ["b/jobs/notify", "b/jobs/notify-next"]);
    equal(service.update("a", "j", { status: "SUCCEEDED" }).code, undefined);
    equal(service.jobs.job("j").status, "CANCELED");
  });

  it("cancels executions in progress when forced, and refuses their later updates", () => {
    const service = queued(["one", "two"]);
    service.ask("t", "start-next");
    service.take();
    service.jobs.cancelJob("one", true);
    equal(service.take()[1].body.execution.jobId, "two");
    const answer = service.update("t", "one", { status: "IN_PROGRESS" });
    equal(answer.code, "InvalidStateTransition");
    equal(answer.executionState.status, "CANCELED");
  });

  it("does not cancel twice", () => {
    const service = queued(["j"]);
    service.jobs.cancelJob("j");
    throws(() => service.jobs.cancelJob("j"), { code: "InvalidStateTransition" });
  });

  it("cancels one execution in progress only when forced", () => {
    const service = queued(["j"]);
    service.ask("t", "start-next");
    throws(() => service.jobs.cancelExecution("t", "j"), { code: "InvalidStateTransition" });
    equal(service.jobs.cancelExecution("t", "j", true).status, "CANCELED");
  });

  it("deletes a job in progress only when forced, and tells its things", () => {
    const service = queued(["one", "two"]);
    throws(() => service.jobs.deleteJob("one"), { code: "InvalidStateTransition" });
    service.jobs.deleteJob("one", true);
    throws(() => service.jobs.job("one"), { code: "ResourceNotFound" });
    equal(service.take()[1].body.execution.jobId, "two");
    equal(service.update("t", "one", { status: "FAILED" }).code, "ResourceNotFound");
  });

  it("transforms the document each time it is delivered", () => {
    let deliveries = 0;
    const deliverDocument = (document: object, thing: string) => ({ ...document, thing, n: ++deliveries });
    const service = queued(["j"], { deliverDocument });
    deepEqual(service.ask("t", "$next/get").execution.jobDocument, { name: "j", thing: "t", n: 2 });
    deepEqual(service.ask("t", "j/get").execution.jobDocument, { name: "j", thing: "t", n: 3 });
    deepEqual(service.jobs.job("j").document, { name: "j" });
  });
});

describe("service: Jobs time-outs and retries", () => {
  it("ends an execution whose in-progress timer runs out", () => {
    const service = probe();
    service.jobs.createJob({ jobId: "j", document: {}, targets: ["t"], timeoutInMinutes: 2 });
    service.clock.run(10 * MINUTE);
    equal(service.ask("t", "start-next").execution.approximateSecondsBeforeTimedOut, 120);
    service.clock.run(MINUTE);
    service.update("t", "j", { status: "IN_PROGRESS" });
    service.take();
    service.clock.run(MINUTE - 1);
    equal(service.jobs.execution("t", "j").status, "IN_PROGRESS");
    service.clock.run(1);
    equal(service.jobs.execution("t", "j").status, "TIMED_OUT");
    deepEqual(service.topics(), ["t/jobs/notify", "t/jobs/notify-next"]);
  });

  it("ends an execution whose step timer runs out, and starts the step anew with each update", () => {
    const service = queued(["j"]);
    service.ask("t", "start-next", { stepTimeoutInMinutes: 1 });
    service.clock.run(MINUTE - 1);
    service.update("t", "j", { status: "IN_PROGRESS", stepTimeoutInMinutes: 1 });
    service.clock.run(MINUTE - 1);
    equal(service.jobs.execution("t", "j").status, "IN_PROGRESS");
    service.clock.run(1);
    equal(service.jobs.execution("t", "j").status, "TIMED_OUT");
  });

  it("stops the step timer with -1", () => {
    const service = queued(["j"]);
    service.ask("t", "start-next", { stepTimeoutInMinutes: 1 });
    service.update("t", "j", { status: "IN_PROGRESS", stepTimeoutInMinutes: -1 });
    service.clock.run(10 * MINUTE);
    equal(service.jobs.execution("t", "j").status, "IN_PROGRESS");
  });

  it("stops its timers with the execution", () => {
    const service = queued(["j"]);
    service.ask("t", "start-next", { stepTimeoutInMinutes: 1 });
    service.update("t", "j", { status: "SUCCEEDED" });
    service.clock.run(10 * MINUTE);
    equal(service.jobs.execution("t", "j").status, "SUCCEEDED");
  });

  it("queues a retry with a higher number and fresh details", () => {
    const service = probe();
    service.jobs.createJob({ jobId: "j", document: {}, targets: ["t"], retries: { failed: 1 } });
    service.update("t", "j", { status: "IN_PROGRESS", statusDetails: { self_test: "ready" } });
    service.update("t", "j", { status: "FAILED" });
    const next = service.take().at(-1)!;
    equal(next.topic, "t/jobs/notify-next");
    equal(next.body.execution.executionNumber, 2);
    equal(next.body.execution.versionNumber, 1);
    ok(!("statusDetails" in next.body.execution));
    equal(service.jobs.job("j").status, "IN_PROGRESS");
  });

  it("retries as often as told, for the failures told", () => {
    const service = probe();
    service.jobs.createJob({ jobId: "j", document: {}, targets: ["t"], retries: { failed: 1 } });
    service.update("t", "j", { status: "FAILED" });
    service.update("t", "j", { status: "FAILED" });
    deepEqual(
      service.jobs.executions().map((e) => [e.executionNumber, e.status]),
      [
        [1, "FAILED"],
        [2, "FAILED"],
      ],
    );
    equal(service.jobs.job("j").status, "COMPLETED");
  });

  it("does not retry a cancelled job", () => {
    const service = probe();
    service.jobs.createJob({ jobId: "j", document: {}, targets: ["t"], retries: { failed: 3 } });
    service.ask("t", "start-next");
    service.jobs.cancelJob("j");
    service.update("t", "j", { status: "FAILED" });
    equal(service.jobs.executions().length, 1);
  });

  it("addresses attempts by their number", () => {
    const service = probe();
    service.jobs.createJob({ jobId: "j", document: {}, targets: ["t"], retries: { timedOut: 1 } });
    service.ask("t", "start-next", { stepTimeoutInMinutes: 1 });
    service.clock.run(MINUTE);
    const late = service.update("t", "j", { status: "SUCCEEDED", executionNumber: 1 });
    equal(late.code, "InvalidStateTransition");
    equal(late.executionState.status, "TIMED_OUT");
    equal(service.update("t", "j", { status: "SUCCEEDED", executionNumber: 2 }).code, undefined);
  });
});

describe("service: Jobs interception and restoring", () => {
  it("loses a request", () => {
    const service = probe({ intercept: { request: () => "drop" } });
    ok(service.jobs.handle("$aws/things/t/jobs/$next/get", ascii("{}")));
    deepEqual(service.published, []);
  });

  it("throttles a request", () => {
    const service = probe({ intercept: { request: () => "RequestThrottled" } });
    equal(service.ask("t", "$next/get").code, "RequestThrottled");
  });

  it("loses, delays and doubles messages", () => {
    let delays: number[] = [];
    const service = probe({ intercept: { message: () => delays } });
    const ask = () => service.jobs.handle("$aws/things/t/jobs/$next/get", ascii("{}"));
    ask();
    equal(service.take().length, 0);
    delays = [0, 500];
    ask();
    equal(service.take().length, 1);
    service.clock.run(499);
    equal(service.take().length, 0);
    service.clock.run(1);
    equal(service.take().length, 1);
  });

  it("goes on from what it told its observer", () => {
    const jobs = new Map();
    const executions = new Map();
    const observer = {
      job: (job: { jobId: string }) => jobs.set(job.jobId, job),
      execution: (e: { thingName: string; jobId: string; executionNumber: number }) =>
        executions.set(`${e.thingName} ${e.jobId} ${e.executionNumber}`, e),
    };
    const before = probe({ observer });
    before.jobs.createJob({ jobId: "one", document: {}, targets: ["t"], retries: { timedOut: 1 } });
    before.jobs.createJob({ jobId: "two", document: {}, targets: ["t"] });
    before.ask("t", "start-next", { stepTimeoutInMinutes: 1 });
    before.jobs.close();
    const stored = JSON.parse(JSON.stringify([...executions.values()]));
    const after = probe({ restore: { jobs: jobs.values(), executions: stored } });
    deepEqual(after.jobs.executions(), before.jobs.executions());
    after.clock.run(MINUTE);
    deepEqual(
      after.jobs.pending("t").map((e) => [e.jobId, e.executionNumber]),
      [
        ["two", 1],
        ["one", 2],
      ],
    );
  });

  it("publishes nothing once closed", () => {
    const service = queued(["j"], { intercept: { message: () => [100] } });
    service.jobs.handle("$aws/things/t/jobs/j/get", ascii("{}"));
    service.jobs.close();
    service.clock.run(1000);
    deepEqual(service.published, []);
  });
});
