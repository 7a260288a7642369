/**
 * The weaknesses found in the original agent when it was run, each with a test that shows how ours fares.
 */
import type { OtaEvent } from "../../src/index.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { TracePlayer } from "../support/trace-player.js";
import { image, World } from "../support/world.js";

const updates = (player: TracePlayer) => player.mqtt.json("/update");

async function playing(...inputs: string[]): Promise<TracePlayer> {
  const player = new TracePlayer();
  await player.playAll("start", ...inputs);
  return player;
}

/** Bytes on flash when the transfer was at `progress`, in a device that stops there. */
function interrupted(blocks: number): { world: World; jobId: string } {
  const world = new World({ agent: { rateLimit: 40_000 } }).powerOn();
  const jobId = world.deploy(image("1.1.0", { size: 60_000 }));
  world.wait(() => world.events.some((event) => event.type === "progress" && event.received === blocks));
  return { world, jobId };
}

describe("weaknesses of the original: correctness and security", () => {
  it("weakness 1: an invalid document of the same job does not touch the transfer", async () => {
    const player = await playing(
      "job",
      "block i=0",
      "notify size=0",
      "accepted",
      "block i=1",
      "block i=2 l=808",
      "accepted",
    );
    deepEqual(
      player.pal.calls.filter((call) => call.startsWith("write")),
      ["write off=0 n=4096", "write off=4096 n=4096", "write off=8192 n=808"],
    );
    equal(player.agent.state, "WaitingToActivate");
  });

  it("weakness 1: the same job with another size begins anew, with a bitmap of its own", async () => {
    const player = await playing("job", "block i=0", "suspend", "resume", "job size=50000");
    equal(player.agent.statistics?.packetsProcessed, 0);
    for (let i = 0; i < 13; i++) await player.play(`block i=${i} l=${i < 12 ? 4096 : 848}`);
    await player.play("accepted");
    equal(player.agent.state, "WaitingToActivate");
  });

  it("weakness 2: a job without a signature does not inherit that of the job before", () => {
    const world = new World().powerOn();
    equal(world.ended(world.deploy(image("1.1.0"))).status, "SUCCEEDED");
    const unsigned = world.deploy(image("1.2.0"), { signature: undefined });
    const { status, statusDetails } = world.ended(unsigned);
    deepEqual([status, statusDetails["code"]], ["FAILED", "signature-missing"]);
  });

  it("weakness 2: nor does any other field survive a job", async () => {
    const player = await playing(
      "job type=2 self_test=ready updatedBy=0x01000000 size=100",
      "block i=0 l=100",
      "accepted",
    );
    const job = player.events.at(-2);
    ok(job?.type === "update-complete" && job.job.files[0].fileType === 2);
    await player.play("job id=AFR_OTA-job2");
    const next = player.events.at(-1);
    ok(next?.type === "received-job" && next.job.files[0].fileType === 0 && !next.job.progress.selfTest);
  });

  it("weakness 3: a shorter job id after a longer one is reported as it is", async () => {
    const player = await playing(
      "job id=AFR_OTA-longer-name",
      "suspend",
      "resume",
      "job id=AFR_OTA-s",
      "block i=0",
    );
    equal(player.mqtt.sent.at(-2)?.topic, "$aws/things/thing-1/jobs/AFR_OTA-s/update");
  });

  for (const [what, input] of [
    ["of another file", "block i=0 f=7"],
    ["shorter than it says", "block i=0 p=10"],
    ["of a wrong length", "block i=0 l=100 p=100"],
    ["beyond the file", "block i=3"],
    ["that is no CBOR", "message streams/AFR_OTA-XYZ/data/cbor xyz"],
    ["that is an error in JSON", 'message streams/AFR_OTA-XYZ/data/cbor {"o":"ResourceNotFound"}'],
  ])
    it(`weakness 4 and 5: a block ${what} is not written, is counted, and fails nothing`, async () => {
      const player = await playing("job", input);
      deepEqual(player.pal.calls, ["create size=9000"]);
      equal(player.agent.statistics?.bad, 1);
      await player.playAll("block i=0", "block i=1", "block i=2 l=808", "accepted");
      deepEqual(
        [player.agent.state, updates(player).some(({ status }) => status === "FAILED")],
        ["WaitingToActivate", false],
      );
    });

  it("weakness 6: a job document between last block and close leaves the verified image alone", async () => {
    const player = await playing("job", "block i=0", "block i=1");
    player.act("block i=2 l=808");
    player.act("notify");
    await player.playAll("wait 0", "accepted", "activate");
    equal(player.pal.restarts, 1);
  });

  it("weakness 7: messages lie in one buffer, however many documents come during a transfer", async () => {
    const player = await playing("job", "block i=0");
    const data = [...player.mqtt.subscriptions].find(({ filter }) => filter.endsWith("/data/cbor"));
    const before = data?.buffer?.("", 4200);
    for (let n = 0; n < 100; n++) await player.play("notify");
    ok(before && data?.buffer?.("", 4200) === before);
    equal(data?.buffer?.("", 100_000), undefined, "nothing is taken that can be no block");
  });

  for (const type of ["received-job", "image", "progress", "status", "activate"] as const)
    it(`weakness 8: an abort from within the callback "${type}" is as good as any`, async () => {
      const player = new TracePlayer({
        onEvent: (event) => {
          if (event.type === type && player.agent.imageState !== "aborted")
            player.agent.setImageState("aborted");
        },
      });
      await player.playAll("start", "job size=100", "block i=0 l=100", "accepted", "wait 1");
      const { status, statusDetails } = updates(player).at(-1);
      deepEqual([status, statusDetails.code, player.agent.imageState], ["FAILED", "user-abort", "aborted"]);
      ok(!player.log.some((line) => line.startsWith("error")), player.log.join("\n"));
      await player.playAll("accepted", "job id=AFR_OTA-job2");
      equal(player.agent.state, "RequestingFileBlock");
    });
});

