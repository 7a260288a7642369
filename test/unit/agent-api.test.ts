import { OtaAgent, type OtaAgentOptions, OtaError, type OtaEvent, type OtaState } from "../../src/index.js";
import { deepEqual, equal, ok, throws } from "../support/assert.js";
import { FakeMqtt } from "../support/fake-mqtt.js";
import { FakePal } from "../support/fake-pal.js";
import { THING, TracePlayer } from "../support/trace-player.js";
import { VirtualClock } from "../support/virtual-clock.js";

/** What a promise came to after `ms`, or undefined when it is still open. */
async function settled<T>(player: TracePlayer, ms: number, promise: Promise<T>): Promise<T | undefined> {
  let result: T | undefined;
  void promise.then((value) => {
    result = value;
  });
  await player.play(`wait ${ms}`);
  await player.play("wait 0");
  return result;
}

/** An agent in each state that a caller can meet. */
const STATES: Readonly<Partial<Record<OtaState, readonly string[]>>> = Object.freeze({
  Stopped: [],
  Init: ["offline", "start"],
  RequestingJob: ["start"],
  WaitingForJob: ["start", "reply {}"],
  RequestingFileBlock: ["start", "job"],
  WaitingForFileBlock: ["start", "job", "block i=0"],
  WaitingToActivate: ["start", "job size=100", "block i=0 l=100", "accepted"],
  SelfTesting: ["start platform=pending", "job self_test=ready updatedBy=0x01000000", "accepted"],
  Suspended: ["start", "job", "suspend"],
});
const states = Object.keys(STATES) as OtaState[];

async function playerIn(state: OtaState, options: Partial<OtaAgentOptions> = {}): Promise<TracePlayer> {
  const player = new TracePlayer(options);
  await player.playAll(...(STATES[state] ?? []));
  equal(player.agent.state, state, "the state to begin with");
  return player;
}

describe("agent: init", () => {
  it("resolves with the state once the service listens", async () => {
    const player = new TracePlayer();
    equal(await settled(player, 1, player.agent.init(5000)), "RequestingJob");
  });

  it("ends with Init and without an exception when there is no connection in time", async () => {
    const player = new TracePlayer();
    await player.play("offline");
    const init = player.agent.init(5000);
    equal(await settled(player, 4999, init), undefined);
    equal(await settled(player, 1, init), "Init");
  });

  it("goes on trying after the time-out", async () => {
    const player = await playerIn("Init");
    deepEqual(await player.play("online"), ['PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}']);
    equal(player.agent.state, "RequestingJob");
  });

  it("does not wait with a time-out of 0", async () => {
    const player = new TracePlayer();
    equal(await settled(player, 0, player.agent.init()), "Init");
  });

  it("twice changes nothing and gives the state", async () => {
    const player = await playerIn("WaitingForFileBlock");
    const before = player.raw.length;
    equal(await settled(player, 0, player.agent.init(1000)), "WaitingForFileBlock");
    equal(player.raw.length, before);
  });

  it("twice at once resolves both", async () => {
    const player = new TracePlayer();
    const both = Promise.all([player.agent.init(1000), player.agent.init(1000)]);
    deepEqual(await settled(player, 1, both), ["RequestingJob", "RequestingJob"]);
    equal(player.mqtt.json("$next/get").length, 1);
  });

  it("tells of refused topics, and subscribes again later", async () => {
    const player = new TracePlayer();
    player.mqtt.refuse = (filter) =>
      filter.endsWith("notify-next") ? new Error("not authorized") : undefined;
    await player.play("start");
    equal(player.agent.state, "Init");
    const [notice] = player.events as Extract<OtaEvent, { type: "notice" }>[];
    deepEqual([notice.type, notice.error.code], ["notice", "request-job-failed"]);
    ok(notice.error.message.includes("not authorized"), notice.error.message);
    equal(player.mqtt.subscriptions.size, 0, "subscriptions left over");
    player.mqtt.refuse = undefined;
    await player.play("wait 40000");
    equal(player.agent.state, "RequestingJob");
  });

  it("tells once of refused topics, though all are refused", async () => {
    const player = new TracePlayer();
    player.mqtt.refuse = () => new Error("not authorized");
    await player.play("start");
    equal(player.events.length, 1);
    await player.play("wait 30000");
    equal(player.events.length, 2);
  });

  it("fails when the platform cannot tell the state of the running image, and may be tried again", async () => {
    const player = new TracePlayer();
    const { pal } = player;
    pal.getPlatformImageState = () => {
      throw new Error("otadata cannot be read");
    };
    throws(() => player.agent.init(), { message: "otadata" });
    equal(player.agent.state, "Stopped");
    pal.getPlatformImageState = () => "valid";
    await player.play("start");
    equal(player.agent.state, "RequestingJob");
  });

  it("tells when a bad image could not be rolled back", async () => {
    const player = new TracePlayer();
    player.pal.rollbackEnabled = false;
    await player.play("start");
    const [event] = player.events;
    deepEqual(event.type === "notice" && event.error.code, "no-rollback");
  });

  it("tells when nothing can be newer than the running version", async () => {
    const player = new TracePlayer();
    Object.assign(player.pal, {
      ordered: false,
      running: { ...player.pal.running, version: "b52cf2a-dirty" },
    });
    await player.play("start");
    const [event] = player.events;
    const { error } = event as { error: Error };
    deepEqual([event.type, error.message], ["notice", 'the running version "b52cf2a-dirty" has no order']);
  });
});

