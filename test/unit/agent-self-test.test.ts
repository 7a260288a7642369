import { ModelBootControl } from "../../hosts/emulated/boot-control.js";
import { encodeUtf8 } from "../../src/bytes.js";
import { OtaError, type OtaEvent } from "../../src/index.js";
import { deepEqual, equal, ok, throws } from "../support/assert.js";
import { image, THING, World, type WorldOptions } from "../support/world.js";

/** Activates, but leaves the decision about an image on trial to the test. */
const undecided = (event: OtaEvent, world: World) => {
  if (event.type === "activate") world.agent.activateNewImage();
};

/** Somebody else reports for the device. */
function report(world: World, jobId: string, statusDetails: object): void {
  const body = JSON.stringify({ status: "IN_PROGRESS", statusDetails });
  world.jobs.handle(`$aws/things/${THING}/jobs/${jobId}/update`, encodeUtf8(body));
}

/** A device with 1.1.0 on trial, and the job. */
function onTrial(options: WorldOptions = {}): { world: World; jobId: string } {
  const world = new World({ onEvent: undecided, ...options }).powerOn();
  const jobId = world.deploy(image("1.1.0"));
  world.until("start-test");
  return { world, jobId };
}

const details = (world: World, jobId: string) => world.execution(jobId).statusDetails;

describe("self-test: platform not pending, job not in self-test", () => {
  it("is an ordinary download, to the end", () => {
    const world = new World().powerOn();
    const jobId = world.deploy(image("1.1.0"));
    equal(world.ended(jobId).status, "SUCCEEDED");
    deepEqual(world.boots, ["ota_0 1.0.0 valid", "ota_1 1.1.0 pending-verify"]);
    equal(world.state, "ota_1 1.1.0 valid");
    deepEqual(
      [details(world, jobId)["reason"], details(world, jobId)["updatedBy"]],
      ["accepted  v1.1.0", "  v1.0.0"],
    );
  });

  it("works from a factory-fresh otadata as well as from a confirmed slot", () => {
    const world = new World().powerOn();
    for (const version of ["1.1.0", "1.2.0", "1.3.0"])
      equal(world.ended(world.deploy(image(version))).status, "SUCCEEDED");
    equal(world.state, "ota_1 1.3.0 valid");
  });
});

describe("self-test: platform pending, job in self-test", () => {
  it("the application is asked, and the service knows that the test is on", () => {
    const { world, jobId } = onTrial();
    world.run(1000);
    deepEqual([details(world, jobId)["self_test"], world.state], ["active", "ota_1 1.1.0 pending-verify"]);
  });

  it("accepted: SUCCEEDED, and the image stays", () => {
    const { world, jobId } = onTrial();
    world.agent.setImageState("accepted");
    equal(world.state, "ota_1 1.1.0 valid", "recorded at once");
    equal(world.ended(jobId).status, "SUCCEEDED");
    world.reset();
    equal(world.state, "ota_1 1.1.0 valid");
  });

  it("an older version, where that is allowed: the image's name decides, not its version", () => {
    const world = new World({ pal: { allowDowngrade: true } }).powerOn();
    const jobId = world.deploy(image("0.9.0"));
    deepEqual([world.ended(jobId).status, world.state], ["SUCCEEDED", "ota_1 0.9.0 valid"]);
  });

  it("rejected: FAILED, and the old image by a restart the agent makes", () => {
    const { world, jobId } = onTrial();
    world.agent.setImageState("rejected");
    const { status, statusDetails } = world.ended(jobId);
    deepEqual([status, statusDetails["reason"]], ["FAILED", "rejected: 0x00000000"]);
    world.wait(() => world.boots.length === 3);
    equal(world.state, "ota_0 1.0.0 valid");
    equal(world.count("self-test-failed"), 1);
  });

  it("aborted: the same", () => {
    const { world, jobId } = onTrial();
    world.agent.setImageState("aborted");
    deepEqual([world.ended(jobId).status, details(world, jobId)["code"]], ["FAILED", "user-abort"]);
    world.wait(() => world.boots.length === 3, 1000);
    equal(world.state, "ota_0 1.0.0 valid");
  });

  it("the image of another job: back to the old one, FAILED", () => {
    const world = new World({
      onEvent: (event, self) => {
        if (event.type === "activate")
          report(self, event.job.jobId, { self_test: "ready", image: "9.9.9+00000000" });
        undecided(event, self);
      },
    }).powerOn();
    const jobId = world.deploy(image("1.1.0"));
    deepEqual([world.ended(jobId).status, details(world, jobId)["code"]], ["FAILED", "image-state-mismatch"]);
    world.wait(() => world.boots.length === 3);
    deepEqual([world.state, world.count("start-test")], ["ota_0 1.0.0 valid", 0]);
  });

  it("the version the update was made by is reported, though the service was told another meanwhile", () => {
    const { world, jobId } = onTrial();
    world.run(1000);
    world.agent.checkForUpdate();
    world.run(1000);
    world.agent.setImageState("accepted");
    equal(world.ended(jobId).statusDetails["updatedBy"], "  v1.0.0");
  });
});

