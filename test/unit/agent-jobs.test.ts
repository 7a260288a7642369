import { type CustomJob, OtaAgent, type OtaAgentOptions, type OtaEvent } from "../../src/index.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { FakeMqtt } from "../support/fake-mqtt.js";
import { FakePal } from "../support/fake-pal.js";
import { TracePlayer } from "../support/trace-player.js";
import { VirtualClock } from "../support/virtual-clock.js";
import { image, THING, World } from "../support/world.js";

async function started(options: Partial<OtaAgentOptions> = {}): Promise<TracePlayer> {
  const player = new TracePlayer(options);
  await player.play("start");
  return player;
}

/** With block 0 of three on flash. */
async function transferring(options: Partial<OtaAgentOptions> = {}): Promise<TracePlayer> {
  const player = await started(options);
  await player.playAll("job", "block i=0");
  return player;
}

/** With a verified image that the service knows of. */
async function verified(options: Partial<OtaAgentOptions> = {}): Promise<TracePlayer> {
  const player = await started(options);
  await player.playAll("job size=100", "block i=0 l=100", "accepted");
  return player;
}

const activates = (event: OtaEvent, { agent }: World) => {
  if (event.type === "activate") agent.activateNewImage();
};

const requests = (player: TracePlayer) => player.mqtt.json("$next/get").length;
const updates = (player: TracePlayer) => player.mqtt.json("/update");
const types = (player: TracePlayer) => player.events.map(({ type }) => type);
const failures = (player: TracePlayer) =>
  player.events.flatMap((event) => (event.type === "fail" ? [event.error.code] : []));

describe("jobs: the request", () => {
  it("carries a token of counter and thing", async () => {
    const player = await started();
    deepEqual(player.mqtt.json("$next/get"), [{ clientToken: "2147483648:thing-1" }]);
    await player.playAll("reply {}", "check");
    deepEqual(player.mqtt.json("$next/get").at(-1), { clientToken: "2147483649:thing-1" });
  });

  it("carries a token that no earlier life had", async () => {
    const tokens = [0.1, 0.9].map((random) => {
      const clock = new VirtualClock();
      const mqtt = new FakeMqtt(clock);
      const pal = new FakePal(clock);
      void new OtaAgent({ mqtt, clock, pal, thingName: "thing-1", random: () => random }).init();
      clock.run(0);
      return mqtt.json("$next/get")[0].clientToken;
    });
    deepEqual(tokens, ["429496729:thing-1", "3865470566:thing-1"]);
  });

  it("carries a token the service takes, however long the thing's name", async () => {
    const clock = new VirtualClock();
    const mqtt = new FakeMqtt(clock);
    const thingName = "t".repeat(128);
    const agent = new OtaAgent({ mqtt, clock, pal: new FakePal(clock), thingName, random: () => 0.5 });
    void agent.init();
    clock.run(0);
    const [{ clientToken }] = mqtt.json("$next/get");
    ok(clientToken.length <= 64 && clientToken.startsWith("2147483648:t"), clientToken);
  });

  it("is repeated when the reply is lost: after 5 s, then 10 s later, 20 s …", async () => {
    const player = await started();
    const times: number[] = [];
    for (let ms = 0; ms < 160_000; ms += 1000) {
      const before = requests(player);
      await player.play("wait 1000");
      if (requests(player) > before) times.push(ms / 1000 + 1);
    }
    deepEqual(times, [5, 15, 35, 75, 155]);
  });

  it("is repeated at least every five minutes", async () => {
    const player = await started();
    await player.play("wait 3600000");
    const before = requests(player);
    await player.play("wait 300000");
    equal(requests(player), before + 1);
  });

  it("is spread by a quarter, so that a fleet does not ask in step", async () => {
    const early = await started({ random: () => 0 });
    await early.play("wait 3750");
    equal(requests(early), 2);
    const late = await started({ random: () => 0.999 });
    await late.play("wait 6240");
    equal(requests(late), 1);
    await late.play("wait 10");
    equal(requests(late), 2);
  });

  it("is answered by a late reply as well as by a timely one", async () => {
    const player = await started();
    await player.playAll("wait 6000", "job");
    equal(player.agent.state, "RequestingFileBlock");
  });

  it("ignores a reply that comes twice", async () => {
    const player = await started();
    await player.playAll("job", "job");
    deepEqual(
      types(player).filter((type) => type === "received-job"),
      ["received-job"],
    );
    await player.playAll("job id=AFR_OTA-job2");
    equal(player.agent.state, "RequestingFileBlock");
    deepEqual(failures(player), []);
  });

  for (const [what, message] of [
    ["another client's token", '{"clientToken":"7:thing-1"}'],
    ["no token", "{}"],
    ["no text in it", "null"],
    ["a token that is no text", '{"clientToken":0}'],
  ])
    it(`ignores a reply with ${what}`, async () => {
      const player = await started();
      await player.play(`message jobs/$next/get/accepted ${message}`);
      equal(player.agent.state, "RequestingJob");
      await player.play("wait 5000");
      equal(requests(player), 2);
    });

  it("ignores a reply longer than any job document", async () => {
    const player = await started();
    await player.play(`reply {"filler":"${"x".repeat(70_000)}"}`);
    equal(player.agent.state, "RequestingJob");
    ok(
      player.log.some((line) => /accepted: message of \d+ bytes ignored$/.test(line)),
      player.log.join(),
    );
  });

  it("ignores messages on topics nobody asked for", async () => {
    const player = await started();
    await player.playAll(
      "message jobs/$next/get/other {}",
      "message jobs/job/update/other {}",
      "message jobs/job/update/accepted not json",
      "message jobs/job/update/accepted 7",
    );
    equal(player.agent.state, "RequestingJob");
  });

  it("goes on after it was throttled", async () => {
    const player = await started();
    await player.play(
      'message jobs/$next/get/rejected {"code":"RequestThrottled","clientToken":"2147483648:thing-1"}',
    );
    ok(
      player.log.some((line) => line.includes("RequestThrottled")),
      player.log.join(),
    );
    await player.play("wait 5000");
    equal(requests(player), 2);
    await player.play("job");
    equal(player.agent.state, "RequestingFileBlock");
  });

  it("is sent at once when the connection is back", async () => {
    const player = await started();
    await player.playAll("wait 70000", "offline", "wait 60000");
    const before = requests(player);
    await player.play("online");
    equal(requests(player), before + 1);
    await player.play("wait 5000");
    equal(requests(player), before + 2, "the back-off begins anew");
  });

  it("is one at a time, however often it is called for", async () => {
    const player = await started();
    await player.playAll("check", "check", "check");
    const before = requests(player);
    await player.play("wait 5000");
    equal(requests(player), before + 1);
    deepEqual(player.mqtt.json("$next/get").at(-1), { clientToken: "2147483651:thing-1" });
  });

  it("is not sent without a connection", async () => {
    const player = await started();
    await player.playAll("offline", "wait 600000");
    equal(requests(player), 1);
  });

  it("is refused in the log, unless the refusal is another client's", async () => {
    const player = await started();
    await player.play('message jobs/$next/get/rejected {"code":"InvalidJson","clientToken":"7:other"}');
    deepEqual(player.log, []);
    await player.play(
      'message jobs/$next/get/rejected {"code":"InvalidJson","clientToken":"2147483648:thing-1"}',
    );
    equal(player.log.length, 1);
  });

  it("is sent again an hour later when nothing was there, without a notification", async () => {
    const player = await started();
    await player.playAll("reply {}", "wait 3599000");
    equal(requests(player), 1);
    await player.play("wait 1000");
    equal(requests(player), 2);
  });

  it("takes a notification for an answer", async () => {
    const player = await started();
    await player.play("notify");
    equal(player.agent.state, "RequestingFileBlock");
    await player.play("job");
    deepEqual(
      types(player).filter((type) => type === "received-job"),
      ["received-job"],
    );
  });
});