describe("agent: shutdown", () => {
  for (const state of states)
    it(`in ${state} ends with Stopped and no subscription, observer or timer`, async () => {
      const player = await playerIn(state);
      equal(await settled(player, 0, player.agent.shutdown()), "Stopped");
      equal(player.agent.state, "Stopped");
      equal(player.mqtt.subscriptions.size, 0, "subscriptions");
      equal(player.mqtt.observers.size, 0, "observers");
      const before = player.raw.length;
      await player.play("wait 10000000");
      equal(player.raw.length, before, "traffic afterwards");
    });

  it("keeps what is on flash", async () => {
    const player = await playerIn("WaitingForFileBlock");
    await player.play("shutdown");
    equal(player.pal.calls.at(-1), "abort");
  });

  it("gives a final status the time to arrive", async () => {
    const player = await playerIn("WaitingForFileBlock");
    await player.play("set aborted");
    const shutdown = player.agent.shutdown(3000);
    equal(await settled(player, 100, shutdown), undefined);
    equal(player.agent.state, "ShuttingDown");
    await player.play("accepted");
    equal(await settled(player, 0, shutdown), "Stopped");
  });

  it("does not wait longer for it than it was told", async () => {
    const player = await playerIn("WaitingForFileBlock");
    await player.play("set aborted");
    equal(await settled(player, 3000, player.agent.shutdown(3000)), "Stopped");
  });

  it("does not wait for a status that nothing hangs on", async () => {
    const player = new TracePlayer();
    await player.playAll("start", "job size=100", "block i=0 l=100");
    const shutdown = player.agent.shutdown(3000);
    await player.play("accepted");
    equal(await settled(player, 0, shutdown), "Stopped");
  });

  it("twice resolves both with Stopped", async () => {
    const player = await playerIn("WaitingForJob");
    const both = Promise.all([player.agent.shutdown(), player.agent.shutdown()]);
    deepEqual(await settled(player, 0, both), ["Stopped", "Stopped"]);
  });

  it("is followed by a fresh life on init", async () => {
    const player = await playerIn("WaitingForFileBlock");
    await player.play("shutdown");
    await player.playAll("start", "job size=100", "block i=0 l=100");
    deepEqual(await player.play("accepted"), ["CB Activate jobId=AFR_OTA-job1"]);
  });

  it("of a stopped agent says nothing", async () => {
    const heard: OtaState[] = [];
    const player = new TracePlayer({ onState: (state) => heard.push(state) });
    equal(await settled(player, 0, player.agent.shutdown()), "Stopped");
    deepEqual(heard, []);
  });

  it("does not swallow the restart of a roll-back", async () => {
    const player = await playerIn("SelfTesting");
    player.act("set rejected");
    const shutdown = player.agent.shutdown();
    equal(await settled(player, 4999, shutdown), undefined);
    equal(await settled(player, 1, shutdown), "Stopped");
    equal(player.pal.calls.at(-1), "reset");
  });

  it("and init at once begin the next life after the end of the first", async () => {
    const player = await playerIn("WaitingForJob");
    const shutdown = player.agent.shutdown();
    equal(await settled(player, 0, shutdown), "Stopped");
    equal(await settled(player, 10, player.agent.init(1000)), "RequestingJob");
  });
});