describe("self-test: nothing is decided", () => {
  it("an asynchronous test is guarded until its end: time-out, FAILED, old image", () => {
    const { world, jobId } = onTrial({ agent: { selfTestTimeoutMs: 30_000 } });
    world.run(29_000);
    equal(world.execution(jobId).status, "IN_PROGRESS");
    const { status, statusDetails } = world.ended(jobId, 5_000);
    deepEqual([status, statusDetails["code"]], ["FAILED", "self-test-timeout"]);
    world.wait(() => world.boots.length === 3);
    equal(world.state, "ota_0 1.0.0 valid");
  });

  it("accepted, then aborted while suspended: an error that says so, and SUCCEEDED", () => {
    const { world, jobId } = onTrial();
    world.agent.suspend();
    world.agent.setImageState("accepted");
    throws(() => world.agent.setImageState("aborted"), { type: OtaError, code: "no-active-job" });
    world.agent.resume();
    deepEqual([world.ended(jobId).status, world.state], ["SUCCEEDED", "ota_1 1.1.0 valid"]);
  });

  it("accepted and aborted in one go: what came first counts", () => {
    let abort = false;
    const { world, jobId } = onTrial({
      onEvent: (event, world) => {
        if (event.type === "activate") world.agent.activateNewImage();
        if (event.type !== "start-test" || abort) return;
        abort = true;
        world.agent.suspend();
        world.agent.setImageState("accepted");
        world.agent.setImageState("aborted");
      },
    });
    world.agent.resume();
    deepEqual([world.ended(jobId).status, world.state], ["SUCCEEDED", "ota_1 1.1.0 valid"]);
  });

  it("the deadline does not outlive the decision", () => {
    const { world, jobId } = onTrial({ agent: { selfTestTimeoutMs: 30_000 } });
    world.agent.setImageState("accepted");
    world.ended(jobId);
    world.run(100_000);
    deepEqual([world.state, world.boots.length], ["ota_1 1.1.0 valid", 2]);
  });

  it("a crash: the boot loader goes back, the old firmware reports FAILED", () => {
    const { world, jobId } = onTrial();
    world.run(1000);
    world.reset();
    equal(world.state, "ota_0 1.0.0 valid");
    deepEqual([world.ended(jobId).status, details(world, jobId)["code"]], ["FAILED", "rolled-back"]);
    ok(details(world, jobId)["message"].includes("1.0.0"), details(world, jobId)["message"]);
  });

  it("what a restart came into is secured before its outcome is told, and a smooth update is not", () => {
    const { prototype } = ModelBootControl;
    const { secure } = prototype;
    let secured = 0;
    prototype.secure = function () {
      secured++;
      secure.call(this);
    };
    try {
      const { world, jobId } = onTrial();
      world.run(1000);
      world.reset();
      equal(world.ended(jobId).status, "FAILED");
      equal(secured, 1);
      const smooth = onTrial();
      smooth.world.agent.setImageState("accepted");
      equal(smooth.world.ended(smooth.jobId).status, "SUCCEEDED");
      equal(secured, 1);
    } finally {
      prototype.secure = secure;
    }
  });

  it("a store of decisions that fails to be secured is a notice, and the outcome is told", () => {
    const { prototype } = ModelBootControl;
    const { secure } = prototype;
    prototype.secure = () => {
      throw new Error("flash worn out");
    };
    try {
      const { world, jobId } = onTrial();
      world.run(1000);
      world.reset();
      deepEqual([world.ended(jobId).status, details(world, jobId)["code"]], ["FAILED", "rolled-back"]);
      ok(world.events.some((event) => event.type === "notice" && event.error.message.includes("worn out")));
    } finally {
      prototype.secure = secure;
    }
  });

  it("no connection: the deadline decides, the old firmware reports FAILED", () => {
    const world = new World({ agent: { selfTestTimeoutMs: 30_000 }, onEvent: undecided }).powerOn();
    const jobId = world.deploy(image("1.1.0"));
    world.wait(() => world.boots.length === 2);
    world.mqtt.disconnect();
    world.wait(() => world.boots.length === 3, 31_000);
    deepEqual([world.ended(jobId).status, world.state], ["FAILED", "ota_0 1.0.0 valid"]);
    equal(details(world, jobId)["code"], "rolled-back");
  });
});