describe("jobs: a status that must arrive", () => {
  it("names job, execution and token", async () => {
    const player = await started();
    await player.playAll("job execution=3", "set aborted");
    const { executionNumber, clientToken, status } = updates(player).at(-1);
    deepEqual(
      { executionNumber, clientToken, status },
      { executionNumber: 3, clientToken: "2147483649:thing-1", status: "FAILED" },
    );
  });

  it("is repeated until it is answered, the same each time", async () => {
    const player = await transferring();
    await player.play("set aborted");
    const before = updates(player).length;
    await player.play("wait 36000");
    const sent = updates(player).slice(before - 1);
    equal(sent.length, 4);
    for (const each of sent) deepEqual(each, sent[0]);
    await player.play("accepted");
    await player.play("wait 1000000");
    equal(updates(player).length, before + 3);
  });

  it("is repeated over a disconnection", async () => {
    const player = await transferring();
    await player.playAll("set aborted", "offline", "wait 100000");
    const before = updates(player).length;
    await player.play("online");
    equal(updates(player).length, before + 1);
    equal(updates(player).at(-1).status, "FAILED");
    await player.play("accepted");
    equal(player.agent.state, "RequestingJob");
  });

  it("is repeated when the service is busy", async () => {
    for (const code of ["RequestThrottled", "InternalError"]) {
      const player = await transferring();
      await player.playAll("set aborted", `rejected ${code}`);
      const before = updates(player).length;
      await player.play("wait 5000");
      equal(updates(player).length, before + 1, code);
    }
  });

  it("is not answered by a reply to something else", async () => {
    const player = await transferring();
    await player.play("set aborted");
    const before = updates(player).length;
    await player.playAll(
      'message jobs/AFR_OTA-job1/update/accepted {"clientToken":"99:thing-1"}',
      'message jobs/AFR_OTA-other/update/accepted {"clientToken":"2:thing-1"}',
      'message jobs/AFR_OTA-job1/update/accepted/more {"clientToken":"2:thing-1"}',
      "wait 5000",
    );
    equal(updates(player).length, before + 1);
  });

  it("is not sent without a connection", async () => {
    const player = await transferring();
    await player.playAll("offline", "set aborted", "wait 600000");
    equal(updates(player).length, 1, "the progress report before");
  });

  it("is sent once, though another one waits behind it", async () => {
    const player = await transferring();
    await player.playAll("set aborted", "notify id=AFR_OTA-job2 size=0");
    deepEqual(
      updates(player).map(({ status, statusDetails }) => statusDetails.code ?? status),
      ["IN_PROGRESS", "user-abort"],
    );
    await player.play("accepted");
    equal(updates(player).at(-1).statusDetails.code, "job-parser");
    equal(updates(player).length, 3);
  });

  it("is repeated at its own time, though the one before was repeated", async () => {
    const player = await transferring();
    await player.playAll("set aborted", "notify id=AFR_OTA-job2 size=0", "wait 4000", "accepted");
    equal(updates(player).length, 3);
    await player.play("wait 4900");
    equal(updates(player).length, 3);
    await player.play("wait 100");
    equal(updates(player).length, 4);
  });

  for (const garbage of ["not json", "null", "7", '"x"', "[]"])
    it(`is not answered by ${garbage}`, async () => {
      const player = await transferring();
      await player.play("set aborted");
      await player.playAll(
        `message jobs/AFR_OTA-job1/update/rejected ${garbage}`,
        `message jobs/AFR_OTA-job1/update/accepted ${garbage}`,
        "wait 5000",
      );
      equal(updates(player).length, 3);
    });

  it("has arrived when the service says that the execution is so already", async () => {
    const player = await transferring();
    await player.playAll("set aborted", "rejected InvalidStateTransition is=FAILED");
    const [status] = player.events.filter((event) => event.type === "status");
    equal(status.type === "status" && status.result, "accepted");
    equal(player.agent.state, "RequestingJob");
  });

  for (const code of ["ResourceNotFound", "TerminalStateReached", "VersionMismatch"])
    it(`ends with ${code}: the execution is over`, async () => {
      const player = await transferring();
      await player.playAll("set aborted", `rejected ${code} is=CANCELED`);
      const status = player.events.find((event) => event.type === "status");
      equal(status?.type === "status" && status.result, "gone");
      equal(player.agent.state, "RequestingJob");
    });

  it("refused is repeated in the agent's own words, then without any: the job would stay in front otherwise", async () => {
    const player = await transferring();
    await player.playAll("set aborted", "rejected InvalidRequest", "rejected InvalidRequest", "accepted");
    const [full, bare, none] = updates(player)
      .filter(({ status }) => status === "FAILED")
      .map(({ statusDetails }) => statusDetails && Object.keys(statusDetails).join());
    deepEqual([full, bare, none], ["reason,code,message", "reason,code", undefined]);
    const status = player.events.find((event) => event.type === "status");
    equal(status?.type === "status" && status.result, "accepted");
  });

  it("refused for good is told, and the job not asked for again at once", async () => {
    const player = await transferring();
    await player.play("set aborted");
    const before = requests(player);
    await player.playAll("rejected InvalidRequest", "rejected InvalidRequest", "rejected InvalidRequest");
    const status = player.events.find((event) => event.type === "status");
    equal(status?.type === "status" && status.result, "refused");
    await player.play("wait 3599000");
    equal(requests(player), before);
    await player.play("wait 1000");
    equal(requests(player), before + 1);
  });

  it("keeps an image from being activated while the service does not know of it", async () => {
    const player = await started();
    await player.playAll("job size=100", "block i=0 l=100", "wait 100000");
    ok(!types(player).includes("activate"));
    await player.play("accepted");
    ok(types(player).includes("activate"));
  });

  it("keeps an image from being activated when the service refuses it", async () => {
    const player = await started();
    await player.playAll("job size=100", "block i=0 l=100", "rejected InvalidRequest");
    deepEqual(failures(player), ["activate-failed"]);
    equal(updates(player).at(-1).status, "FAILED");
  });
});

