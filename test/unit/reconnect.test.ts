import { Reconnect } from "../../hosts/mqtt/reconnect.js";
import { deepEqual, equal } from "../support/assert.js";

function waits(reconnect: Reconnect, count: number): number[] {
  const all: number[] = [];
  for (let i = 0; i < count; i++) {
    all.push(reconnect.wait());
    reconnect.failed();
  }
  return all;
}

describe("connecting again", () => {
  it("waits longer after each failure, and no longer than it may", () => {
    deepEqual(waits(new Reconnect(1000, 8000, () => 0), 6), [1000, 2000, 4000, 8000, 8000, 8000]);
    equal(waits(new Reconnect(1000, 8000, () => 0), 40).at(-1), 8000);
  });

  it("less up to half of it at random", () => {
    deepEqual(waits(new Reconnect(1000, 8000, () => 0.5), 4), [750, 1500, 3000, 6000]);
  });

  it("begins anew only once a connection has lasted: 10 s, and twice the wait before it", () => {
    const reconnect = new Reconnect(1000, 60_000, () => 0);
    waits(reconnect, 2);
    equal(reconnect.proof, 10_000);
    waits(reconnect, 3);
    equal(reconnect.proof, 32_000);
    equal(reconnect.wait(), 32_000);
    reconnect.proved();
    equal(reconnect.wait(), 1000);
  });
});