describe("agent: check for update", () => {
  const RESULTS: Readonly<Partial<Record<OtaState, string>>> = {
    Stopped: "stopped",
    Init: "requested",
    RequestingJob: "requested",
    WaitingForJob: "requested",
    RequestingFileBlock: "refreshing",
    WaitingForFileBlock: "refreshing",
    WaitingToActivate: "refreshing",
    SelfTesting: "refreshing",
    Suspended: "suspended",
  };
  for (const state of states)
    it(`in ${state}: "${RESULTS[state]}", and the queue is looked at if so`, async () => {
      const player = await playerIn(state);
      const before = player.mqtt.json("$next/get").length;
      equal(player.agent.checkForUpdate(), RESULTS[state]);
      await player.play("wait 0");
      const asked = player.mqtt.json("$next/get").length - before;
      equal(asked, ["Stopped", "Init", "Suspended"].includes(state) ? 0 : 1);
    });

  it("in Init is answered as soon as there is a connection", async () => {
    const player = await playerIn("Init");
    player.agent.checkForUpdate();
    await player.play("online");
    equal(player.mqtt.json("$next/get").length, 1);
  });

  it("does not disturb a transfer", async () => {
    const player = await playerIn("WaitingForFileBlock");
    await player.play("check");
    deepEqual(await player.play("job"), []);
    equal(player.agent.state, "WaitingForFileBlock");
    await player.playAll("block i=1", "block i=2 l=808");
    deepEqual(await player.play("accepted"), ["CB Activate jobId=AFR_OTA-job1"]);
  });
});

