import { type OtaAgentEvent, type OtaState, TRANSITIONS, transition } from "../../src/state-machine.js";
import { deepEqual, equal, ok } from "../support/assert.js";

const STATES: readonly OtaState[] = [
  "Stopped",
  "Init",
  "Ready",
  "RequestingJob",
  "WaitingForJob",
  "CreatingFile",
  "RequestingFileBlock",
  "WaitingForFileBlock",
  "ClosingFile",
  "WaitingToActivate",
  "SelfTesting",
  "Suspended",
  "ShuttingDown",
];
const EVENTS: readonly OtaAgentEvent[] = [
  "Subscribed",
  "Start",
  "RequestJobDocument",
  "ReceivedJobDocument",
  "FileCreated",
  "ReceivedFileBlock",
  "FileComplete",
  "FileClosed",
  "TransferFailed",
  "ActivateImage",
  "JobGone",
  "Suspend",
  "Resume",
  "UserAbort",
  "ImageDecided",
  "SelfTestTimer",
];
const rows = TRANSITIONS.split("\n")
  .filter((row) => row !== "")
  .map((row) => row.split(" "));

describe("state machine: the table", () => {
  it("has rows of state, event, handler and next state, and knows no other words", () => {
    for (const [state, event, handler, next, ...more] of rows) {
      ok(state === "*" || STATES.includes(state as OtaState), state);
      ok(EVENTS.includes(event as OtaAgentEvent), event);
      ok(/^[a-zA-Z]+$/.test(handler), handler);
      ok(STATES.includes(next as OtaState), next);
      deepEqual(more, []);
    }
  });

  it("has no row twice", () => {
    const keys = rows.map(([state, event]) => `${state} ${event}`);
    equal(new Set(keys).size, keys.length);
  });

  it("uses every event", () => {
    for (const event of EVENTS)
      ok(
        rows.some((row) => row[1] === event),
        event,
      );
  });

  it("leads to every state, those excepted that the agent enters by itself", () => {
    const reached = new Set(rows.map((row) => row[3]));
    const missing = STATES.filter((state) => !reached.has(state));
    deepEqual(missing, ["Stopped", "Init"]);
  });
});

describe("state machine: transitions", () => {
  it("a row is found by state and event", () => {
    deepEqual(transition("ClosingFile", "FileClosed"), { handler: "fileClosed", next: "WaitingToActivate" });
  });

  it("what may happen in any state needs no row of its own", () => {
    for (const state of STATES.filter((name) => name !== "Stopped" && name !== "ShuttingDown"))
      deepEqual(transition(state, "Suspend"), { handler: "suspend", next: "Suspended" }, state);
  });

  it("an event that means nothing in a state has none", () => {
    equal(transition("WaitingForJob", "FileClosed"), undefined);
    equal(transition("Suspended", "ReceivedFileBlock"), undefined);
  });

  it("a stopped agent, or one on its way there, takes no event", () => {
    for (const state of ["Stopped", "ShuttingDown"] as const)
      for (const event of EVENTS) equal(transition(state, event), undefined, `${state} ${event}`);
  });

  it("the table and the function agree about every pair", () => {
    for (const state of STATES)
      for (const event of EVENTS) {
        if (state === "Stopped" || state === "ShuttingDown") continue;
        const row =
          rows.find((each) => each[0] === state && each[1] === event) ??
          rows.find((each) => each[0] === "*" && each[1] === event);
        const found = transition(state, event);
        deepEqual(found && [found.handler, found.next], row && [row[2], row[3]], `${state} ${event}`);
      }
  });

  it("from no state can an image be activated but from the one that says so", () => {
    for (const state of STATES)
      equal(transition(state, "ActivateImage") !== undefined, state === "WaitingToActivate", state);
  });
});
