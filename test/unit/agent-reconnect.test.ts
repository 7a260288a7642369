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
