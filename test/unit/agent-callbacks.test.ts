import { OtaAgent, type OtaEvent } from "../../src/index.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { FakeMqtt } from "../support/fake-mqtt.js";
import { FakePal } from "../support/fake-pal.js";
import { seeded, VirtualClock, VirtualTime } from "../support/virtual-clock.js";
import { image, THING, World } from "../support/world.js";

const MINUTE = 60_000;

function bench(options: Partial<ConstructorParameters<typeof OtaAgent>[0]> = {}) {
  const time = new VirtualTime();
  const clock = new VirtualClock(time);
  const mqtt = new FakeMqtt(clock);
  const pal = new FakePal(clock);
  const agent = new OtaAgent({ mqtt, pal, clock, random: seeded(1), thingName: "t", ...options });
  return { time, clock, mqtt, pal, agent };
}

describe("callbacks: whatever is thrown", () => {
  const faults: unknown[] = [
    null,
    undefined,
    "text",
    7,
    Object.create(null),
    { message: Object.create(null) },
  ];
  for (const [index, fault] of faults.entries())
    it(`fault ${index} in every callback and in the log: the update goes on to its end`, () => {
      const fail = () => {
        throw fault;
      };
      const world: World = new World({
        agent: { onState: fail, onUpdateAvailable: undefined, log: fail },
        onEvent: (event, { agent }) => {
          if (event.type === "activate") agent.activateNewImage();
          if (event.type === "start-test") agent.setImageState("accepted");
          throw fault;
        },
      }).powerOn();
      equal(world.ended(world.deploy(image("1.1.0"))).status, "SUCCEEDED");
    });

  it("no decision about an update: it is offered again, not lost", () => {
    let asked = 0;
    const onUpdateAvailable = () => {
      if (asked++ === 0) throw null;
      return "apply" as const;
    };
    const world = new World({ agent: { onUpdateAvailable, pollMs: 10_000 } }).powerOn();
    equal(world.ended(world.deploy(image("1.1.0"))).status, "SUCCEEDED");
  });

  it("the answer to a custom job's status", () => {
    let claimed = false;
    const world = new World({
      agent: {
        onCustomJob: (job) => {
          claimed = true;
          job.update("SUCCEEDED", {}, () => {
            throw null;
          });
          return true;
        },
      },
    }).powerOn();
    world.jobs.createJob({ jobId: "custom", document: { operation: "reboot" }, targets: [THING] });
    world.wait(() => claimed);
    equal(world.ended(world.deploy(image("1.1.0"))).status, "SUCCEEDED");
  });

  it("a service that answers in no words: the log line does not fail", () => {
    const world = new World().powerOn();
    world.run(1_000);
    const updates = world.listen("/update");
    const jobId = world.deploy(image("0.9.0"));
    world.intercept.request = ({ operation }) => (operation === "update" ? "drop" : undefined);
    world.wait(() => updates.length > 0);
    const { clientToken } = updates[0];
    for (const odd of [{ toString: 1 }, { toString: null, valueOf: null }, [], null])
      world.inject(`jobs/${jobId}/update/rejected`, { clientToken, code: odd, message: odd });
    world.run(1_000);
    ok(
      world.log.some((line) => line.includes("refused")),
      world.log.join("\n"),
    );
  });
});

describe("callbacks: calls out of them", () => {
  it("init within onState(Stopped) starts the agent again", () => {
    const states: string[] = [];
    const { clock, mqtt, agent } = bench({
      onState: (state) => {
        states.push(state);
        if (state === "Stopped") void agent.init();
      },
    });
    void agent.init();
    clock.run(1_000);
    void agent.shutdown();
    clock.run(1_000);
    deepEqual([agent.state, mqtt.subscriptions.size], ["RequestingJob", 3]);
    const begin = ["Init", "Ready", "RequestingJob"];
    deepEqual(states, [...begin, "ShuttingDown", "Stopped", ...begin]);
  });

  it("shutdown within onState(Init) leaves nothing behind", () => {
    const { time, clock, mqtt, agent } = bench({
      onState: (state) => void (state === "Init" && agent.shutdown()),
    });
    void agent.init();
    clock.run(10 * MINUTE);
    deepEqual(
      [agent.state, mqtt.subscriptions.size, mqtt.observers.size, time.pending],
      ["Stopped", 0, 0, 0],
    );
  });

  it("shutdown within a notice at the start leaves nothing behind", () => {
    const { time, clock, mqtt, pal, agent } = bench({
      onEvent: (event) => void (event.type === "notice" && agent.shutdown()),
    });
    pal.rollbackEnabled = false;
    void agent.init();
    clock.run(10 * MINUTE);
    deepEqual(
      [agent.state, mqtt.subscriptions.size, mqtt.observers.size, time.pending],
      ["Stopped", 0, 0, 0],
    );
  });

  type Call = (agent: OtaAgent) => unknown;
  const calls: Readonly<Record<string, Call>> = {
    init: (agent) => agent.init(),
    "shutdown, init": (agent) => agent.shutdown().then(() => agent.init()),
    "suspend, resume": (agent) => {
      agent.suspend();
      agent.resume();
    },
    checkForUpdate: (agent) => agent.checkForUpdate(),
    "all at once": (agent) => {
      agent.suspend();
      void agent.shutdown();
      void agent.init();
      agent.checkForUpdate();
      agent.resume();
    },
  };
  const events: readonly OtaEvent["type"][] = [
    ...(["received-job", "image", "progress", "activate", "start-test", "update-complete"] as const),
    ...(["status", "no-active-job", "fail", "self-test-failed"] as const),
  ];
  for (const [name, call] of Object.entries(calls))
    for (const type of events)
      it(`${name} within "${type}": every job ends, and the agent is there for the next`, async () => {
        let done = false;
        const world: World = new World({
          agent: { pollMs: 10_000 },
          onEvent: (event, { agent }, life) => {
            if (event.type === type && !done) {
              done = true;
              void call(agent);
            }
            if (event.type === "activate" && agent.state === "WaitingToActivate") agent.activateNewImage();
            const verdict = type === "self-test-failed" && life === 2 ? "rejected" : "accepted";
            if (event.type === "start-test" && agent.state !== "Stopped") agent.setImageState(verdict);
          },
        }).powerOn();
        const pass = async (ms: number) => {
          for (let at = 0; at < ms; at += 5_000) {
            world.run(5_000);
            // What the application does with a promise.
            for (let i = 0; i < 10; i++) await undefined;
          }
        };
        await pass(5_000);
        const first = world.deploy(image(type === "fail" ? "0.9.0" : "1.1.0"));
        await pass(5 * MINUTE);
        if (world.agent.state === "Stopped") void world.agent.init();
        await pass(5 * MINUTE);
        const expected = type === "fail" || type === "self-test-failed" ? "FAILED" : "SUCCEEDED";
        deepEqual([done, world.execution(first).status], [true, expected]);
        const next = world.deploy(image("2.0.0"));
        await pass(5 * MINUTE);
        equal(world.execution(next).status, "SUCCEEDED");
      });
});

describe("callbacks: what waits", () => {
  it("a wait that is over is forgotten (R8: closures of promises long resolved were kept)", async () => {
    const { clock, mqtt, agent } = bench();
    mqtt.connected = false;
    for (let i = 0; i < 100; i++) {
      void agent.init(1_000);
      clock.run(1_000);
    }
    let cleared = 0;
    const { clear } = clock;
    clock.clear = (timer) => {
      cleared++;
      clear.call(clock, timer);
    };
    mqtt.restore();
    clock.run(10);
    ok(cleared < 20, `${cleared} timers cleared at the first change of state`);
  });
});
