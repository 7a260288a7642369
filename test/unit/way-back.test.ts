/**
 * Whole updates of devices that are not in the state a factory leaves them in: there has to be a way back, or no update.
 * Runs on Node and on XS.
 * @module
 */
import { refuse } from "../../hosts/emulated/flash-faults.js";
import { makeEntry, STATE_ABORTED, STATE_VALID } from "../../hosts/formats/otadata.js";
import { OtaAgent } from "../../src/index.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { FakeMqtt } from "../support/fake-mqtt.js";
import { FakePal } from "../support/fake-pal.js";
import { PayloadRig } from "../support/payload-rig.js";
import { seeded, VirtualClock } from "../support/virtual-clock.js";
import { image, sign, World, type WorldOptions } from "../support/world.js";

const SECTORS = 32;

/** Runs version 2 as if it crashed, whatever its self-test would say. */
const CRASHING: WorldOptions = {
  onEvent(event, world) {
    if (event.type === "activate") world.agent.activateNewImage();
    if (event.type === "start-test") world.reset();
  },
};

/** ota_1 runs, and both entries of otadata name ota_0, where there is no image (ruuvi.gateway_esp.c#1280). */
function stranded(options: WorldOptions = {}): World {
  const world = new World(options);
  const { device } = world;
  const [ota_0, ota_1] = device.slots;
  device.open(ota_0).eraseBlock(0, SECTORS);
  device.open(ota_1).write(image("1.0.0"), 0);
  device.writeEntry(0, makeEntry(3, STATE_VALID));
  device.writeEntry(1, makeEntry(5, STATE_ABORTED));
  return world.powerOn();
}

/** An update was confirmed, its image is damaged now, and the boot loader has fallen back. */
function fallenBack(options: WorldOptions = {}): World {
  const world = new World(options).powerOn();
  const { device } = world;
  device.writeEntry(1, makeEntry(2, STATE_VALID));
  world.reset();
  equal(world.state, "ota_0 1.0.0 valid");
  return world;
}

describe("a way back, or no update", () => {
  for (const [title, make, state] of [
    ["both entries of otadata name a slot that does not run", stranded, "ota_1 1.0.0"],
    ["the slot that otadata names is damaged", fallenBack, "ota_0 1.0.0"],
    [
      "a factory application runs",
      (o: WorldOptions) => new World({ ...o, factory: true }).powerOn(),
      "factory 1.0.0",
    ],
  ] as const) {
    it(`${title}: an image that crashes is rolled back, not reported as a success nor booted for ever`, () => {
      const world = make(CRASHING);
      ok(world.state.startsWith(state), world.state);
      const { status, statusDetails } = world.ended(world.deploy(image("2.0.0")));
      deepEqual([status, statusDetails["code"]], ["FAILED", "rolled-back"]);
      world.reset();
      ok(world.state.startsWith(state), world.state);
    });

    it(`${title}: one job after another succeeds, which failed for ever before`, () => {
      const world = make({});
      for (const version of ["2.0.0", "3.0.0", "4.0.0"]) {
        equal(world.ended(world.deploy(image(version))).status, "SUCCEEDED");
        ok(world.state.includes(version), world.state);
      }
    });

    it(`${title}: after a rollback as well`, () => {
      const world = make({
        onEvent(event, self) {
          if (event.type === "activate") self.agent.activateNewImage();
          if (event.type === "start-test")
            self.agent.setImageState(self.control.running.version === "2.0.0" ? "rejected" : "accepted");
        },
      });
      equal(world.ended(world.deploy(image("2.0.0"))).status, "FAILED");
      world.run(10_000);
      ok(world.state.startsWith(state), world.state);
      equal(world.ended(world.deploy(image("3.0.0"))).status, "SUCCEEDED");
    });

    it(`${title}: a forged image that lies whole in the slot does not boot`, () => {
      const world = make({});
      const id = world.deploy(image("2.0.0", { seed: 7 }), { signature: sign(image("2.0.0")) });
      equal(world.ended(id).statusDetails["code"], "signature-check");
      world.reset();
      ok(world.state.startsWith(state), world.state);
    });
  }

  it("without one the job is refused in words before a byte is erased", () => {
    const world = stranded();
    world.flash.faults = refuse(({ kind, offset }) => kind === "erase" && offset < 0x10000, "fail");
    const wear = [...world.flash.wear];
    const { status, statusDetails } = world.ended(world.deploy(image("2.0.0")));
    deepEqual([status, statusDetails["code"]], ["FAILED", "no-way-back"]);
    deepEqual([...world.flash.wear], wear);
    world.reset();
    equal(world.state, "ota_1 1.0.0 undefined");
  });
});

describe("what the build lacks", () => {
  it("is told at init, a notice for each", () => {
    const clock = new VirtualClock();
    const pal = Object.assign(new FakePal(clock), { notices: ["sdkconfig lacks A", "sdkconfig lacks B"] });
    const told: string[] = [];
    const agent = new OtaAgent({
      ...{ mqtt: new FakeMqtt(clock), pal, clock, random: seeded(1), thingName: "t" },
      onEvent: (event) => {
        if (event.type === "notice") told.push(`${event.error.code}: ${event.error.message}`);
      },
    });
    void agent.init();
    deepEqual(told, ["unsafe-build: sdkconfig lacks A", "unsafe-build: sdkconfig lacks B"]);
  });

  it("is known to the porting layers over a boot control", () => {
    const { pal, boot } = new PayloadRig();
    Object.assign(boot, { notices: ["sdkconfig lacks A"] });
    deepEqual([pal.notices, pal.ordered], [["sdkconfig lacks A"], true]);
  });
});

describe("without rollback, when that is allowed", () => {
  const options: WorldOptions = { device: { rollback: false }, agent: { allowNoRollback: true } };
  const old: WorldOptions = { ...options, device: { loaderRollback: false } };

  for (const [title, setup, state] of [
    ["the application built without", options, "undefined"],
    ["an old boot loader", old, "valid"],
  ] as const) {
    it(`${title}: the self-test takes place all the same, and decides`, () => {
      const world = new World(setup).powerOn();
      equal(world.ended(world.deploy(image("2.0.0"))).status, "SUCCEEDED");
      equal(world.count("start-test"), 1);
      equal(world.state, `ota_1 2.0.0 ${state}`);
    });

    it(`${title}: an image that fails it is not reported as accepted, and goes where it can`, () => {
      const world = new World({
        ...setup,
        onEvent(event, self) {
          if (event.type === "activate") self.agent.activateNewImage();
          if (event.type === "start-test") self.agent.setImageState("rejected");
        },
      }).powerOn();
      const { status, statusDetails } = world.ended(world.deploy(image("2.0.0")));
      deepEqual([status, statusDetails["code"]], ["FAILED", "self-test-rejected"]);
      world.run(10_000);
      equal(world.state, "ota_0 1.0.0 valid");
    });

    it(`${title}: nor one that nobody decides about`, () => {
      const world = new World({
        ...setup,
        onEvent(event, self) {
          if (event.type === "activate") self.agent.activateNewImage();
        },
      }).powerOn();
      const { status, statusDetails } = world.ended(world.deploy(image("2.0.0")));
      deepEqual([status, statusDetails["code"]], ["FAILED", "self-test-timeout"]);
    });
  }
});