describe("weaknesses of the original: robustness", () => {
  it("weakness 9: a power cut during a transfer costs what was in flight, not the transfer", () => {
    const { world, jobId } = interrupted(8);
    world.reset();
    equal(world.ended(jobId).status, "SUCCEEDED");
    const [first, second] = [1, 2].map((life) => world.boots[life - 1]);
    deepEqual([first, second], ["ota_0 1.0.0 valid", "ota_0 1.0.0 valid"]);
    const written = world.events.filter(({ type }) => type === "progress").length;
    ok(written <= 15 + 1, `${written} blocks written for 15 of the file`);
  });

  it("weakness 10: a lost reply to the job request does not hang the agent", () => {
    const world = new World();
    let lost = 0;
    world.intercept.message = ({ topic }) =>
      topic.endsWith("$next/get/accepted") && lost++ < 3 ? [] : undefined;
    const jobId = world.deploy(image("1.1.0"));
    world.powerOn();
    equal(world.ended(jobId, 60_000).status, "SUCCEEDED");
    ok(lost > 3);
  });

  it("weakness 10: an image is not activated before the service has confirmed its status", () => {
    const world = new World();
    world.intercept.request = ({ operation }) => (operation === "update" ? "drop" : undefined);
    const jobId = world.deploy(image("1.1.0"));
    world.powerOn();
    world.run(300_000);
    equal(world.boots.length, 1);
    world.intercept.request = undefined;
    equal(world.ended(jobId).status, "SUCCEEDED");
  });

  it("weakness 11: a transfer that gets no answer fails in words, and the agent lives on", () => {
    const world = new World();
    world.intercept.request = ({ operation }) => (operation === "get-stream" ? "drop" : undefined);
    const jobId = world.deploy(image("1.1.0"));
    world.powerOn();
    const { status, statusDetails } = world.ended(jobId);
    deepEqual(
      [status, statusDetails["code"], statusDetails["reason"]],
      ["FAILED", "no-progress", "aborted: 0x0000000e"],
    );
    ok(world.events.some((event: OtaEvent) => event.type === "fail" && event.error.code === "no-progress"));
    world.intercept.request = undefined;
    equal(world.ended(world.deploy(image("1.2.0"))).status, "SUCCEEDED");
  });

  it("weakness 12: a lost block does not cost ten seconds", () => {
    const duration = (lose: boolean): number => {
      const world = new World({ link: { rtt: 100 } });
      let blocks = 0;
      world.intercept.message = ({ kind }) => (kind === "block" && ++blocks === 3 && lose ? [] : undefined);
      const jobId = world.deploy(image("1.1.0", { size: 28_000 }));
      world.powerOn().ended(jobId);
      return world.time.now;
    };
    ok(duration(true) - duration(false) < 1_000, `${duration(false)} ms, with a loss ${duration(true)} ms`);
  });

  it("weakness 12: waits between unanswered requests grow, and differ between devices", () => {
    const times = [0.1, 0.9].map((random) => {
      const world = new World({ agent: { random: () => random } });
      const at: number[] = [];
      world.intercept.request = ({ operation }) => {
        if (operation !== "get-stream") return undefined;
        at.push(world.time.now);
        return "drop";
      };
      world.deploy(image("1.1.0"));
      world.powerOn().run(60_000);
      return at;
    });
    const waits = times[0].slice(1).map((time, n) => time - times[0][n]);
    ok(waits.length > 4 && waits.at(-1)! > 4 * waits[0], waits.join());
    ok(times[0].at(-1) !== times[1].at(-1));
  });

  for (const [what, input] of [
    ["an unsupported protocol", "job protocols=BLE"],
    ["a file of no bytes", "job size=0"],
    ["a job id that is none", `job id=${"j".repeat(73)}`],
  ])
    it(`weakness 13: ${what} leaves nothing stuck and nothing unsaid`, async () => {
      const player = await playing(input);
      ok(player.events.some(({ type }) => type === "fail"));
      equal(player.agent.state, "WaitingForJob");
      await player.play("notify id=AFR_OTA-good");
      equal(player.agent.state, "RequestingFileBlock");
    });

  it("weakness 13: a file too large for its slot is refused in words", () => {
    const world = new World().powerOn();
    const { status, statusDetails } = world.ended(world.deploy(image("1.1.0", { size: 0x21000 })));
    deepEqual([status, statusDetails["code"]], ["FAILED", "file-too-large"]);
  });

  it("weakness 14: checkForUpdate while waiting for a job asks for one, and says so", async () => {
    const player = await playing("reply {}");
    equal(player.agent.checkForUpdate(), "requested");
    equal(player.mqtt.json("$next/get").length, 2);
    await player.play("job");
    equal(player.agent.state, "RequestingFileBlock");
  });

  it("weakness 15: an asynchronous self-test is guarded until it is decided", () => {
    const world = new World({
      agent: { selfTestTimeoutMs: 60_000 },
      onEvent: (event, self) => {
        if (event.type === "activate") self.agent.activateNewImage();
      },
    }).powerOn();
    const jobId = world.deploy(image("1.1.0"));
    const { status, statusDetails } = world.ended(jobId);
    deepEqual([status, statusDetails["code"]], ["FAILED", "self-test-timeout"]);
    world.wait(() => world.boots.length === 3);
    equal(world.state, "ota_0 1.0.0 valid");
  });

  it("weakness 15: a reject leads back to the old image by itself", () => {
    const world = new World({
      onEvent: (event, self) => {
        if (event.type === "activate") self.agent.activateNewImage();
        if (event.type === "start-test") self.agent.setImageState("rejected");
      },
    }).powerOn();
    equal(world.ended(world.deploy(image("1.1.0"))).status, "FAILED");
    world.wait(() => world.boots.length === 3);
    equal(world.state, "ota_0 1.0.0 valid");
  });
});

