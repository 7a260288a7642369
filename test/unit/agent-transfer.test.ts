import { deepEqual, equal, ok } from "../support/assert.js";
import { TracePlayer } from "../support/trace-player.js";
import { image, World } from "../support/world.js";

describe("transfer: what can be known before", () => {
  it("a stream of another file ends within a minute, and the job says so", () => {
    const world = new World().powerOn();
    // The document tells another size than the file has: its last block has another length.
    const bytes = image("1.1.0");
    const { document } = world.jobs;
    world.jobs.document = (execution) => {
      const text = JSON.stringify(document.call(world.jobs, execution));
      return JSON.parse(text.replace(`"filesize":${bytes.length}`, `"filesize":${bytes.length - 16}`));
    };
    const jobId = world.deploy(bytes);
    const from = world.time.now;
    const { statusDetails } = world.ended(jobId);
    ok(world.time.now - from < 60_000, `${world.time.now - from} ms`);
    equal(statusDetails["code"], "stream-refused");
    ok(
      /^the stream is not the file the job describes: block 4 came with \d+ bytes$/.test(
        statusDetails["message"],
      ),
    );
  });

  for (const [what, value, message] of [
    ["no ECDSA signature", "AAAA", "the 3 bytes of sig-sha256-ecdsa are no signature"],
    ["one of r = 0", "MAYCAQACAQE=", "the 8 bytes of sig-sha256-ecdsa are no signature"],
  ])
    it(`a signature that is ${what}: no block is asked for`, () => {
      const world = new World().powerOn();
      const asked: unknown[] = [];
      world.intercept.request = ({ operation }) => {
        if (operation === "get-stream") asked.push(operation);
        return undefined;
      };
      const jobId = world.deploy(image("1.1.0"), { signature: { key: "sig-sha256-ecdsa", value } });
      const { statusDetails } = world.ended(jobId);
      deepEqual([statusDetails["code"], statusDetails["message"], asked], ["signature-check", message, []]);
    });

  it("a file larger than a stream can bring is named before anything is done", async () => {
    const player = new TracePlayer();
    await player.playAll("start", "job size=25165825");
    const { statusDetails } = player.mqtt.json("/update").at(-1);
    deepEqual(statusDetails, {
      reason: "aborted: 0xe5000000",
      code: "file-too-large",
      message: "25165825 bytes are more than MQTT can bring, 25165824",
    });
    deepEqual(player.pal.calls, []);
  });
});

describe("transfer: flash that loses something", () => {
  /** With every block written, and sector 1 lost whenever the file is closed. */
  async function forgetful(times: number): Promise<TracePlayer> {
    const player = new TracePlayer();
    await player.playAll("start", "job", "block i=0", "block i=1");
    player.pal.left = { has: (offset) => offset !== 4096, byteLength: 9000 - 4096 };
    for (let n = 0; n < times; n++) {
      await player.play("fail close signature-check verify");
      await player.play(n === 0 ? "block i=2 l=808" : "block i=1");
    }
    return player;
  }

  it("gets it again, and that alone", async () => {
    const player = await forgetful(1);
    equal(player.agent.state, "WaitingForFileBlock");
    ok(
      player.log.some((line) => line.includes("flash lost 4096 bytes")),
      player.log.join("\n"),
    );
    await player.playAll("block i=1", "accepted");
    equal(player.agent.state, "WaitingToActivate");
    deepEqual(
      player.pal.calls.filter((call) => call.startsWith("write off=4096")),
      ["write off=4096 n=4096", "write off=4096 n=4096"],
    );
  });

  it("is given up when that does not help", async () => {
    const player = await forgetful(4);
    const { status, statusDetails } = player.mqtt.json("/update").at(-1);
    deepEqual([status, statusDetails.code], ["FAILED", "signature-check"]);
  });

  it("is healed in a whole system", () => {
    const world = new World().powerOn();
    const jobId = world.deploy(image("1.1.0"));
    let flipped = false;
    world.wait(() => {
      const last = world.events.at(-1);
      if (!flipped && last?.type === "progress" && last.received === last.total) {
        // The second sector of the other slot, ota_1.
        world.flash.flipBits(0x10000 + 0x20000 + 5000, 0x40);
        flipped = true;
      }
      return world.execution(jobId).status === "SUCCEEDED";
    });
    ok(flipped);
    equal(world.state, "ota_1 1.1.0 valid");
  });
});