describe("jobs: statuses that have lost their point", () => {
  it("ready is not repeated while suspended: it is verified and reported anew", async () => {
    const player = await started();
    await player.playAll("job size=100", "block i=0 l=100");
    equal(updates(player).at(-1).statusDetails.self_test, "ready");
    await player.play("suspend");
    const before = updates(player).length;
    await player.play("wait 100000");
    equal(updates(player).length, before);
    await player.playAll("resume", "job size=100", "wait 1", "block i=0 l=100");
    equal(updates(player).at(-1).statusDetails.self_test, "ready");
    equal(updates(player).length, before + 1);
  });

  it("active gives way to the end of the self-test, which must not wait behind it", () => {
    const world = new World({ onEvent: activates }).powerOn();
    const reports = world.listen("/update");
    world.deploy(image("1.1.0"));
    world.wait(() => world.boots.length === 2);
    world.intercept.request = ({ operation }) => (operation === "update" ? "drop" : undefined);
    world.until("start-test");
    world.agent.setImageState("rejected");
    world.run(1_000);
    deepEqual(
      reports.slice(-2).map(({ status, statusDetails }) => [status, statusDetails.self_test]),
      [
        ["IN_PROGRESS", "active"],
        ["FAILED", undefined],
      ],
    );
  });

  it("a pause keeps what the application reports of a job of its own (it was dropped with the update's)", () => {
    let custom: CustomJob | undefined;
    const onCustomJob = (job: CustomJob) => {
      custom = job;
      return true;
    };
    const world = new World({ agent: { onCustomJob } }).powerOn();
    world.jobs.createJob({ jobId: "custom", document: { operation: "reboot" }, targets: [THING] });
    world.wait(() => custom !== undefined);
    custom?.update("IN_PROGRESS", { step: "1" });
    world.run(1_000);
    const jobId = world.deploy(image("1.1.0"));
    let silent = false;
    world.intercept.request = ({ operation }) => (silent && operation === "update" ? "drop" : undefined);
    const results: string[] = [];
    custom?.update("SUCCEEDED", {}, (result) => results.push(result));
    world.until("activate");
    silent = true;
    world.agent.suspend();
    world.run(100);
    silent = false;
    world.agent.resume();
    equal(world.ended(jobId).status, "SUCCEEDED");
    deepEqual([results, world.execution("custom").status], [["accepted"], "SUCCEEDED"]);
  });

  it("statuses of the application's own jobs wait in a row that has an end: it grew with every call", () => {
    let custom: CustomJob | undefined;
    const onCustomJob = (job: CustomJob) => {
      custom = job;
      return true;
    };
    const world = new World({ agent: { onCustomJob } }).powerOn();
    world.jobs.createJob({ jobId: "custom", document: { operation: "reboot" }, targets: [THING] });
    world.wait(() => custom !== undefined);
    let silent = true;
    world.intercept.request = ({ operation }) => (silent && operation === "update" ? "drop" : undefined);
    const results: string[] = [];
    for (let step = 0; step < 1_000; step++)
      custom?.update("IN_PROGRESS", { step: `${step}` }, (result) => results.push(result));
    custom?.update("SUCCEEDED", {}, (result) => results.push(`the end ${result}`));
    deepEqual(results, [], "told within the call");
    world.run(1_000);
    equal(results.filter((result) => result === "refused").length, 992);
    silent = false;
    world.run(600_000);
    deepEqual(
      [results.length, results.at(-1), world.execution("custom").status],
      [1001, "the end accepted", "SUCCEEDED"],
    );
    // There is room again.
    world.jobs.createJob({ jobId: "custom-2", document: { operation: "reboot" }, targets: [THING] });
    world.wait(() => custom?.jobId === "custom-2");
    custom?.update("SUCCEEDED", {});
    world.run(1_000);
    equal(world.execution("custom-2").status, "SUCCEEDED");
  });

  it("a flood of notifications about another job asks once, and queues nothing", async () => {
    const player = await transferring();
    const before = player.mqtt.sent.length;
    for (let i = 0; i < 200; i++) await player.play("notify id=AFR_OTA-job2");
    equal(player.mqtt.sent.length, before + 1);
    await player.play("accepted");
    equal(player.mqtt.sent.length, before + 1, "nothing waited behind it");
  });

  it("of an earlier attempt of the job at hand changes nothing; the answer to a question does", async () => {
    const player = await started({ statusInterval: 1 });
    await player.play("job execution=2 size=50000");
    await player.playAll("notify execution=1 size=50000", "notify execution=1 size=9000", "block i=0");
    const [last] = updates(player).slice(-1);
    equal(last.executionNumber, 2);
    // Deleted and made anew under its name, it counts from one.
    await player.playAll("job execution=1 size=50000", "block i=1", "block i=2");
    equal(updates(player).at(-1).executionNumber, 1);
  });

  it("a flood of notifications while an image is on trial asks once", () => {
    const world = new World({ onEvent: activates }).powerOn();
    const jobId = world.deploy(image("1.1.0"));
    world.until("start-test");
    world.run(1_000);
    const asked = world.listen("/update");
    for (let i = 0; i < 200; i++) world.inject("jobs/notify-next", { timestamp: i });
    world.run(50);
    equal(asked.length, 1);
    world.agent.setImageState("accepted");
    equal(world.ended(jobId).status, "SUCCEEDED");
  });
});