describe("self-test: decided before the service is reached", () => {
  function decidedEarly(decision: "accepted" | "rejected"): { world: World; jobId: string } {
    const world = new World({ onEvent: undecided }).powerOn();
    const jobId = world.deploy(image("1.1.0"));
    world.wait(() => world.boots.length === 2);
    world.mqtt.disconnect();
    world.agent.setImageState(decision);
    return { world, jobId };
  }

  it("accepted: recorded at once, SUCCEEDED when the connection comes", () => {
    const { world, jobId } = decidedEarly("accepted");
    equal(world.state, "ota_1 1.1.0 valid");
    world.run(200_000);
    equal(world.execution(jobId).status, "IN_PROGRESS");
    world.mqtt.reconnect();
    equal(world.ended(jobId).status, "SUCCEEDED");
    equal(world.count("start-test"), 0, "nothing is left to be tested");
  });

  it("rejected: the old image at once, which reports FAILED", () => {
    const { world, jobId } = decidedEarly("rejected");
    world.wait(() => world.boots.length === 3, 1000);
    deepEqual([world.ended(jobId).status, world.state], ["FAILED", "ota_0 1.0.0 valid"]);
  });
});

describe("self-test: the platform is not pending, the job in self-test", () => {
  it("the power went after the accept: SUCCEEDED by the next life", () => {
    const { world, jobId } = onTrial();
    world.intercept.request = ({ operation }) => (operation === "update" ? "drop" : undefined);
    world.agent.setImageState("accepted");
    world.run(20_000);
    world.powerOff();
    world.intercept.request = undefined;
    world.powerOn();
    equal(world.ended(jobId).status, "SUCCEEDED");
    deepEqual([world.state, world.count("start-test")], ["ota_1 1.1.0 valid", 1]);
  });

  it("the power went before the activation: verified from flash and activated, without a block fetched again", () => {
    const world = new World({
      onEvent: (event, self, life) => {
        if (event.type === "activate") {
          if (life === 1) self.reset();
          else self.agent.activateNewImage();
        }
        if (event.type === "start-test") self.agent.setImageState("accepted");
      },
    }).powerOn();
    const jobId = world.deploy(image("1.1.0"));
    equal(world.ended(jobId).status, "SUCCEEDED");
    deepEqual(world.boots, ["ota_0 1.0.0 valid", "ota_0 1.0.0 valid", "ota_1 1.1.0 pending-verify"]);
    const progress = world.events.filter(({ type }) => type === "progress");
    equal(progress.length, 5, "blocks written in both lives");
  });

  it("by another agent, and no trial under way: FAILED, no restart", () => {
    const world = new World();
    const jobId = world.deploy(image("1.1.0"));
    report(world, jobId, { self_test: "ready", updatedBy: "0x01000000" });
    world.powerOn();
    deepEqual(
      [world.ended(jobId).status, details(world, jobId)["reason"]],
      ["FAILED", "rejected: 0x00000011"],
    );
    world.run(10_000);
    equal(world.boots.length, 1);
  });
});