describe("agent: suspend and resume", () => {
  for (const state of states.filter((name) => name !== "Stopped"))
    it(`suspend in ${state}: Suspended, and silent`, async () => {
      const player = await playerIn(state);
      await player.play("suspend");
      equal(player.agent.state, "Suspended");
      const before = player.raw.length;
      await player.playAll("notify id=AFR_OTA-job2", "block i=1");
      if (state !== "SelfTesting") await player.play("wait 7200000");
      deepEqual(player.raw.slice(before), []);
    });

  for (const state of states.filter((name) => name !== "Suspended" && name !== "Stopped"))
    it(`resume in ${state}, which is not suspended, means nothing`, async () => {
      const player = await playerIn(state);
      const before = player.raw.length;
      await player.play("resume");
      deepEqual([player.agent.state, player.raw.length], [state, before]);
    });

  for (const state of states.filter((name) => name !== "Stopped"))
    it(`from ${state} through suspend and resume, an update still succeeds`, async () => {
      const player = await playerIn(state);
      const size = state === "WaitingToActivate" ? "size=100" : "";
      await player.playAll("suspend", "online", "resume");
      equal(player.agent.state, "RequestingJob");
      if (state === "SelfTesting") {
        await player.play("job self_test=ready updatedBy=0x01000000");
        equal(player.agent.state, "SelfTesting");
        await player.playAll("set accepted");
        deepEqual(player.mqtt.json("/update").at(-1).status, "SUCCEEDED");
        return;
      }
      await player.playAll(`job ${size}`);
      if (state !== "WaitingToActivate")
        await player.playAll("block i=0", "block i=1", "block i=2 l=808", "accepted");
      equal(player.agent.state, "WaitingToActivate");
      await player.play("activate");
      equal(player.pal.restarts, 1);
    });

  it("an image accepted while suspended has its job reported after the pause", async () => {
    const player = await playerIn("SelfTesting");
    await player.playAll("suspend", "set accepted");
    equal(player.agent.imageState, "accepted");
    await player.playAll("resume", "job self_test=ready updatedBy=0x01000000");
    equal(player.mqtt.json("/update").at(-1).status, "SUCCEEDED");
    ok(!player.pal.calls.some((call) => call.startsWith("create")), "no transfer begins");
  });

  it("the deadline of an image on trial runs on", async () => {
    const player = await playerIn("SelfTesting", { selfTestTimeoutMs: 20_000 });
    await player.playAll("suspend", "wait 30000");
    equal(player.pal.restarts, 1);
  });

  it("a fresh document after the pause is followed", async () => {
    const player = await playerIn("Suspended");
    await player.play("resume");
    const lines = await player.play("job stream=AFR_OTA-NEW");
    ok(
      lines.some((line) => line.startsWith("PUB q0 streams/AFR_OTA-NEW/get/cbor")),
      lines.join("\n"),
    );
  });

  it("a verified image is offered for activation once more", async () => {
    const player = await playerIn("WaitingToActivate");
    await player.playAll("suspend", "resume");
    deepEqual(await player.play("job size=100"), ["CB Activate jobId=AFR_OTA-job1"]);
  });

  it("a job that is over after the pause is given up, told, and followed by the next", async () => {
    const player = await playerIn("Suspended");
    await player.play("resume");
    const lines = await player.play("job id=AFR_OTA-job2");
    deepEqual(lines.slice(0, 4), [
      "UNSUB streams/AFR_OTA-XYZ/data/cbor",
      "PAL.abort",
      "CB Fail jobId=AFR_OTA-job1",
      "CB ReceivedJob jobId=AFR_OTA-job2",
    ]);
  });

  it("verification under way is done again after the pause", async () => {
    const player = await playerIn("WaitingForFileBlock");
    await player.play("block i=1");
    player.act("block i=2 l=808");
    equal(player.agent.state, "ClosingFile");
    player.act("suspend");
    player.pal.sectors.add(0).add(1).add(2);
    await player.playAll("wait 0", "resume", "job");
    const closed = player.pal.calls.filter((call) => call === "close" || call.startsWith("create"));
    deepEqual(closed, ["create size=9000", "close", "create size=9000", "close"]);
    deepEqual(await player.play("accepted"), ["CB Activate jobId=AFR_OTA-job1"]);
  });
});

describe("agent: what happens while suspended is not lost", () => {
  it("a file that is complete already", async () => {
    const player = new TracePlayer({
      onState: (state) => {
        if (state === "RequestingFileBlock") player.agent.suspend();
      },
    });
    player.pal.sectors.add(0).add(1).add(2);
    await player.playAll("start", "job", "resume", "job", "accepted");
    equal(player.agent.state, "WaitingToActivate");
  });

  it("a deadline that passes", async () => {
    const player = await playerIn("WaitingForFileBlock", { totalDeadlineMs: 60_000 });
    await player.playAll("offline", "suspend", "wait 100000", "online", "resume", "job", "wait 1");
    const { status, statusDetails } = player.mqtt.json("/update").at(-1);
    deepEqual([status, statusDetails.code], ["FAILED", "too-slow"]);
    await player.playAll("accepted", "reply {}");
    equal(player.agent.state, "WaitingForJob");
  });

  it("a stream that is refused for good", async () => {
    const player = new TracePlayer();
    player.mqtt.refuse = (filter) => (filter.includes("/streams/") ? new Error("not authorized") : undefined);
    await player.play("start");
    player.act("job");
    player.clock.time.step();
    player.act("suspend");
    await player.playAll("wait 1000", "resume", "job", "wait 1000");
    equal(player.mqtt.json("/update").at(-1)?.statusDetails.code, "stream-refused");
  });
});