describe("jobs: progress", () => {
  it("is told of the first block, and then every so many", async () => {
    const player = await started({ statusInterval: 4 });
    await player.play("job size=50000");
    for (let i = 0; i < 12; i++) await player.play(`block i=${i}`);
    deepEqual(
      updates(player).map(({ statusDetails }) => statusDetails.receive),
      ["1/13", "5/13", "9/13"],
    );
  });

  it("is never waited for", async () => {
    const player = await transferring();
    await player.play("wait 4000");
    equal(updates(player).length, 1);
  });

  it("that is refused since the job is over ends the transfer", async () => {
    const player = await transferring();
    const lines = await player.play("rejected TerminalStateReached is=CANCELED");
    deepEqual(lines, [
      "UNSUB streams/AFR_OTA-XYZ/data/cbor",
      "PAL.abort",
      "CB Fail jobId=AFR_OTA-job1",
      'PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}',
    ]);
    deepEqual(failures(player), ["cancelled"]);
  });

  it("of another job, or another report, that is refused does not matter", async () => {
    const player = await transferring();
    for (const [job, token] of [
      ["AFR_OTA-job1", "77:thing-1"],
      ["AFR_OTA-job2", "2147483649:thing-1"],
    ])
      await player.play(
        `message jobs/${job}/update/rejected {"code":"TerminalStateReached","clientToken":"${token}"}`,
      );
    await player.play("accepted");
    equal(player.agent.state, "WaitingForFileBlock");
  });

  it("that is refused for another reason does not matter", async () => {
    const player = await transferring();
    await player.play("rejected RequestThrottled");
    equal(player.agent.state, "WaitingForFileBlock");
  });
});

