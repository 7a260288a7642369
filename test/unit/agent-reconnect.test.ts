import { equal, ok } from "../support/assert.js";
import { image, World } from "../support/world.js";

describe("agent: connections that come and go", () => {
  it("finds the job it was not told of as soon as it is connected again", () => {
    const world = new World().powerOn();
    world.until("no-active-job");
    world.mqtt.disconnect();
    world.run(1_000);
    const jobId = world.deploy(image("1.1.0"));
    world.run(1_000);
    world.mqtt.reconnect();
    equal(world.ended(jobId, 60_000).status, "SUCCEEDED");
  });

  it("notices after a reconnection that its job was made anew with another image", () => {
    const world = new World({ link: { bandwidth: 2_000 } }).powerOn();
    const jobId = world.deploy(image("1.1.0"), { updateId: "again" });
    world.until("progress");
    world.mqtt.disconnect();
    world.run(1_000);
    world.jobs.deleteJob(jobId, true);
    world.deploy(image("1.2.0"), { updateId: "again" });
    world.mqtt.reconnect();
    equal(world.ended(jobId).status, "SUCCEEDED");
    ok(world.state.includes("1.2.0"), world.state);
  });

  const slow = {
    link: { bandwidth: 2_000, rtt: 300 },
    agent: { blockSize: 4_096, maxOutstandingBytes: 262_144, noProgressTimeoutMs: 60_000 },
  };

  it("does not ask a slow link for everything twice", () => {
    const file = image("1.1.0", { size: 120_000 });
    const world = new World(slow).powerOn();
    world.deploy(file);
    world.until("activate");
    const { bytes } = world.mqtt.down;
    ok(bytes < 1.1 * file.length, `${bytes} bytes for a file of ${file.length}`);
  });

  it("does not pile up on a slow link what it asks for again", () => {
    const file = image("1.1.0", { size: 61_440 });
    const world = new World(slow).powerOn();
    const jobId = world.deploy(file);
    world.run(11_000);
    // What was on its way is sent for nothing, and all of it is asked for once more.
    world.mqtt.disconnect();
    world.run(2_400);
    world.mqtt.reconnect();
    world.until("activate", 600_000);
    const { bytes } = world.mqtt.down;
    equal(world.ended(jobId, 600_000).status, "SUCCEEDED");
    ok(bytes < 4 * file.length, `${bytes} bytes for a file of ${file.length}`);
  });

  it("resumes when suspended before the topics were granted", () => {
    const world = new World();
    let refusals = 1;
    world.powerOn();
    world.mqtt.refuse = () => (refusals-- > 0 ? new Error("not authorized") : undefined);
    world.agent.suspend();
    world.run(100);
    world.agent.resume();
    const jobId = world.deploy(image("1.1.0"));
    equal(world.ended(jobId, 300_000).status, "SUCCEEDED");
  });
});