describe("agent: misuse", () => {
  const THROWS = { type: OtaError };

  it("suspend, resume and setImageState of a stopped agent are errors", () => {
    const { agent } = new TracePlayer();
    for (const action of [
      () => agent.suspend(),
      () => agent.resume(),
      () => agent.setImageState("accepted"),
      () => agent.setImageState("rejected"),
    ])
      throws(action, { ...THROWS, code: "uninitialized" });
  });

  for (const state of states.filter((name) => name !== "WaitingToActivate"))
    it(`activateNewImage in ${state} is an error`, async () => {
      const player = await playerIn(state);
      throws(() => player.agent.activateNewImage(), { ...THROWS, code: "no-active-job" });
      equal(player.pal.restarts, 0);
    });

  it("activateNewImage before the service knows of the image is an error", async () => {
    const player = new TracePlayer();
    await player.playAll("start", "job size=100", "block i=0 l=100");
    throws(() => player.agent.activateNewImage(), { ...THROWS, code: "no-active-job" });
  });

  it("activateNewImage twice within one callback activates once", async () => {
    const player = new TracePlayer({
      onEvent: (event) => {
        if (event.type !== "activate") return;
        player.agent.activateNewImage();
        player.agent.activateNewImage();
      },
    });
    await player.playAll("start", "job size=100", "block i=0 l=100", "accepted");
    deepEqual(
      player.pal.calls.filter((call) => call === "activate"),
      ["activate"],
    );
  });

  it("an activation that fails ends the job, and the agent goes on", async () => {
    const player = await playerIn("WaitingToActivate");
    await player.playAll("fail activate activate-failed activate", "activate");
    const { status, statusDetails } = player.mqtt.json("/update").at(-1);
    deepEqual([status, statusDetails.code, player.pal.restarts], ["FAILED", "activate-failed", 0]);
    await player.playAll("accepted", "job id=AFR_OTA-job2");
    equal(player.agent.state, "RequestingFileBlock");
  });

  it("activateNewImage twice activates once", async () => {
    const player = await playerIn("WaitingToActivate");
    player.agent.activateNewImage();
    throws(() => player.agent.activateNewImage(), { ...THROWS, code: "no-active-job" });
    await player.play("wait 0");
    deepEqual(
      player.pal.calls.filter((call) => call === "activate"),
      ["activate"],
    );
  });

  for (const state of ["unknown", "testing", "nonsense"])
    it(`setImageState("${state}") is an error`, async () => {
      const player = await playerIn("WaitingForJob");
      throws(() => player.agent.setImageState(state as "testing"), { ...THROWS, code: "bad-image-state" });
    });

  it("setImageState(aborted) without an update is an error", async () => {
    const player = await playerIn("WaitingForJob");
    throws(() => player.agent.setImageState("aborted"), { ...THROWS, code: "no-active-job" });
  });

  it("setImageState(aborted) twice aborts once", async () => {
    const player = new TracePlayer({
      onEvent: (event) => {
        if (event.type !== "received-job") return;
        player.agent.setImageState("aborted");
        player.agent.setImageState("aborted");
      },
    });
    await player.playAll("start", "job");
    equal(player.mqtt.json("/update").length, 1);
    equal(player.agent.state, "WaitingForJob");
  });

  it("setImageState(rejected) of an image that is not on trial is an error", async () => {
    const player = await playerIn("WaitingForJob");
    throws(() => player.agent.setImageState("rejected"), { ...THROWS, code: "image-state-mismatch" });
    deepEqual([player.pal.restarts, player.pal.calls], [0, []]);
  });

  it("setImageState(accepted) of an image that is not on trial confirms it once more", async () => {
    const player = await playerIn("WaitingForJob");
    await player.play("set accepted");
    deepEqual(player.pal.calls, ["setImageState 2"]);
    deepEqual([player.agent.state, player.agent.imageState], ["WaitingForJob", "unknown"]);
  });
});