describe("jobs: cancelled", () => {
  const gone = ["notify empty", "rejected InvalidStateTransition is=CANCELED"];

  it("during a transfer", async () => {
    const player = await transferring();
    await player.playAll(...gone);
    deepEqual([player.agent.state, failures(player)], ["RequestingJob", ["cancelled"]]);
    equal(player.pal.calls.at(-1), "abort discard");
  });

  it("between last block and close", async () => {
    const player = await transferring();
    await player.play("block i=1");
    player.act("block i=2 l=808");
    equal(player.agent.state, "ClosingFile");
    player.act("notify empty");
    player.act("rejected InvalidStateTransition is=CANCELED");
    await player.play("wait 0");
    deepEqual([player.agent.state, failures(player)], ["RequestingJob", ["cancelled"]]);
    ok(!types(player).includes("activate"));
  });

  it("while the status of the verified image is under way", async () => {
    const player = await started();
    await player.playAll("job size=100", "block i=0 l=100", "rejected TerminalStateReached is=CANCELED");
    deepEqual([player.agent.state, failures(player)], ["RequestingJob", ["cancelled"]]);
    ok(!types(player).includes("activate"));
  });

  it("while waiting to activate", async () => {
    const player = await verified();
    await player.playAll(...gone);
    deepEqual([player.agent.state, failures(player)], ["RequestingJob", ["cancelled"]]);
    equal(player.pal.restarts, 0);
  });

  it("while waiting to activate: the question to the service keeps the words a later life needs", async () => {
    const player = await verified();
    await player.play("notify empty");
    const { status, statusDetails } = updates(player).at(-1);
    deepEqual(
      [status, statusDetails.self_test, statusDetails.image],
      ["IN_PROGRESS", "ready", "1.0.2+22222222"],
    );
  });

  it("during the self-test: the device goes back to the old image", async () => {
    const player = new TracePlayer();
    await player.playAll("start platform=pending", "job self_test=ready updatedBy=0x01000000", "accepted");
    await player.playAll(...gone, "wait 5000");
    deepEqual(player.pal.calls, ["setImageState 3", "abort", "reset"]);
    equal(player.agent.imageState, "rejected");
  });

  it("while suspended: nothing is asked for until the pause is over", async () => {
    const player = await transferring();
    await player.playAll("suspend");
    const before = requests(player);
    await player.play("rejected TerminalStateReached is=CANCELED");
    deepEqual([player.agent.state, failures(player), requests(player)], ["Suspended", ["cancelled"], before]);
    await player.playAll("resume", "reply {}");
    equal(player.agent.state, "WaitingForJob");
  });

  it("news of a job before do not touch the present one", async () => {
    const player = await transferring();
    await player.playAll("set aborted", "accepted", "job id=AFR_OTA-job2");
    await player.play(
      'message jobs/AFR_OTA-job1/update/rejected {"code":"TerminalStateReached","clientToken":"2147483649:thing-1"}',
    );
    equal(player.agent.state, "RequestingFileBlock");
  });

  it("while offline: noticed when the connection is back", async () => {
    const player = await transferring();
    await player.playAll("offline", "wait 60000", "online", "notify empty", "rejected ResourceNotFound");
    deepEqual(failures(player), ["cancelled"]);
  });

  it("and the next job begins from scratch", async () => {
    const player = await transferring();
    await player.playAll(
      ...gone,
      "job id=AFR_OTA-job2",
      "block i=0",
      "block i=1",
      "block i=2 l=808",
      "accepted",
    );
    equal(player.agent.state, "WaitingToActivate");
    equal(updates(player).at(-1).status, "IN_PROGRESS");
  });
});

describe("jobs: other documents during a transfer", () => {
  for (const [what, input] of [
    ["another OTA job", "notify id=AFR_OTA-job2"],
    ["an empty queue", "notify empty"],
    ["a custom job", 'message jobs/notify-next {"execution":{"jobId":"j","jobDocument":{}}}'],
    ["an invalid job", "notify id=AFR_OTA-job2 size=0"],
    ["garbage", "message jobs/notify-next {{{"],
  ])
    it(`${what}: the service is asked, and the transfer goes on when it wants it`, async () => {
      const player = await transferring();
      const before = updates(player).length;
      await player.play(input);
      equal(updates(player).length, before + 1);
      await player.playAll("accepted", "block i=1", "block i=2 l=808", "accepted");
      deepEqual([player.agent.state, failures(player)], ["WaitingToActivate", []]);
    });

  it("during the self-test: the question to the service keeps the words a later life needs", async () => {
    const player = new TracePlayer();
    await player.playAll("start platform=pending", "job self_test=ready updatedBy=0x01000000", "accepted");
    await player.play("notify id=AFR_OTA-job2");
    const { status, statusDetails } = updates(player).at(-1);
    deepEqual(
      [status, statusDetails.self_test, statusDetails.image],
      ["IN_PROGRESS", "active", "1.0.1+11111111"],
    );
    await player.playAll("accepted", "set accepted");
    equal(updates(player).at(-1).status, "SUCCEEDED");
  });

  it("the same job again: a fresh document, nothing else", async () => {
    const player = await transferring();
    deepEqual(await player.play("notify"), []);
    equal(player.agent.state, "WaitingForFileBlock");
  });

  it("the same job as another attempt: reports count for that one", async () => {
    const player = await transferring();
    await player.playAll("notify execution=2", "block i=1", "block i=2 l=808");
    equal(updates(player).at(-1).executionNumber, 2);
    await player.play("accepted");
    equal(player.agent.state, "WaitingToActivate");
  });

  it("the same job with another stream: the transfer moves there", async () => {
    const player = await transferring();
    const lines = await player.play("notify stream=AFR_OTA-NEW");
    ok(lines.includes("SUB q0 streams/AFR_OTA-NEW/data/cbor"), lines.join("\n"));
    ok(lines.includes("UNSUB streams/AFR_OTA-XYZ/data/cbor"), lines.join("\n"));
    equal(player.agent.state, "WaitingForFileBlock");
  });

  it("the same job id with another file: a new update", async () => {
    const player = await transferring();
    const lines = await player.play("notify size=50000");
    deepEqual(failures(player), ["cancelled"]);
    deepEqual(lines.slice(0, 5), [
      "UNSUB streams/AFR_OTA-XYZ/data/cbor",
      "PAL.abort",
      "CB Fail jobId=AFR_OTA-job1",
      "CB ReceivedJob jobId=AFR_OTA-job1",
      "PAL.create size=50000",
    ]);
  });

  it("the same job id with another signature: a new update", async () => {
    const player = await transferring();
    await player.play("notify sig=MAYCAQECAQI=");
    deepEqual(failures(player), ["cancelled"]);
  });

  it("the same job id with another file during the self-test: back to the old image", async () => {
    const player = new TracePlayer();
    await player.playAll("start platform=pending", "job self_test=ready updatedBy=0x01000000", "accepted");
    // The notification alone might be an old one.
    await player.play("notify size=50000");
    ok(!player.pal.calls.includes("reset"), player.pal.calls.join());
    await player.playAll("job size=50000", "wait 5000");
    deepEqual(player.pal.calls.at(-1), "reset");
    ok(!player.pal.calls.some((call) => call.startsWith("create")), player.pal.calls.join());
  });

  it("another attempt of the job during the self-test: its end is reported for that one", async () => {
    const player = new TracePlayer();
    await player.playAll("start platform=pending", "job self_test=ready updatedBy=0x01000000", "accepted");
    await player.playAll("notify execution=2", "set accepted");
    const { status, executionNumber, statusDetails } = updates(player).at(-1);
    deepEqual([status, executionNumber, statusDetails.updatedBy], ["SUCCEEDED", 2, "  v1.0.0"]);
  });
});

