import { EcmaMqttConnection } from "../../hosts/mqtt/mqtt-connection.js";
import type { ServiceRequest } from "../../service/delivery.js";
import { decodeUtf8 } from "../../src/bytes.js";
import { Jobs } from "../../src/control/jobs.js";
import type { OtaEvent } from "../../src/index.js";
import { equal, ok } from "../support/assert.js";
import { FakeMqtt } from "../support/fake-mqtt.js";
import { seeded, VirtualClock, VirtualTime } from "../support/virtual-clock.js";
import { image, World, type WorldOptions } from "../support/world.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const FLEET = 60;

/** A world whose service stops answering one sort of request when something is told to the application. */
function silentFrom(
  type: OtaEvent["type"],
  operation: ServiceRequest["operation"],
  options: WorldOptions = {},
) {
  const asked: number[] = [];
  let silent = false;
  const world: World = new World({
    ...options,
    onEvent: (event, { agent }) => {
      if (event.type === type) silent = true;
      if (event.type === "activate") agent.activateNewImage();
      if (event.type === "start-test" && options.onEvent === undefined) agent.setImageState("accepted");
    },
  });
  world.intercept.request = (request) => {
    if (!silent || request.operation !== operation) return undefined;
    asked.push(world.time.now);
    return "drop";
  };
  return { world: world.powerOn(), asked, speak: () => void (silent = false) };
}

/** The longest time between two of these, and from the last one to `now`. */
function longestGap(times: readonly number[], now: number): number {
  return [...times, now].reduce((most, time, i, all) => (i ? Math.max(most, time - all[i - 1]) : most), 0);
}

describe("long waits: every one has an end", () => {
  it("a service that does not answer the job request is asked again, within minutes, for ever", () => {
    const { world, asked, speak } = silentFrom("no-active-job", "describe");
    world.run(24 * HOUR);
    ok(asked.length > (24 * HOUR) / (6.5 * MINUTE), `${asked.length} requests in a day`);
    speak();
    const jobId = world.deploy(image("1.1.0"));
    equal(world.ended(jobId, 2 * HOUR).status, "SUCCEEDED");
  });

  for (const [moment, type] of [
    ["before the restart", "image"],
    ["on trial", "start-test"],
    ["at the end", "update-complete"],
  ] as const)
    it(`a status the service does not answer ${moment} is repeated, within minutes, for ever`, () => {
      const { world, asked, speak } = silentFrom(type, "update");
      const jobId = world.deploy(image("1.1.0"));
      world.run(24 * HOUR);
      ok(asked.length > 2 && longestGap(asked, world.time.now) < 7 * MINUTE, `${asked.length} reports`);
      speak();
      equal(world.ended(jobId, HOUR).status, "SUCCEEDED");
    });

  it("a stream that does not answer fails the job after the time without progress", () => {
    const { world } = silentFrom("received-job", "get-stream", {
      agent: { noProgressTimeoutMs: 5 * MINUTE },
    });
    const from = world.time.now;
    const jobId = world.deploy(image("1.1.0"));
    equal(world.ended(jobId, HOUR).statusDetails["code"], "no-progress");
    ok(world.time.now - from < 6 * MINUTE);
  });

  it("an application that never decides loses its image after the self-test's time", () => {
    const { world } = silentFrom("fail", "describe", {
      onEvent: () => {},
      agent: { selfTestTimeoutMs: 2 * MINUTE },
    });
    const jobId = world.deploy(image("1.1.0"));
    equal(world.ended(jobId, 10 * MINUTE).statusDetails["code"], "self-test-timeout");
    world.run(MINUTE);
    equal(world.state, "ota_0 1.0.0 valid");
  });

  it("a broker that refuses the topics is asked again", () => {
    const world = new World();
    let refused = 0;
    world.powerOn();
    world.mqtt.refuse = () => (++refused < 40 ? new Error("not authorized") : undefined);
    const jobId = world.deploy(image("1.1.0"));
    equal(world.ended(jobId, HOUR).status, "SUCCEEDED");
  });

  it("no timer is armed for longer than a day, and none for no time the clock knows", () => {
    const { set } = VirtualClock.prototype;
    let longest = 0;
    VirtualClock.prototype.set = function (callback, ms) {
      longest = Math.max(longest, Number.isFinite(ms) ? ms : Number.POSITIVE_INFINITY);
      return set.call(this, callback, ms);
    };
    try {
      const world = new World({ link: { loss: 0.1, jitter: 100 } }).powerOn();
      equal(world.ended(world.deploy(image("1.1.0"))).status, "SUCCEEDED");
      world.run(3 * HOUR);
    } finally {
      VirtualClock.prototype.set = set;
    }
    ok(longest > MINUTE && longest <= 24 * HOUR, `${longest} ms`);
  });
});

/** The share of a fleet that does something in the busiest tenth of the time between first and last. */
function crowd(times: readonly number[]): number {
  const from = Math.min(...times);
  const width = (Math.max(...times) - from) / 10;
  ok(width > 0, "all at the same time");
  const counts = new Array(11).fill(0);
  for (const time of times) counts[Math.floor((time - from) / width)]++;
  return Math.max(...counts) / times.length;
}

describe("long waits: a fleet does not act in step", () => {
  it("when the service does not answer", () => {
    const attempts: number[][] = [];
    for (let device = 0; device < FLEET; device++) {
      const clock = new VirtualClock();
      const mqtt = new FakeMqtt(clock);
      const jobs = new Jobs(
        { mqtt, clock, random: seeded(device + 1), thingName: `thing-${device}`, log: () => {} },
        () => {},
      );
      const times: number[] = [];
      const { publish } = mqtt;
      mqtt.publish = (topic, payload, qos, done) => {
        ok(decodeUtf8(payload).includes("clientToken"));
        times.push(clock.now());
        publish.call(mqtt, topic, payload, qos, done);
      };
      jobs.request();
      clock.run(5 * MINUTE);
      attempts.push(times);
    }
    for (const nth of [1, 2, 3, 4]) {
      const times = attempts.map((all) => all[nth]);
      ok(crowd(times) < 0.35, `${crowd(times)} of the fleet at once at attempt ${nth}`);
      const spread = (Math.max(...times) - Math.min(...times)) / Math.max(...times);
      ok(spread > 0.2, `attempt ${nth} is spread over ${spread} of its wait`);
    }
  });

  it("when the broker was away", () => {
    const time = new VirtualTime();
    const attempts: number[][] = [];
    for (let device = 0; device < FLEET; device++) {
      const clock = new VirtualClock(time);
      const times: number[] = [];
      attempts.push(times);
      class Refused {
        constructor() {
          times.push(clock.now());
          throw new Error("connection refused");
        }
      }
      new EcmaMqttConnection({
        ...{ Client: Refused as never, client: {} as never, clock, random: seeded(device + 1) },
      });
    }
    time.run(10 * MINUTE);
    for (const nth of [2, 4, 6]) {
      const times = attempts.map((all) => all[nth]);
      ok(crowd(times) < 0.35, `${crowd(times)} of the fleet at once at attempt ${nth}`);
    }
    const gaps = attempts.map((all) => longestGap(all, time.now));
    ok(Math.max(...gaps) < 2 * MINUTE, `${Math.max(...gaps)} ms without an attempt`);
  });
});