describe("agent: the end of a trial", () => {
  it("is final: a rejected image cannot be accepted while its last status is under way", async () => {
    const player = await playerIn("SelfTesting");
    await player.playAll("set rejected", "set accepted", "set rejected", "wait 5000");
    deepEqual(player.pal.calls, ["setImageState 3", "abort", "reset"]);
  });

  it("waits no longer than 5 s for its last status", async () => {
    const player = await playerIn("SelfTesting");
    await player.playAll("set rejected", "wait 4999");
    equal(player.pal.restarts, 0);
    await player.play("wait 1");
    equal(player.pal.restarts, 1);
    await player.play("wait 100000");
    equal(player.pal.restarts, 1);
  });

  it("that cannot be recorded is told, and the device restarts all the same", async () => {
    const player = await playerIn("SelfTesting");
    await player.playAll("fail setImageState reject-failed self-test", "set rejected", "accepted");
    ok(player.events.some((event) => event.type === "notice" && event.error.code === "reject-failed"));
    equal(player.pal.restarts, 1);
  });

  it("is remembered: a later job that fails says nothing about the running image", async () => {
    const player = await playerIn("SelfTesting");
    await player.playAll("set accepted", "accepted", "job id=AFR_OTA-job2", "set aborted");
    equal(player.agent.imageState, "accepted");
  });
});

describe("agent: the end of a trial without a connection", () => {
  it("is a stopped agent and a restart, at once", async () => {
    const player = new TracePlayer();
    await player.playAll("offline", "start platform=pending", "set rejected");
    deepEqual([player.agent.state, player.agent.imageState], ["Stopped", "rejected"]);
    deepEqual(player.pal.calls, ["setImageState 3", "reset"]);
  });
});

describe("agent: image state", () => {
  it("is unknown before anything happened", () => {
    equal(new TracePlayer().agent.imageState, "unknown");
  });

  it("is testing while the platform says so, then accepted", async () => {
    const player = await playerIn("SelfTesting");
    equal(player.agent.imageState, "testing");
    await player.play("set accepted");
    equal(player.agent.imageState, "accepted");
  });

  it("is aborted after an abort, rejected after a failure", async () => {
    const player = await playerIn("WaitingForFileBlock");
    await player.play("set aborted");
    equal(player.agent.imageState, "aborted");
    await player.playAll(
      "accepted",
      "job id=AFR_OTA-job2 size=100",
      "fail close signature-check verify",
      "block i=0 l=100",
    );
    equal(player.agent.imageState, "rejected");
  });
});