describe("jobs: documents that are none, while an image is on trial", () => {
  async function onTrial(): Promise<TracePlayer> {
    const player = new TracePlayer();
    await player.play("start platform=pending");
    return player;
  }

  for (const message of ["not json", '{"execution":7}', '{"execution":{"jobId":"a/b","jobDocument":{}}}'])
    it(`${message} says nothing about it`, async () => {
      const player = await onTrial();
      await player.play(`message jobs/notify-next ${message}`);
      deepEqual([player.agent.imageState, player.pal.calls], ["testing", []]);
    });

  it("an invalid job in its place ends it", async () => {
    const player = await onTrial();
    await player.playAll("job size=0", "wait 5000");
    deepEqual([player.agent.imageState, player.pal.calls], ["rejected", ["setImageState 3", "reset"]]);
  });
});

describe("jobs: after the end of one", () => {
  it("it is ignored when it is offered again before the service has taken its final status", async () => {
    const player = await transferring();
    await player.playAll("set aborted", "notify");
    equal(player.agent.state, "WaitingForJob");
    await player.playAll("accepted", "reply {}");
    equal(player.pal.calls.filter((call) => call.startsWith("create")).length, 1);
  });

  it("another one may begin before the service has taken its final status", async () => {
    const player = await transferring();
    await player.playAll("set aborted", "notify id=AFR_OTA-job2");
    equal(player.agent.state, "RequestingFileBlock");
    await player.playAll("block i=0", "block i=1", "block i=2 l=808");
    const last = updates(player).at(-1);
    equal(last.statusDetails.reason, "aborted: 0x00000013", "reports keep their order");
    await player.playAll("accepted", "accepted");
    equal(player.agent.state, "WaitingToActivate");
  });

  it("the next one is asked for at once", async () => {
    const player = await transferring();
    await player.playAll("set aborted", "accepted");
    equal(player.agent.state, "RequestingJob");
  });
});

describe("jobs: every job ends in a truthful status", () => {
  // Input, reason as the original writes it, code.
  const ROWS: [string, string, string, string][] = [
    ["a missing field", "job without=filesize", "0x0000000c: 0x00000004", "job-parser"],
    ["a number that is none", "job fileid=x", "0x0000000c: 0x00000004", "job-parser"],
    ["bad base64", "job sig=Zg===", "0x0000000c: 0x00000004", "bad-base64"],
    ["a file of no bytes", "job size=0", "0x0000000c: 0x00000004", "job-parser"],
    ["no protocol known here", "job protocols=BLE", "aborted: 0x0000000d", "data-protocol"],
    ["a protocol without what it takes", "job stream=none", "aborted: 0x0000000d", "data-protocol"],
    ["several files", "job files=2", "0x0000000c: 0x00000004", "job-parser"],
    ["a file for nobody", "job type=9", "aborted: 0xe4000000", "file-create"],
  ];
  for (const [what, input, reason, code] of ROWS)
    it(`${what}: FAILED "${reason}", told, and the next job is looked for`, async () => {
      const player = await started();
      await player.play(input);
      const { status, statusDetails } = updates(player).at(-1);
      deepEqual([status, statusDetails.reason, statusDetails.code], ["FAILED", reason, code]);
      ok(statusDetails.message.length > 10, statusDetails.message);
      deepEqual(failures(player), [code]);
      deepEqual(player.pal.calls, [], "flash is not touched");
      await player.playAll("accepted", "job id=AFR_OTA-good");
      equal(player.agent.state, "RequestingFileBlock", "a good job after it");
    });

  it("a protocol this agent was not built with: FAILED", async () => {
    const player = await started({ dataPlanes: [] });
    await player.play("job");
    equal(updates(player).at(-1).statusDetails.reason, "aborted: 0x0000000d");
  });

  it("a slot that is too small: FAILED, told", async () => {
    const player = await started();
    await player.playAll("fail create file-too-large", "job");
    deepEqual(failures(player), ["file-too-large"]);
    equal(updates(player).at(-1).statusDetails.reason, "aborted: 0xe5000000");
  });

  it("no roll-back possible: FAILED, unless the options allow it", async () => {
    const player = new TracePlayer();
    player.pal.rollbackEnabled = false;
    await player.playAll("start", "job");
    equal(updates(player).at(-1).statusDetails.code, "no-rollback");
    const daring = new TracePlayer({ allowNoRollback: true });
    daring.pal.rollbackEnabled = false;
    await daring.playAll("start", "job");
    equal(daring.agent.state, "RequestingFileBlock");
  });

  it("no text, or no job id: there is no job to report on; told, and asked for again", async () => {
    for (const reply of [
      '{"execution":{"jobDocument":{}}}',
      '{"execution":7}',
      '{"execution":{"jobId":"a/b"}}',
    ]) {
      const player = await started();
      await player.play(`reply ${reply}`);
      deepEqual([updates(player).length, failures(player)], [0, ["job-parser"]], reply);
      equal(player.agent.state, "WaitingForJob", reply);
      await player.play("wait 3600000");
      equal(requests(player), 2, reply);
    }
  });

  it("a job id of 73 characters is no job id", async () => {
    const player = await started();
    await player.play(`job id=${"j".repeat(73)}`);
    deepEqual([updates(player).length, failures(player)], [0, ["job-parser"]]);
  });

  it("an empty queue is told as such", async () => {
    const player = await started();
    await player.play("reply {}");
    deepEqual(types(player), ["no-active-job"]);
    await player.play("notify empty");
    deepEqual(types(player), ["no-active-job", "no-active-job"]);
  });

  it("an empty file list, deep nesting, numbers beyond 2^53: FAILED or told, never a hang", async () => {
    const ota = (files: string) =>
      `reply {"execution":{"jobId":"j","jobDocument":{"afr_ota":{"protocols":["MQTT"],"streamname":"s","files":${files}}}}}`;
    for (const files of [
      "[]",
      "{}",
      "null",
      `[${"[".repeat(20)}${"]".repeat(20)}]`,
      '[{"filesize":9007199254740993,"fileid":0}]',
    ]) {
      const player = await started();
      await player.play(ota(files));
      equal(updates(player).at(-1)?.status, "FAILED", files);
    }
  });
});

