import { decodeUtf8 } from "../../src/bytes.js";
import type { CustomJob } from "../../src/index.js";
import { deepEqual, equal } from "../support/assert.js";
import { image, THING, World, type WorldOptions } from "../support/world.js";

/** What an application, a driver or an image may say; the service takes none of it as it is. */
const TEXTS = [
  "battery low\n3.2 V",
  "",
  "\u0000",
  "\ud800",
  "\u202egnp.exe",
  "x".repeat(100_000),
  "\u{1f50b}",
];

/** A world whose service takes details that match `taken` only. */
function strict(options: WorldOptions, taken = /^[ -~]*$/): { world: World; refusals: () => number } {
  const world = new World(options);
  let refusals = 0;
  world.intercept.request = ({ operation, payload }) => {
    if (operation !== "update") return undefined;
    const { statusDetails = {} } = JSON.parse(decodeUtf8(payload));
    const good = Object.keys(statusDetails).every(
      (key) => statusDetails[key] && taken.test(statusDetails[key]),
    );
    if (!good) refusals++;
    return good ? undefined : "InvalidRequest";
  };
  return { world: world.powerOn(), refusals: () => refusals };
}

describe("every job ends, whatever the words", () => {
  for (const why of TEXTS)
    it(`refused by the application with ${JSON.stringify(why.slice(0, 20))}`, () => {
      const { world, refusals } = strict({ agent: { onUpdateAvailable: () => ({ refuse: why }) } });
      equal(world.ended(world.deploy(image("1.1.0")), 60_000).status, "REJECTED");
      equal(refusals(), 0);
    });

  for (const why of TEXTS)
    it(`a driver that fails with ${JSON.stringify(why.slice(0, 20))}`, () => {
      const { world, refusals } = strict({});
      world.pal.createFile = () => {
        throw new Error(why);
      };
      const { status, statusDetails } = world.ended(world.deploy(image("1.1.0")), 60_000);
      deepEqual([status, statusDetails["code"], refusals()], ["FAILED", "file-create", 0]);
    });

  for (const thrown of [null, undefined, 7, Object.create(null)])
    it(`a driver that throws ${JSON.stringify(thrown)}`, () => {
      const { world } = strict({});
      world.pal.createFile = () => {
        throw thrown;
      };
      equal(world.ended(world.deploy(image("1.1.0")), 60_000).statusDetails["code"], "file-create");
    });

  it("an image whose version no service takes is known again after the restart, by the words that were taken", () => {
    const world: World = new World({
      pal: { allowDowngrade: true },
      onEvent: (event, { agent }) => {
        if (event.type === "activate") agent.activateNewImage();
        if (event.type === "start-test") agent.setImageState("accepted");
      },
    });
    world.powerOn();
    const { inspect } = world.pal;
    world.pal.inspect = (file, head) => ({
      ...inspect.call(world.pal, file, head)!,
      version: "1.1\u0007\u00ad",
    });
    const jobId = world.deploy(image("1.1"));
    world.wait(() => world.boots.length === 2);
    Object.assign(world.control.running, { version: "1.1\u0007\u00ad" });
    const { status, statusDetails } = world.ended(jobId);
    deepEqual([status, statusDetails["image"].slice(0, 5)], ["SUCCEEDED", "1.1?+"]);
  });

  it("a certfile no service takes", () => {
    const { world, refusals } = strict({});
    const jobId = world.deploy(image("1.1.0"), { signature: undefined, certFile: "cert\n\u202e.pem" });
    deepEqual([world.ended(jobId).status, refusals()], ["FAILED", 0]);
  });

  it("a service that takes no words of ours but its own idea of them", () => {
    const { world, refusals } = strict({}, /^(no|\d+\/\d+)$/);
    const { status, statusDetails } = world.ended(world.deploy(image("0.9.0")), 60_000);
    deepEqual([status, statusDetails, refusals() > 0], ["FAILED", {}, true]);
  });

  it("a custom job's, from the application", () => {
    let claimed: CustomJob | undefined;
    const onCustomJob = (job: CustomJob) => {
      claimed = job;
      return true;
    };
    const { world, refusals } = strict({ agent: { onCustomJob } });
    world.jobs.createJob({ jobId: "custom", document: { operation: "reboot" }, targets: [THING] });
    world.wait(() => claimed !== undefined);
    const details: Record<string, string> = { "a b": "1\n2", empty: "" };
    for (let i = 0; i < 20; i++) details[`k${i}`] = "v";
    claimed?.update("SUCCEEDED", details);
    const { status, statusDetails } = world.ended("custom", 60_000);
    deepEqual(
      [status, statusDetails["a_b"], statusDetails["empty"], refusals()],
      ["SUCCEEDED", "1 2", "-", 0],
    );
  });
});