describe("agent: callbacks", () => {
  function bare(options: Partial<OtaAgentOptions> = {}): TracePlayer {
    return new TracePlayer({ onEvent: undefined, ...options });
  }

  it("without a callback a verified image is activated", async () => {
    const player = bare();
    await player.playAll("start", "job size=100", "block i=0 l=100", "accepted");
    equal(player.pal.restarts, 1);
  });

  it("without a callback an image on trial is accepted", async () => {
    const player = bare();
    await player.playAll("start platform=pending", "job self_test=ready updatedBy=0x01000000", "accepted");
    equal(player.agent.imageState, "accepted");
    equal(player.mqtt.json("/update").at(-1).status, "SUCCEEDED");
  });

  it("without a callback a failure is ignored", async () => {
    const player = bare();
    await player.playAll("start", "job size=0", "accepted", "reply {}");
    equal(player.agent.state, "WaitingForJob");
  });

  it("a callback that throws at every event does not take the update with it", async () => {
    const player = bare({
      onEvent: (event) => {
        throw new Error(`deliberate, on ${event.type}`);
      },
    });
    await player.playAll("start", "job size=100", "block i=0 l=100", "accepted");
    equal(player.agent.state, "WaitingToActivate");
    ok(
      player.log.some((line) => line.includes("deliberate, on progress")),
      player.log.join("\n"),
    );
    await player.play("activate");
    equal(player.pal.restarts, 1);
  });

  it("a state callback that throws does not take the update with it", async () => {
    const player = bare({
      onState: () => {
        throw new Error("deliberate");
      },
    });
    await player.playAll("start", "job size=100", "block i=0 l=100", "accepted");
    equal(player.pal.restarts, 1);
  });

  it("the state callback hears of every state", async () => {
    const heard: OtaState[] = [];
    const player = bare({ onState: (state) => heard.push(state) });
    await player.playAll("start", "job size=100", "block i=0 l=100", "accepted");
    deepEqual(heard, [
      "Init",
      "Ready",
      "RequestingJob",
      "CreatingFile",
      "RequestingFileBlock",
      "WaitingForFileBlock",
      "ClosingFile",
      "WaitingToActivate",
      "Stopped",
    ]);
  });

  it("calls from within a callback take effect after it", async () => {
    const player = new TracePlayer({
      onEvent: (event) => {
        if (event.type === "received-job") player.agent.suspend();
      },
    });
    await player.playAll("start", "job");
    equal(player.agent.state, "Suspended");
    await player.playAll("resume", "job", "block i=0");
    equal(player.agent.state, "WaitingForFileBlock");
  });

  it("an abort from within a progress callback ends the transfer", async () => {
    const player = new TracePlayer({
      onEvent: (event) => {
        if (event.type === "progress") player.agent.setImageState("aborted");
      },
    });
    await player.playAll("start", "job", "block i=0");
    deepEqual(player.mqtt.json("/update").at(-1).statusDetails.reason, "aborted: 0x00000013");
  });
});

describe("agent: statistics", () => {
  it("are there during a transfer and kept after it", async () => {
    const player = new TracePlayer();
    equal(player.agent.statistics, undefined);
    await player.playAll("start", "job", "block i=0", "block i=0", "block i=1 p=10");
    const { packetsReceived, packetsProcessed, packetsDropped, duplicates, bad } = player.agent.statistics!;
    deepEqual([packetsReceived, packetsProcessed, packetsDropped, duplicates, bad], [3, 1, 2, 1, 1]);
    await player.playAll("block i=1", "block i=2 l=808");
    equal(player.agent.statistics?.packetsProcessed, 3);
    await player.play("shutdown");
    equal(player.agent.statistics?.packetsProcessed, 3, "after shutdown");
  });

  it("begin anew with the next transfer", async () => {
    const player = new TracePlayer();
    await player.playAll("start", "job", "block i=0", "set aborted", "accepted", "job id=AFR_OTA-job2");
    equal(player.agent.statistics?.packetsProcessed, 0);
  });
});

describe("agent: several in one engine", () => {
  it("share a connection without noticing each other", async () => {
    const clock = new VirtualClock();
    const mqtt = new FakeMqtt(clock);
    const agents = ["one", "two"].map((thingName) => {
      const pal = new FakePal(clock);
      return { pal, agent: new OtaAgent({ mqtt, clock, pal, thingName, random: () => 0.5 }) };
    });
    for (const { agent } of agents) void agent.init();
    clock.run(1);
    deepEqual(
      agents.map(({ agent }) => agent.state),
      ["RequestingJob", "RequestingJob"],
    );
    mqtt.deliver("$aws/things/two/jobs/$next/get/accepted", { clientToken: "2147483648:two" });
    deepEqual(
      agents.map(({ agent }) => agent.state),
      ["RequestingJob", "WaitingForJob"],
    );
    await agents[0].agent.shutdown();
    equal(agents[1].agent.state, "WaitingForJob");
  });

  it("a thing's messages do not reach the agent of another", async () => {
    const player = new TracePlayer();
    await player.play("start");
    equal(player.mqtt.deliver(`$aws/things/${THING}2/jobs/$next/get/accepted`, {}), 0);
  });
});