describe("jobs: not for this agent", () => {
  const CUSTOM =
    'reply {"execution":{"jobId":"my-job","executionNumber":4,"jobDocument":{"operation":"reboot"}}}';

  it("are left untouched when nobody claims them", async () => {
    const player = await started();
    deepEqual(await player.play(CUSTOM), []);
    equal(player.agent.state, "WaitingForJob");
    equal(updates(player).length, 0);
  });

  it("are the application's when it claims them", async () => {
    const jobs: CustomJob[] = [];
    const player = await started({ onCustomJob: (job) => jobs.push(job) > 0 });
    await player.play(CUSTOM);
    const [{ jobId, executionNumber, document }] = jobs;
    deepEqual(
      { jobId, executionNumber, document },
      { jobId: "my-job", executionNumber: 4, document: '{"operation":"reboot"}' },
    );
    const results: string[] = [];
    jobs[0].update("SUCCEEDED", { done: "yes" }, (result) => results.push(result));
    await player.play("wait 5000");
    equal(updates(player).length, 2, "repeated until it is answered");
    await player.play("accepted");
    deepEqual(results, ["accepted"]);
    deepEqual(updates(player)[0].statusDetails, { done: "yes" });
  });

  it("may be claimed without a wish to hear of the result", async () => {
    let job: CustomJob | undefined;
    const player = await started({ onCustomJob: (offered) => (job = offered) !== undefined });
    await player.play(CUSTOM);
    job?.update("SUCCEEDED", {});
    await player.play("wait 0");
    await player.play("accepted");
    equal(updates(player).length, 1);
  });

  it("do no harm when the application's callback throws", async () => {
    const player = await started({
      onCustomJob: () => {
        throw new Error("deliberate");
      },
    });
    await player.play(CUSTOM);
    equal(player.agent.state, "WaitingForJob");
    await player.play("notify");
    equal(player.agent.state, "RequestingFileBlock");
  });

  it("say nothing about an image on trial, and wait until it is decided", async () => {
    const offered: string[] = [];
    const player = new TracePlayer({ onCustomJob: ({ jobId }) => offered.push(jobId) > 0 });
    await player.playAll("start platform=pending", CUSTOM);
    deepEqual([player.agent.imageState, player.pal.calls, offered], ["testing", [], []]);
  });

  it("are told of in the log when nobody claims them, and only then", async () => {
    for (const claimed of [true, false]) {
      const player = await started({ onCustomJob: () => claimed });
      await player.play(CUSTOM);
      equal(player.log.length, claimed ? 0 : 1);
    }
  });
});

