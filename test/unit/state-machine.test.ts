import * as Event from "../../src/events.js";
import { STATES, TRANSITIONS, transition } from "../../src/state-machine.js";
import * as State from "../../src/states.js";
import { deepEqual, equal, ok } from "../support/assert.js";

const states = STATES.split(" ");
const events = Object.entries(Event);
const name = (event: number) => events.find(([, number]) => number === event)?.[0];
/** Names of the states an event means something in. */
const where = (event: number) => states.filter((_, state) => transition(state, event) >= 0);

describe("state machine: the table", () => {
  it("has a row for every event that depends on the state, and in it a letter for every state", () => {
    equal(TRANSITIONS.length, (Event.Stop + 1) * states.length);
    ok(/^[.a-m]+$/.test(TRANSITIONS));
  });

  it("knows states and events by numbers that follow each other", () => {
    for (const numbers of [State, Event])
      deepEqual(
        Object.values(numbers).sort((a, b) => a - b),
        Object.keys(numbers).map((_, index) => index),
      );
  });

  it("has the names of the states in the order of their numbers", () => {
    for (const [state, number] of Object.entries(State)) equal(states[number], state);
  });

  it("uses every event", () => {
    for (const [event, number] of events) ok(where(number).length > 0, event);
  });

  it("leads to every state, those excepted that the agent enters by itself", () => {
    const reached = new Set<number>();
    for (const [, event] of events)
      states.forEach((_, state) => {
        const next = transition(state, event);
        if (next !== state) reached.add(next);
      });
    const missing = states.filter((_, state) => !reached.has(state));
    deepEqual(missing, ["Stopped", "ShuttingDown", "Init", "Suspended", "SelfTesting", "CreatingFile"]);
  });
});

describe("state machine: transitions", () => {
  /** Event, states it means something in, and the state afterwards; "=": the same. */
  const ROWS: [number, string, string][] = [
    [Event.Subscribed, "Init", "Ready"],
    [Event.Subscribed, "RequestingJob", "="],
    [Event.RequestJobDocument, "Ready RequestingJob WaitingForJob", "RequestingJob"],
    [
      Event.RequestJobDocument,
      "CreatingFile RequestingFileBlock WaitingForFileBlock ClosingFile WaitingToActivate SelfTesting",
      "=",
    ],
    [Event.ReceivedJobDocument, "RequestingJob WaitingForJob", "WaitingForJob"],
    [
      Event.ReceivedJobDocument,
      "CreatingFile RequestingFileBlock WaitingForFileBlock ClosingFile WaitingToActivate SelfTesting",
      "=",
    ],
    [
      Event.JobGone,
      "CreatingFile RequestingFileBlock WaitingForFileBlock ClosingFile WaitingToActivate SelfTesting Suspended",
      "=",
    ],
    [Event.CreateFile, "CreatingFile", "="],
    [Event.FileCreated, "CreatingFile", "RequestingFileBlock"],
    [Event.ReceivedFileBlock, "RequestingFileBlock", "WaitingForFileBlock"],
    [Event.FileComplete, "RequestingFileBlock WaitingForFileBlock", "ClosingFile"],
    [Event.FileClosed, "RequestingFileBlock WaitingForFileBlock ClosingFile", "WaitingToActivate"],
    [Event.FileReported, "WaitingToActivate", "="],
    [Event.ActivateImage, "WaitingToActivate", "="],
    [
      Event.TransferFailed,
      "CreatingFile RequestingFileBlock WaitingForFileBlock ClosingFile WaitingToActivate",
      "WaitingForJob",
    ],
    [Event.Resume, "Suspended", "RequestingJob"],
    [Event.Activated, "WaitingToActivate", "="],
    [Event.Stop, "ShuttingDown", "="],
  ];
  for (const [event, from, next] of ROWS)
    it(`${name(event)} in ${from} leads to ${next}`, () => {
      for (const state of from.split(" "))
        equal(states[transition(states.indexOf(state), event)], next === "=" ? state : next, state);
    });

  it("an event that means nothing in a state has none", () => {
    for (const event of new Set(ROWS.map(([number]) => number))) {
      const listed = ROWS.filter(([number]) => number === event).flatMap(([, from]) => from.split(" "));
      deepEqual(where(event).sort(), listed.sort(), name(event));
    }
  });

  it("what may happen in any state of a started agent does", () => {
    const started = states.filter((state) => state !== "Stopped" && state !== "ShuttingDown");
    for (const event of [
      Event.Suspend,
      Event.Refused,
      Event.Subscribe,
      Event.CheckForUpdate,
      Event.ImageDecided,
      Event.SelfTestTimer,
    ]) {
      deepEqual(where(event), started);
      for (const state of started) equal(states[transition(states.indexOf(state), event)], state);
    }
  });

  it("a stopped agent takes no event, one on its way there none but its end", () => {
    for (const [event, number] of events) {
      ok(transition(State.Stopped, number) < 0, event);
      equal(transition(State.ShuttingDown, number) < 0, number !== Event.Stop, event);
    }
  });

  it("from no state can an image be activated but from the one that says so", () => {
    deepEqual(where(Event.ActivateImage), ["WaitingToActivate"]);
  });
});
