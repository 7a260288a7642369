import type { DeviceView } from "../../service/views.js";
import { Presence } from "../../tools/cli/deploy/presence.js";
import { equal } from "../support/assert.js";

const device = (thingName: string, connected: boolean | undefined, lastSeen?: number): DeviceView => ({
  ...{ thingName, connected, lastSeen, firmware: {}, groups: [] },
});

describe("which devices deploy --online waits for", () => {
  it("none that was away from the beginning, or has never been heard of", () => {
    const presence = new Presence(60);
    presence.look([device("a", false, 5), device("b", undefined)], [], 1000);
    equal(presence.left(["a", "b", "unknown"], 1000), 0);
  });

  it("those that restart at the same moment, for as long as its patience: the wait ended at once", () => {
    const presence = new Presence(60);
    presence.look([device("a", true), device("b", true)], [], 0);
    presence.look([device("a", false), device("b", false)], [], 100);
    equal(presence.left(["a", "b"], 100), 60);
    equal(presence.left(["a", "b"], 130), 30);
    equal(presence.left(["a", "b"], 160), 0);
  });

  it("one that comes back, from then on; one that has said something, though no broker tells of it", () => {
    const presence = new Presence(60);
    presence.look([device("a", true), device("b", undefined, 1)], [], 0);
    presence.look([device("a", true), device("b", undefined, 1)], [], 50);
    presence.look([device("a", false), device("b", undefined, 1)], ["b"], 55);
    equal(presence.left(["a"], 55), 60);
    equal(presence.left(["b"], 55), 60);
    equal(presence.left(["a", "b"], 100), 15);
    equal(presence.left(["a", "b"], 115), 0);
  });
});
