/** The numbers that tests of what ships use for events are the agent's own. */
import { strictEqual } from "node:assert";
import * as Event from "../../src/events.js";
import * as Control from "../support/control-events.js";

describe("events of a control plane", () => {
  const own: Record<string, number> = { ...Event };
  for (const [name, number] of Object.entries(Control))
    it(`${name} is ${number}`, () => strictEqual(own[name], number));
});