describe("jobs: the application decides", () => {
  it("apply begins the transfer", async () => {
    const player = await started({ onUpdateAvailable: () => "apply" });
    await player.play("job");
    equal(player.agent.state, "RequestingFileBlock");
  });

  it("is shown the job with its document", async () => {
    const seen: unknown[] = [];
    const player = await started({
      onUpdateAvailable: ({ jobId, document, files }) => {
        seen.push(jobId, typeof document, files[0].fileSize);
        return "apply";
      },
    });
    await player.play("job");
    deepEqual(seen, ["AFR_OTA-job1", "string", 9000]);
  });

  it("defer: asked again after the time, and not before", async () => {
    let asked = 0;
    const player = await started({
      onUpdateAvailable: () => (asked++ ? "apply" : { defer: 600_000, reason: "the machine is running" }),
    });
    await player.play("job");
    await player.playAll("notify", "wait 599000");
    deepEqual([asked, player.agent.state, updates(player).length], [1, "WaitingForJob", 0]);
    await player.playAll("wait 1000", "job");
    deepEqual([asked, player.agent.state], [2, "RequestingFileBlock"]);
  });

  it("defer: checkForUpdate asks at once", async () => {
    let asked = 0;
    const player = await started({ onUpdateAvailable: () => (asked++ ? "apply" : { defer: 600_000 }) });
    await player.playAll("job", "check", "job");
    deepEqual([asked, player.agent.state], [2, "RequestingFileBlock"]);
  });

  it("defer: another job is another question", async () => {
    const asked: string[] = [];
    const player = await started({
      onUpdateAvailable: ({ jobId }) => {
        asked.push(jobId);
        return jobId === "AFR_OTA-job1" ? { defer: 600_000 } : "apply";
      },
    });
    await player.playAll("job", "notify id=AFR_OTA-job2");
    deepEqual([asked, player.agent.state], [["AFR_OTA-job1", "AFR_OTA-job2"], "RequestingFileBlock"]);
  });

  it("refuse: REJECTED with the reason", async () => {
    const player = await started({ onUpdateAvailable: () => ({ refuse: "not on a Sunday" }) });
    await player.play("job");
    const { status, statusDetails } = updates(player).at(-1);
    deepEqual(
      [status, statusDetails.message, statusDetails.code],
      ["REJECTED", "not on a Sunday", "refused"],
    );
    deepEqual(failures(player), ["refused"]);
    await player.play("accepted");
    equal(player.agent.state, "RequestingJob");
  });

  it("refuse: FAILED where the service does not take REJECTED", async () => {
    const player = await started({ onUpdateAvailable: () => ({ refuse: "no" }) });
    await player.playAll("job", "rejected InvalidStateTransition is=IN_PROGRESS");
    equal(updates(player).at(-1).status, "FAILED");
    await player.play("accepted");
    equal(player.agent.state, "RequestingJob");
  });

  for (const [what, answer] of [
    ["a defer of NaN ms", { defer: Number.NaN }],
    ["a defer of a negative time", { defer: -1 }],
    ["a defer longer than timers take", { defer: 2 ** 31 }],
    ["an object that is no decision", {}],
    ["a text that is no decision", "later"],
  ] as [string, never][])
    it(`${what} leaves the job for later, with a line in the log`, async () => {
      const player = await started({ onUpdateAvailable: () => answer });
      await player.play("job");
      deepEqual([player.agent.state, updates(player).length, player.pal.calls], ["WaitingForJob", 0, []]);
      ok(
        player.log.some((line) => line.startsWith("error: onUpdateAvailable")),
        player.log.join(),
      );
      await player.play("wait 3600000");
      equal(requests(player), 2);
    });

  it("a callback that throws leaves the job for later", async () => {
    const player = await started({
      onUpdateAvailable: () => {
        throw new Error("deliberate");
      },
    });
    await player.play("job");
    deepEqual([player.agent.state, player.pal.calls], ["WaitingForJob", []]);
  });
});

describe("jobs: what the application is told", () => {
  it("of a whole download, in this order", async () => {
    const player = await verified();
    const seen: OtaEvent["type"][] = ["received-job", "image", "progress", "status", "activate"];
    deepEqual(types(player), seen);
  });

  it("what the image says of itself", async () => {
    const player = await transferring();
    const event = player.events.find(({ type }) => type === "image");
    equal(event?.type === "image" && event.app.version, "1.0.2");
  });

  it("of no image where there is none", async () => {
    const player = await started();
    await player.playAll("job type=2 size=100", "block i=0 l=100", "accepted");
    deepEqual(types(player), ["received-job", "progress", "update-complete", "status"]);
  });

  it("how each status fared", async () => {
    const player = await verified();
    const event = player.events.find(({ type }) => type === "status");
    deepEqual(
      event?.type === "status" && [event.jobId, event.status, event.result, event.details["self_test"]],
      ["AFR_OTA-job1", "IN_PROGRESS", "accepted", "ready"],
    );
  });
});

describe("jobs: somebody else's in front", () => {
  const HOUR = 3_600_000;
  const foreign = { document: { version: "1.0", steps: [] }, targets: [THING] };
  const notices = (world: World) =>
    world.events.flatMap((event) => (event.type === "notice" ? [event.error.message] : []));

  it("is told once, and then once a day: updates wait behind it (only a line of the log said so)", () => {
    const world = new World().powerOn();
    world.jobs.createJob({ jobId: "reboot-1", ...foreign });
    world.run(2 * HOUR);
    const jobId = world.deploy(image("1.1.0"));
    world.run(2 * HOUR);
    deepEqual(notices(world), ["reboot-1 is no OTA job, and updates wait behind it"]);
    world.run(7 * 24 * HOUR);
    equal(notices(world).length, 8);
    equal(world.execution(jobId).status, "QUEUED");
  });

  it("another one is told at once", () => {
    const world = new World().powerOn();
    world.jobs.createJob({ jobId: "reboot-1", ...foreign });
    world.run(1_000);
    world.jobs.createJob({ jobId: "reboot-2", ...foreign });
    world.jobs.deleteJob("reboot-1", true);
    world.run(1_000);
    equal(notices(world).length, 2);
  });

  it("is claimed: nothing is told", () => {
    const world = new World({ agent: { onCustomJob: () => true } }).powerOn();
    world.jobs.createJob({ jobId: "reboot-1", ...foreign });
    world.run(1_000);
    deepEqual(notices(world), []);
  });

  it("is FAILED where that is wanted, as by the original, and the update behind it comes", () => {
    const world = new World({ agent: { failCustomJobs: true } }).powerOn();
    world.jobs.createJob({ jobId: "reboot-1", ...foreign });
    const jobId = world.deploy(image("1.1.0"));
    equal(world.ended(jobId).status, "SUCCEEDED");
    const { status, statusDetails } = world.execution("reboot-1");
    deepEqual(
      [status, statusDetails["reason"], statusDetails["code"]],
      ["FAILED", "0x0000000c: 0x00000004", "custom-job"],
    );
  });
});
