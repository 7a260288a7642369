import { FailureLog } from "../../src/control/failure-log.js";
import { type AppDescription, OtaError } from "../../src/index.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { VirtualClock, VirtualTime } from "../support/virtual-clock.js";
import { image, World, type WorldOptions } from "../support/world.js";

/** Most pairs of statusDetails and longest value (AWS IoT Jobs: DetailsMap, DetailsValue). */
const MOST = 10;
const LONGEST = 1024;

function memory() {
  const content = new Map<string, string>();
  const store = {
    get: (key: string) => content.get(key),
    set: (key: string, value: string) => void content.set(key, value),
  };
  return { content, store };
}

function logged(options: WorldOptions = {}) {
  const { content, store } = memory();
  const failureLog = new FailureLog(store);
  const world = new World({ ...options, agent: { ...options.agent, failureLog } }).powerOn();
  return { world, failureLog, content };
}

function checked(details: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const entries = Object.entries(details);
  ok(entries.length <= MOST, `${entries.length} pairs`);
  for (const [name, value] of entries) {
    ok(value.length > 0 && value.length <= LONGEST, `${name} has ${value.length} characters`);
    ok(/^[ -~]+$/.test(value), `${name} is ${value}`);
  }
  return details;
}

const running = { version: "1.0.0", buildId: "aabbccdd" } as AppDescription;

/** A log of its own, outside of any agent. */
function alone(store?: ConstructorParameters<typeof FailureLog>[0], resetReason?: string) {
  const clock = new VirtualClock(new VirtualTime());
  const log = new FailureLog(store);
  log.begin({ clock, pal: { running, resetReason } });
  return log;
}

const job = (jobId: string) => ({ type: "received-job", job: { jobId, files: [{ fileSize: 5 }] } }) as never;

describe("the failure log", () => {
  it("says what became of an image that was rolled back, across the restarts, in pairs AWS takes", () => {
    const { world, content } = logged({
      onEvent: (event, { agent }) => {
        if (event.type === "activate") agent.activateNewImage();
        if (event.type === "start-test") agent.setImageState("rejected");
      },
    });
    const jobId = world.deploy(image("2.0.0"));
    const { status, statusDetails } = world.ended(jobId);
    equal(status, "FAILED");
    const { code, phase, firmware, log, transfer } = checked(statusDetails);
    deepEqual([code, phase], ["self-test-rejected", "self-test"]);
    ok(/^1\.0\.0\+\w+ -> 2\.0\.0\+\w+; 2\.0\.0\+\w+ runs$/.test(firmware), firmware);
    for (const part of [
      "job, ",
      "image 2.0.0+",
      "activate",
      "started; 2.0.0",
      "start-test",
      "self-test-failed",
    ])
      ok(log.includes(part), `${part} is not in ${log}`);
    equal(transfer, undefined, "rates of a transfer that was not in this life");
    ok((content.get("xs-ota.log") as string).length < 4000, "more than NVS takes");
  });

  it("counts bad blocks, refusals and time-outs with their reasons, and gives rates", () => {
    const { world } = logged({ agent: { noProgressTimeoutMs: 60_000 } });
    let asked = 0;
    world.intercept.request = ({ operation }) =>
      operation === "get-stream"
        ? ++asked % 3 === 1
          ? "RequestThrottled"
          : asked > 3
            ? "drop"
            : undefined
        : undefined;
    const bad = new Uint8Array([0xa1, 0x61]);
    world.intercept.message = ({ kind }) => {
      if (kind === "block")
        for (const _ of "ab")
          world.inject("streams/AFR_OTA-00000000-0000-0000-0000-000000000001/data/cbor", bad);
      return undefined;
    };
    const { status, statusDetails } = world.ended(world.deploy(image("2.0.0", { size: 100_000 })));
    equal(status, "FAILED");
    const { causes, transfer, phase } = checked(statusDetails);
    equal(phase, "transfer");
    for (const part of [/\d+ x bad block: /, /\d+ x refused: /, /\d+ x no answer in time/])
      ok(part.test(causes), `${part} is not in ${causes}`);
    ok(/^\d+ bytes in \d+ s \(\d+ bytes\/s\)/.test(transfer), transfer);
  });

  it("an update that ends well leaves nothing behind", () => {
    const { world, failureLog, content } = logged();
    equal(world.ended(world.deploy(image("2.0.0"))).status, "SUCCEEDED");
    deepEqual([failureLog.text, content.get("xs-ota.log")], ["", ""]);
  });

  it("a job that is refused at once says nothing of the one before", () => {
    const { world } = logged();
    world.ended(world.deploy(image("2.0.0", { projectName: "other" })));
    const other = world.ended(world.deploy(image("2.0.0"), { signature: undefined }));
    const { log = "", causes = "" } = checked(other.statusDetails);
    ok(!`${log}${causes}`.includes("other"), log);
  });

  it("holds 2,048 characters and twelve causes, however much goes wrong", () => {
    const log = alone();
    log.event(job("a"));
    for (let round = 0; round < 1000; round++)
      log.cause(`\u0007${String.fromCharCode(65 + (round % 60))} went wrong ${"x".repeat(300)}`);
    ok(log.text.length <= 2048, `${log.text.length} characters`);
    const details = checked(log.details(new OtaError("no-progress", "no block"), "a"));
    ok(/ x others$/.test(details["causes"]), details["causes"]);
  });

  it("the same cause with other numbers is the same cause", () => {
    const log = alone();
    log.event(job("a"));
    for (let block = 0; block < 50; block++)
      log.cause(`bad block: block ${block} came with ${block * 7} bytes`);
    const { causes } = log.details(new OtaError("no-progress", "no block"), "a");
    equal(causes, "50 x bad block: block # came with # bytes");
  });

  it("goes on after a restart, and says what caused it", () => {
    const { store } = memory();
    const before = alone(store);
    before.event(job("a"));
    before.cause("flash lost 5 bytes");
    before.event({ type: "activate", job: { jobId: "a" } } as never);
    const after = alone(store, "task-watchdog");
    const { log, causes, reset } = checked(after.details(new OtaError("rolled-back", "it is back"), "a"));
    equal(causes, "1 x flash lost # bytes");
    equal(reset, "task-watchdog");
    equal(
      log,
      "0 s job, 5 bytes | 0 s flash lost 5 bytes | 0 s activate | 0 s started by task-watchdog; 1.0.0+aabbccdd runs",
    );
  });

  for (const content of [
    "",
    "nonsense",
    "null",
    "[]",
    "{}",
    '["a"]',
    "[1,2,3,[4],[5],[6]]",
    '["a","","",{},{"length":9},{}]',
  ])
    it(`takes what it did not write for nothing: ${content}`, () => {
      const { store } = memory();
      store.set("xs-ota.log", content);
      const log = alone(store);
      log.event(job("b"));
      checked(log.details(new OtaError("no-progress", "no block"), "b"));
      ok(log.text.endsWith("job, 5 bytes"), log.text);
    });

  it("a store that fails changes nothing", () => {
    const fail = () => {
      throw new Error("the store is full");
    };
    const { world } = logged({ agent: {} });
    equal(world.ended(world.deploy(image("2.0.0"))).status, "SUCCEEDED");
    const log = alone({ get: fail, set: fail });
    log.event(job("a"));
    equal(log.text, "0 s job, 5 bytes");
  });
});