describe("weaknesses of the original: function", () => {
  it("weakness 18: a job with several files is refused, not half done", () => {
    const world = new World().powerOn();
    const bytes = image("1.1.0");
    const first = world.deploy(bytes);
    const { afr_ota } = world.jobs.job(first).document as { afr_ota: { files: object[] } };
    world.jobs.deleteJob(first, true);
    const document = { afr_ota: { ...afr_ota, files: [...afr_ota.files, ...afr_ota.files] } };
    world.jobs.createJob({ jobId: "two-files", document, targets: ["thing-1"] });
    equal(world.ended("two-files").status, "FAILED");
    equal(world.boots.length, 1);
  });

  it("weakness 18: jobs in the queue are worked off one after the other", () => {
    const world = new World();
    const jobs = ["1.1.0", "1.2.0", "1.3.0"].map((version) => world.deploy(image(version)));
    world.powerOn();
    for (const jobId of jobs) equal(world.ended(jobId).status, "SUCCEEDED");
    equal(world.state, "ota_1 1.3.0 valid");
  });

  it("weakness 18: a custom job may take its time, and is nobody's failure", () => {
    const world = new World({
      agent: {
        onCustomJob: (job) => {
          job.update("IN_PROGRESS", { step: "1" });
          world.clock.set(() => job.update("SUCCEEDED", { step: "2" }), 60_000);
          return true;
        },
      },
    }).powerOn();
    world.jobs.createJob({ jobId: "custom", document: { operation: "calibrate" }, targets: ["thing-1"] });
    equal(world.ended("custom").status, "SUCCEEDED");
    ok(world.time.now > 60_000);
  });

  it("weakness 18: a custom job nobody claims is left alone", () => {
    const world = new World().powerOn();
    world.jobs.createJob({ jobId: "custom", document: { operation: "calibrate" }, targets: ["thing-1"] });
    world.run(100_000);
    equal(world.execution("custom").status, "QUEUED");
  });

  it("weakness 21: a stream that is gone fails the job soon, with the service's own words", () => {
    const world = new World();
    const jobId = world.deploy(image("1.1.0"));
    const { afr_ota } = world.jobs.job(jobId).document as { afr_ota: { streamname: string } };
    world.streams.delete(afr_ota.streamname);
    world.powerOn();
    const { status, statusDetails } = world.ended(jobId);
    deepEqual([status, statusDetails["code"]], ["FAILED", "stream-refused"]);
    ok(statusDetails["message"].includes("ResourceNotFound"), statusDetails["message"]);
    ok(world.time.now < 60_000, `${world.time.now} ms; the original needs 320 s`);
  });
});