describe("agent: a porting layer of somebody else", () => {
  for (const [call, input, code] of [
    ["createFile", "job", "file-create"],
    ["closeFile", "block i=0 l=100", "file-close"],
    ["activate", "activate", "activate-failed"],
  ] as const) {
    it(`${call} that throws fails the job and leaves the agent alive`, async () => {
      const player = new TracePlayer();
      player.pal[call] = () => {
        throw new Error("deliberate");
      };
      await player.playAll("start", "job size=100", "block i=0 l=100");
      if (call === "activate") await player.playAll("accepted", "activate");
      const { status, statusDetails } = player.mqtt.json("/update").at(-1);
      deepEqual([status, statusDetails.code, statusDetails.message], ["FAILED", code, "deliberate"], input);
      await player.playAll("accepted", "reply {}");
      equal(player.agent.state, "WaitingForJob");
    });

    it(`${call} that calls back with an error of another kind fails the job with a code; it was "undefined"`, async () => {
      const player = new TracePlayer();
      player.pal[call] = (...args: unknown[]) => {
        const done = args.find((argument) => typeof argument === "function") as (error: Error) => void;
        player.clock.set(() => done(new Error("deliberate")), 0);
      };
      await player.playAll("start", "job size=100", "block i=0 l=100");
      if (call === "activate") await player.playAll("accepted", "activate");
      await player.play("wait 0");
      const { status, statusDetails } = player.mqtt.json("/update").at(-1);
      deepEqual([status, statusDetails.code, statusDetails.message], ["FAILED", code, "deliberate"], input);
    });
  }

  it("that cannot tell what runs is asked again: its error reached the connection", async () => {
    const player = new TracePlayer();
    await player.play("start");
    let broken = true;
    Object.defineProperty(player.pal, "rolledBack", {
      get() {
        if (broken) throw new Error("deliberate");
        return true;
      },
    });
    const job = "job self_test=ready updatedBy=0x01000000 image=9.9.9+00000001";
    await player.play(job);
    const told = player.events.at(-1);
    deepEqual([told?.type, told?.type === "notice" && told.error.message], ["notice", "deliberate"]);
    broken = false;
    await player.playAll("wait 40000", job);
    equal(player.mqtt.json("/update").at(-1).statusDetails.code, "rolled-back");
  });

  for (const call of ["createFile", "closeFile"] as const)
    it(`${call} that calls back after the job was given up does no harm`, async () => {
      const player = new TracePlayer();
      const late: (() => void)[] = [];
      const { pal } = player;
      const original = pal[call].bind(pal) as (...args: unknown[]) => void;
      pal[call] = (...args: unknown[]) => {
        const at = args.findIndex((argument) => typeof argument === "function");
        const done = args[at] as (...results: unknown[]) => void;
        original(...args.slice(0, at), (...results: unknown[]) => late.push(() => done(...results)));
      };
      await player.play("start");
      await player.play("job size=100");
      if (call === "closeFile") await player.play("block i=0 l=100");
      await player.playAll("set aborted", "accepted", "job id=AFR_OTA-job2");
      const { state } = player.agent;
      late[0]();
      await player.play("wait 0");
      equal(player.agent.state, state);
    });

  it("closeFile that calls back late does not close the next file", async () => {
    const player = new TracePlayer();
    const late: (() => void)[] = [];
    player.pal.closeFile = (done) => void late.push(() => done(undefined));
    await player.playAll("start", "job size=100", "block i=0 l=100", "set aborted", "accepted");
    await player.playAll("job id=AFR_OTA-job2 size=100", "block i=0 l=100");
    equal(player.agent.state, "ClosingFile");
    late[0]();
    await player.play("wait 0");
    equal(player.agent.state, "ClosingFile");
    late[1]();
    await player.play("wait 0");
    equal(player.agent.state, "WaitingToActivate");
  });

  it("abort that throws is told, and the job ends all the same", async () => {
    const player = await playerIn("WaitingForFileBlock");
    await player.playAll("fail abort abort-failed", "set aborted");
    ok(player.events.some((event) => event.type === "notice" && event.error.code === "abort-failed"));
    equal(player.mqtt.json("/update").at(-1).status, "FAILED");
  });
});
