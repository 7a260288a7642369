/** Jobs of several files that are the same image. */
import type { UpdatePayload } from "../../service/updates.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { makePayload } from "../support/payload-maker.js";
import { buildIdOf } from "../support/payload-rig.js";
import { image, sign, World } from "../support/world.js";

const V1 = image("1.0.0", { seed: 3 });
const V2 = image("1.1.0", { seed: 3 });
const OTHER = image("1.2.0", { seed: 4 });
const DELTA: UpdatePayload = { kind: `;base=${buildIdOf(V1)}`, bytes: makePayload(V2, V1) };
const PACKED: UpdatePayload = { kind: ";packed", bytes: makePayload(V2) };

function spoiled({ kind, bytes }: UpdatePayload): UpdatePayload {
  const copy = bytes.slice();
  copy[copy.length - 9] ^= 1;
  return { kind, bytes: copy };
}

/** @returns the final status, and details of it */
function update(payloads: readonly UpdatePayload[], { staged = true, bytes = V2 } = {}) {
  const world = new World({ image: V1, staged }).powerOn();
  const { status, statusDetails: details } = world.ended(world.deploy(bytes, { payloads }));
  return { world, status, details };
}

describe("jobs of several files that are one image", () => {
  it("the delta from what runs is taken, and the status says so", () => {
    const { world, status, details } = update([PACKED, DELTA]);
    equal(status, "SUCCEEDED");
    equal(details.payload, `delta of ${buildIdOf(V1)}, ${DELTA.bytes.length} bytes`);
    equal(world.state, "ota_1 1.1.0 valid");
    const applied = world.events.filter(({ type }) => type === "applying");
    ok(applied.length >= V2.length / 4096, "the progress of applying it is told");
  });

  it("the compressed image, when the delta is from another", () => {
    const { status, details } = update([{ ...DELTA, kind: ";base=00000000" }, PACKED]);
    deepEqual([status, details.payload], ["SUCCEEDED", `packed, ${PACKED.bytes.length} bytes`]);
  });

  it("the whole image, by a device that takes no other", () => {
    const { status, details } = update([DELTA, PACKED], { staged: false });
    deepEqual([status, details.payload], ["SUCCEEDED", `whole, ${V2.length} bytes`]);
  });

  it("one file after the other, as each turns out to be no good", () => {
    const { world, status, details } = update([spoiled(DELTA), spoiled(PACKED)]);
    deepEqual([status, details.payload], ["SUCCEEDED", `whole, ${V2.length} bytes`]);
    equal(world.boots.length, 2);
  });

  // Before, more blocks of the head were asked for than the window remembers: those that got lost were waited for in vain.
  it("a head of many blocks, one on its way at a time, over a link that loses some", () => {
    const agent = { blockSize: 256, maxOutstandingBytes: 256, noProgressTimeoutMs: 120_000 };
    const world = new World({ image: V1, staged: true, agent, link: { rtt: 900, loss: 0.2 } }).powerOn();
    const { status, statusDetails: details } = world.ended(
      world.deploy(V2, { payloads: [PACKED] }),
      7_200_000,
    );
    deepEqual([status, details.payload], ["SUCCEEDED", `packed, ${PACKED.bytes.length} bytes`]);
  });

  it("FAILED names why each could not be taken", () => {
    const world = new World({ image: V1, staged: true }).powerOn();
    const wrong = { ...PACKED, bytes: makePayload(OTHER) };
    const { status, statusDetails: details } = world.ended(
      world.deploy(image("0.9.0"), { payloads: [wrong], signature: sign(V2) }),
    );
    equal(status, "FAILED");
    ok(details.message.startsWith("packed: "), details.message);
    ok(details.message.includes("; "), details.message);
    equal(world.state, "ota_0 1.0.0 valid");
  });

  it("a store that fails is told as such: the next file was tried, and blamed for being no image", () => {
    const store = {
      get: () => {
        throw null;
      },
      set: () => {},
    };
    const world = new World({ image: V1, pal: { store } }).powerOn();
    const { status, statusDetails: details } = world.ended(world.deploy(V2, { payloads: [PACKED] }));
    deepEqual([status, details.code], ["FAILED", "store-failed"]);
  });

  it("of a delta alone for another build: FAILED, and nothing is fetched", () => {
    const { world, status } = update([], { bytes: V2 });
    equal(status, "SUCCEEDED");
    const job = world.deploy(DELTA.bytes, { filePath: "/d;base=00000000", signature: sign(V2) });
    const { status: second, statusDetails: details } = world.ended(job);
    deepEqual([second, details.code], ["FAILED", "file-create"]);
  });

  it("a job that is suspended in the middle goes on with the same file", () => {
    const world = new World({ image: V1, staged: true }).powerOn();
    const job = world.deploy(V2, { payloads: [DELTA] });
    world.wait(() => world.events.some(({ type }) => type === "applying"));
    world.agent.suspend();
    world.wait(() => world.agent.state === "Suspended");
    world.agent.resume();
    const { status, statusDetails: details } = world.ended(job);
    deepEqual([status, details.payload.startsWith("delta")], ["SUCCEEDED", true]);
  });

  it("a reset in the middle of applying goes on from there", () => {
    const world = new World({ image: V1, staged: true }).powerOn();
    const job = world.deploy(V2, { payloads: [DELTA] });
    world.wait(() => world.events.some((event) => event.type === "applying" && event.bytes > 8192));
    world.reset();
    const before = world.events.length;
    const { status } = world.ended(job);
    equal(status, "SUCCEEDED");
    const progress = world.events.slice(before).filter(({ type }) => type === "progress");
    equal(progress.length, 0, "nothing is fetched again");
  });
});
