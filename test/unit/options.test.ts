import { OtaAgent, type OtaAgentOptions } from "../../src/index.js";
import { checkOptions } from "../../src/options.js";
import { deepEqual, equal, ok, throws } from "../support/assert.js";
import { FakeMqtt } from "../support/fake-mqtt.js";
import { FakePal } from "../support/fake-pal.js";
import { TracePlayer } from "../support/trace-player.js";
import { VirtualClock } from "../support/virtual-clock.js";

function good(): OtaAgentOptions {
  const clock = new VirtualClock();
  return { clock, mqtt: new FakeMqtt(clock), pal: new FakePal(clock), thingName: "t", random: () => 0.5 };
}

const agent = (changes: object) => () => new OtaAgent({ ...good(), ...changes });

describe("options: what is required", () => {
  for (const nothing of [undefined, null, 7, "x"])
    it(`${nothing} is no options`, () => {
      throws(() => new OtaAgent(nothing as never), { type: TypeError, message: "options" });
    });

  for (const name of ["mqtt", "pal", "clock", "random", "thingName"])
    for (const value of [undefined, null, 7])
      it(`${name} ${value} is an error that names it`, () => {
        throws(agent({ [name]: value }), { type: TypeError, message: `"${name}"` });
      });

  it("nothing more is", () => {
    equal(agent({})().state, "Stopped");
  });

  it("nothing happens before init", () => {
    const options = good();
    new OtaAgent(options);
    equal((options.mqtt as FakeMqtt).subscriptions.size, 0);
  });
});

describe("options: the thing's name", () => {
  for (const thingName of ["", "t".repeat(129), "a/b", "a+b", "a#b", "a b", "ä", "a\0", "$aws"])
    it(`${JSON.stringify(thingName.slice(0, 10))} (${thingName.length}) is an error`, () => {
      throws(agent({ thingName }), { type: RangeError, message: "thingName" });
    });

  for (const thingName of ["t", "t".repeat(128), "Thing_1:a-b"])
    it(`"${thingName.slice(0, 12)}" (${thingName.length}) is good`, () => {
      ok(agent({ thingName })());
    });
});

describe("options: functions", () => {
  for (const name of ["onEvent", "onUpdateAvailable", "onCustomJob", "onState", "log", "random"])
    it(`${name} that is none is an error that names it`, () => {
      throws(agent({ [name]: {} }), { type: TypeError, message: `"${name}"` });
    });

  for (const name of ["onEvent", "onUpdateAvailable", "onCustomJob", "onState", "log"])
    it(`${name} undefined is as good as left out`, async () => {
      const player = new TracePlayer({ [name]: undefined });
      await player.playAll(
        "start",
        "job size=0",
        "accepted",
        "job id=AFR_OTA-2 size=100",
        "block i=0 l=100",
        "accepted",
      );
      equal(player.agent.state === "WaitingToActivate" || player.pal.restarts === 1, true);
    });
});

describe("options: lists", () => {
  for (const [name, value] of [
    ["dataPlanes", {}],
    ["dataPlanes", "MQTT"],
    ["otherPals", 7],
    ["otherPals", null],
  ] as const)
    it(`${name} ${JSON.stringify(value)} is an error that names it`, () => {
      throws(agent({ [name]: value }), { type: TypeError, message: `"${name}"` });
    });
});

describe("options: numbers", () => {
  const LIMITS: [keyof OtaAgentOptions, number, number][] = [
    ["blockSize", 256, 131_072],
    ["maxBlockSize", 256, 131_072],
    ["maxOutstandingBytes", 256, 16_777_216],
    ["statusInterval", 1, 1_000_000],
    ["selfTestTimeoutMs", 1_000, 86_400_000],
    ["noProgressTimeoutMs", 1_000, 86_400_000],
    ["totalDeadlineMs", 1_000, 2_147_483_647],
    ["minRate", 1, 1_000_000_000],
    ["rateLimit", 256, 1_000_000_000],
    ["blockIntervalMs", 1, 60_000],
    ["pollMs", 10_000, 1_000_000_000],
  ];
  for (const [name, least, greatest] of LIMITS) {
    it(`${name} is from ${least} to ${greatest}`, () => {
      ok(agent({ [name]: least })());
      ok(agent({ [name]: greatest })());
      for (const value of [
        least - 1,
        greatest + 1,
        -least,
        0.5 + least,
        Number.NaN,
        Number.POSITIVE_INFINITY,
      ])
        throws(agent({ [name]: value }), { type: RangeError, message: `"${name}"` });
    });

    it(`${name} that is no number is an error that names it`, () => {
      for (const value of ["4096", {}, true, 1n])
        throws(agent({ [name]: value }), { type: TypeError, message: `"${name}"` });
    });
  }

  it("blockSize is a multiple of 16, for encrypted flash", () => {
    for (const blockSize of [257, 1000, 4095])
      throws(agent({ blockSize }), { type: RangeError, message: "blockSize" });
    ok(agent({ blockSize: 1008 })());
  });

  it("have defaults where they need one", () => {
    const {
      blockSize,
      maxBlockSize,
      maxOutstandingBytes,
      statusInterval,
      selfTestTimeoutMs,
      noProgressTimeoutMs,
      pollMs,
      minRate,
    } = checkOptions(good());
    deepEqual(
      [
        blockSize,
        maxBlockSize,
        maxOutstandingBytes,
        statusInterval,
        selfTestTimeoutMs,
        noProgressTimeoutMs,
        pollMs,
        minRate,
      ],
      [undefined, 4096, 524_288, 64, 90_000, 300_000, 3_600_000, undefined],
    );
  });

  it("null counts as left out", () => {
    equal(checkOptions({ ...good(), maxBlockSize: null as never }).maxBlockSize, 4096);
  });
});