describe("self-test: the platform is pending, the job not in self-test", () => {
  it("a job that is none of ours to test: back to the old image", () => {
    const { world, jobId } = onTrial();
    world.jobs.cancelJob(jobId, true);
    const next = world.deploy(image("1.2.0"));
    world.wait(() => world.boots.length === 3);
    equal(world.state, "ota_0 1.0.0 valid");
    world.until("start-test");
    world.agent.setImageState("accepted");
    deepEqual([world.ended(next).status, world.state], ["SUCCEEDED", "ota_1 1.2.0 valid"]);
  });

  it("no job at all: back to the old image", () => {
    const world = new World({ onEvent: undecided }).powerOn();
    const jobId = world.deploy(image("1.1.0"));
    world.wait(() => world.boots.length === 2);
    world.jobs.deleteJob(jobId, true);
    world.wait(() => world.boots.length === 3, 60_000);
    equal(world.state, "ota_0 1.0.0 valid");
  });

  for (const [what, body] of [
    ["that the queue is empty", { timestamp: 1 }],
    [
      "of another job",
      { execution: { jobId: "other", status: "QUEUED", executionNumber: 1, jobDocument: { afr_ota: {} } } },
    ],
    [
      "of a custom job",
      { execution: { jobId: "other", status: "QUEUED", executionNumber: 1, jobDocument: {} } },
    ],
  ] as const)
    it(`a late notification ${what} alone decides nothing`, () => {
      const world = new World({ onEvent: undecided }).powerOn();
      const jobId = world.deploy(image("1.1.0"));
      world.wait(() => world.boots.length === 2);
      world.wait(() => world.agent.state === "RequestingJob");
      world.inject("jobs/notify-next", body);
      world.until("start-test");
      world.agent.setImageState("accepted");
      deepEqual([world.ended(jobId).status, world.state], ["SUCCEEDED", "ota_1 1.1.0 valid"]);
      equal(world.boots.length, 2);
    });

  it("the other slot is not touched while the image is on trial", () => {
    const { world } = onTrial();
    const { offset, size } =
      world.running.label === "ota_1" ? { offset: 0x10000, size: 0x20000 } : world.running;
    const before = new Uint8Array(size);
    world.flash.read(offset, before);
    world.deploy(image("1.2.0"));
    world.run(60_000);
    const after = new Uint8Array(size);
    world.flash.read(offset, after);
    deepEqual(after, before);
  });
});

describe("self-test: after a bad image", () => {
  it("a good one follows, and an old verdict is not taken for one about it", () => {
    const { world, jobId } = onTrial();
    world.reset();
    equal(world.ended(jobId).status, "FAILED");
    // This one loses power before it is activated: the slot's last verdict is about the image before.
    const next = world.deploy(image("1.2.0"));
    world.until("activate");
    world.reset();
    world.until("start-test");
    world.agent.setImageState("accepted");
    deepEqual([world.ended(next).status, world.state], ["SUCCEEDED", "ota_1 1.2.0 valid"]);
  });

  it("the same job is not tried again by itself", () => {
    const { world, jobId } = onTrial();
    world.reset();
    world.ended(jobId);
    world.run(10_000_000);
    equal(world.boots.length, 3);
  });

  it("a late notification about an earlier attempt of its job is left out, and the service asked", () => {
    const world = new World({ onEvent: undecided }).powerOn();
    const publish = world.broker.publish.bind(world.broker);
    const earlier: Uint8Array[] = [];
    world.broker.publish = (topic, payload, ...how) => {
      if (topic.endsWith("/notify-next")) earlier.push(payload.slice());
      publish(topic, payload, ...how);
    };
    const jobId = world.deploy(image("1.1.0"), { retries: { failed: 1 } });
    world.until("start-test");
    world.reset();
    world.until("start-test");
    world.run(1_000);
    const asked = world.listen("/$next/get");
    const told = world.listen("/update");
    world.inject("jobs/notify-next", earlier[0]);
    world.run(1_000);
    equal(asked.length, 1);
    world.agent.setImageState("accepted");
    const { status, executionNumber } = world.ended(jobId);
    deepEqual([status, executionNumber], ["SUCCEEDED", 2]);
    ok(told.every((update) => update.executionNumber === 2));
  });

  it("a retry of the job by the service is tried again", () => {
    const world = new World({ onEvent: undecided }).powerOn();
    const jobId = world.deploy(image("1.1.0"), { retries: { failed: 1 } });
    world.until("start-test");
    world.reset();
    world.until("start-test");
    world.agent.setImageState("accepted");
    const { status, executionNumber } = world.ended(jobId);
    deepEqual([status, executionNumber], ["SUCCEEDED", 2]);
  });
});