describe("transfer: a long way", () => {
  /** Blocks asked for before the first one has come; the job takes 300 ms, its acknowledgement `acknowledged`. */
  async function asked(acknowledged: number): Promise<number> {
    const player = new TracePlayer();
    const { mqtt, clock } = player;
    const { publish } = mqtt;
    mqtt.publish = (topic, payload, qos, done) =>
      publish.call(mqtt, topic, payload, qos, (error) => clock.set(() => done?.(error), acknowledged));
    await player.play("start");
    clock.run(300);
    await player.play("job size=1000000");
    return mqtt.sent.filter(({ topic }) => topic.endsWith("get/cbor")).length;
  }

  it("is filled together with the head when the job came at once behind its acknowledgement", async () => {
    ok((await asked(299)) > 1);
  });

  it("is not when the job took long to come, as over a slow link: the application's messages would wait", async () => {
    equal(await asked(0), 1);
  });
});

describe("transfer: two data planes", () => {
  const BOTH = "job protocols=MQTT,HTTP url=https://h/f";

  it("the first one that serves the job is used", async () => {
    const player = new TracePlayer();
    await player.playAll("start", BOTH);
    ok(player.raw.some((line) => line.includes("streams/AFR_OTA-XYZ/get")));
    ok(!player.raw.some((line) => line.startsWith("HTTP")));
  });

  it("when it fails the other one goes on where it was", async () => {
    const player = new TracePlayer({ noProgressTimeoutMs: 20_000 });
    await player.playAll("start", BOTH, "block i=0", "wait 20000");
    ok(player.raw.includes("HTTP.range 4096-8999"), player.raw.join("\n"));
    ok(player.log.some((line) => line.includes("going on over HTTP")));
    await player.playAll("http", "accepted");
    equal(player.agent.state, "WaitingToActivate");
    equal(player.agent.statistics?.packetsProcessed, 3);
  });

  it("when both fail the job does", async () => {
    const player = new TracePlayer();
    player.mqtt.refuse = (filter) => (filter.includes("/streams/") ? new Error("not authorized") : undefined);
    await player.playAll("start", BOTH, "wait 300000");
    const { status, statusDetails } = player.mqtt.json("/update").at(-1);
    deepEqual([status, statusDetails.code], ["FAILED", "no-progress"]);
  });

  it("a fault of the image is not one of the plane", async () => {
    const player = new TracePlayer();
    await player.playAll("start", BOTH, "fail inspect wrong-chip image", "block i=0");
    equal(player.mqtt.json("/update").at(-1).statusDetails.code, "wrong-chip");
    ok(!player.raw.some((line) => line.startsWith("HTTP")));
  });

  it("one that cannot serve the job is passed over", async () => {
    const player = new TracePlayer();
    await player.playAll("start", "job protocols=MQTT,HTTP url=https://h/f stream=none");
    ok(player.raw.includes("HTTP.range 0-4095"), player.raw.join("\n"));
  });
});

describe("transfer: another attempt", () => {
  it("goes on where a bad link left the last one", () => {
    const world = new World({ agent: { noProgressTimeoutMs: 60_000 } }).powerOn();
    let blocks = 0;
    world.intercept.message = ({ kind }) => (kind === "block" && ++blocks > 3 ? [] : undefined);
    const bytes = image("1.1.0");
    equal(world.ended(world.deploy(bytes)).statusDetails["code"], "no-progress");
    world.intercept.message = undefined;
    const second = world.deploy(bytes);
    const { length } = world.events;
    equal(world.ended(second).status, "SUCCEEDED");
    const written = world.events.slice(length).filter(({ type }) => type === "progress").length;
    equal(written, 2, "blocks written by the second attempt");
  });

  it("after the service's time-out goes on, although nobody told of it", () => {
    const world = new World({ agent: { rateLimit: 256, blockSize: 4096 } });
    world.intercept.message = ({ kind }) => (kind === "notify-next" ? [] : undefined);
    const options = { timeoutInMinutes: 1, retries: { timedOut: 1 } };
    const jobId = world.deploy(image("1.1.0"), options);
    world.powerOn();
    world.wait(() => world.execution(jobId).executionNumber === 2, 120_000);
    const { status, executionNumber } = world.ended(jobId);
    deepEqual([status, executionNumber], ["SUCCEEDED", 2]);
    const blocks = world.events.filter(({ type }) => type === "progress").length;
    equal(blocks, 5, "blocks written in both attempts");
  });

  it("after a refusal begins from scratch", () => {
    const world = new World().powerOn();
    const bytes = image("1.1.0");
    const damaged = bytes.slice();
    damaged[15_000] ^= 1;
    const hash = world.deploy(damaged, { signature: undefined });
    equal(world.ended(hash).status, "FAILED");
    equal(world.ended(world.deploy(bytes)).status, "SUCCEEDED");
  });
});
