import { FailedImages } from "../../src/control/failed-images.js";
import type { Store } from "../../src/index.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { image, World, type WorldOptions } from "../support/world.js";

const execution = (jobId: string, executionNumber = 1) => ({ jobId, executionNumber });

function memory(): Store {
  const content = new Map<string, string>();
  return { get: (key) => content.get(key), set: (key, value) => void content.set(key, value) };
}

const code = (action: () => unknown) => {
  try {
    action();
    return "";
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe("images that failed", () => {
  it("the same execution gets none a second time, another one until the limit is reached", () => {
    const failed = new FailedImages(memory(), 2);
    failed.add("2.0.0+ab cd", execution("a"));
    equal(
      code(() => failed.check("2.0.0+ab cd", execution("a"))),
      "failed-before",
    );
    equal(
      code(() => failed.check("2.0.0+ab cd", execution("a", 2))),
      "",
    );
    failed.add("2.0.0+ab cd", execution("b"));
    equal(
      code(() => failed.check("2.0.0+ab cd", execution("c"))),
      "failed-before",
    );
  });

  it("another image is another matter", () => {
    const failed = new FailedImages(memory(), 1);
    failed.add("2.0.0+abcd", execution("a"));
    equal(
      code(() => failed.check("2.0.0+abce", execution("a"))),
      "",
    );
  });

  it("a failure that is found twice counts once, also when its job was not known at first", () => {
    const store = memory();
    const failed = new FailedImages(store, 2);
    failed.add("x", undefined);
    failed.add("x", execution("a"));
    failed.add("x", execution("a"));
    equal(store.get("xs-ota.failed"), "1 a#1 x");
  });

  it("one that was accepted after all is forgotten", () => {
    const failed = new FailedImages(memory(), 1);
    failed.add("x", execution("a"));
    failed.clear("y");
    equal(
      code(() => failed.check("x", execution("b"))),
      "failed-before",
    );
    failed.clear("x");
    equal(
      code(() => failed.check("x", execution("b"))),
      "",
    );
  });

  for (const content of ["", "nonsense", "1", "x a#1 image", "1  "])
    it(`a store that holds ${JSON.stringify(content)} knows of none`, () => {
      const store = memory();
      store.set("xs-ota.failed", content);
      equal(
        code(() => new FailedImages(store, 1).check("image", execution("a"))),
        "",
      );
    });

  it("without a store nothing is known", () => {
    const failed = new FailedImages(undefined, 1);
    failed.add("x", execution("a"));
    equal(
      code(() => failed.check("x", execution("a"))),
      "",
    );
  });
});

const rejects: WorldOptions["onEvent"] = (event, { agent, running }) => {
  if (event.type === "activate") agent.activateNewImage();
  if (event.type === "start-test") agent.setImageState(running.label === "ota_1" ? "rejected" : "accepted");
};

describe("images that failed are not fetched again", () => {
  function trial(options: WorldOptions, fails: (world: World) => void) {
    const world = new World({ onEvent: rejects, ...options }).powerOn();
    const bytes = image("1.1.0");
    const codes: string[] = [];
    const blocks: number[] = [];
    for (let i = 0; i < 4; i++) {
      const before = world.count("image");
      const jobId = world.deploy(bytes);
      fails(world);
      const { status, statusDetails } = world.ended(jobId);
      world.run(60_000);
      equal(status, "FAILED");
      codes.push(statusDetails["code"]);
      blocks.push(world.count("image") - before);
    }
    return { world, codes, boots: world.boots.length };
  }

  it("rejected by the application: two jobs try it, the third says so", () => {
    const { codes, boots, world } = trial({}, () => {});
    deepEqual(codes, ["self-test-rejected", "self-test-rejected", "failed-before", "failed-before"]);
    equal(boots, 5);
    equal(world.state, "ota_0 1.0.0 valid");
    equal(world.ended(world.deploy(image("1.2.0"))).status, "FAILED", "another image is tried");
    world.run(60_000);
    equal(world.boots.length, 7);
  });

  it("given up by the boot loader: the same", () => {
    let trials = 0;
    const onEvent: WorldOptions["onEvent"] = (event, world) => {
      if (event.type === "activate") world.agent.activateNewImage();
      if (event.type === "start-test") {
        trials++;
        world.time.at(world.time.now + 100, () => world.reset());
      }
    };
    const { codes } = trial({ onEvent }, () => {});
    deepEqual(codes, ["rolled-back", "rolled-back", "failed-before", "failed-before"]);
    equal(trials, 2);
  });

  it("the reason of the last reset stands in the words of a rollback", () => {
    const onEvent: WorldOptions["onEvent"] = (event, world, life) => {
      if (event.type === "activate") world.agent.activateNewImage();
      if (event.type !== "start-test" || life !== 2) return;
      world.time.at(world.time.now + 100, () => {
        world.reset();
        Object.assign(world.control, { resetReason: "panic" });
      });
    };
    const world = new World({ onEvent }).powerOn();
    const { statusDetails } = world.ended(world.deploy(image("1.1.0")));
    deepEqual(
      [statusDetails["code"], statusDetails["message"]],
      ["rolled-back", "1.0.0 runs again; last reset: panic"],
    );
  });

  it("as often as the option says", () => {
    const { codes } = trial({ agent: { imageAttempts: 1 } }, () => {});
    deepEqual(codes, ["self-test-rejected", "failed-before", "failed-before", "failed-before"]);
  });

  it("the words of FAILED name the image and how often", () => {
    const world = new World({ onEvent: rejects, agent: { imageAttempts: 1 } }).powerOn();
    world.ended(world.deploy(image("1.1.0")));
    world.run(60_000);
    const { statusDetails } = world.ended(world.deploy(image("1.1.0")));
    ok(
      /^1\.1\.0\+[0-9a-f]{8} was given up once here$/.test(statusDetails["message"]),
      statusDetails["message"],
    );
    equal(statusDetails["reason"], "rejected: 0x00000091");
  });

  it("nothing but its head is asked for", () => {
    const world = new World({ onEvent: rejects, agent: { imageAttempts: 1 } }).powerOn();
    world.ended(world.deploy(image("1.1.0")));
    world.run(60_000);
    const { bytes } = world.mqtt.down;
    world.ended(world.deploy(image("1.1.0")));
    ok(world.mqtt.down.bytes - bytes < 7_000, `${world.mqtt.down.bytes - bytes} bytes`);
  });
});

describe("the point of no return: what fails behind it is a notice", () => {
  const broken: Store = {
    get: () => undefined,
    set: () => {
      throw new Error("ESP_ERR_NVS_NOT_ENOUGH_SPACE");
    },
  };

  it("an image is confirmed though the store is full (it was FAILED, and ran)", () => {
    const world = new World({ pal: { store: broken } }).powerOn();
    equal(world.ended(world.deploy(image("1.1.0"))).status, "SUCCEEDED");
    world.run(60_000);
    deepEqual([world.state, world.boots.length], ["ota_1 1.1.0 valid", 2]);
    const notices = world.events.flatMap((event) => (event.type === "notice" ? [event.error] : []));
    ok(
      notices.some(({ code, message }) => code === "store-failed" && message.includes("NOT_ENOUGH_SPACE")),
      JSON.stringify(notices),
    );
  });

  it("an image is rolled back though the store is full", () => {
    const world = new World({ pal: { store: broken }, onEvent: rejects }).powerOn();
    equal(world.ended(world.deploy(image("1.1.0"))).statusDetails["code"], "self-test-rejected");
    world.run(60_000);
    equal(world.state, "ota_0 1.0.0 valid");
  });

  it("a store that cannot be read keeps older images out, in words", () => {
    const get = () => {
      throw null;
    };
    const world = new World({ pal: { store: { get, set: () => {} } } }).powerOn();
    equal(world.ended(world.deploy(image("1.1.0"))).statusDetails["code"], "store-failed");
  });

  it("a restart that fails after the switch is no failure of the switch", () => {
    const world = new World().powerOn();
    const { restart } = world.control;
    world.control.restart = () => {
      throw new Error("not now");
    };
    const jobId = world.deploy(image("1.1.0"));
    world.until("activate");
    world.run(60_000);
    deepEqual([world.execution(jobId).status, world.count("fail")], ["IN_PROGRESS", 0]);
    world.control.restart = restart;
    world.reset();
    equal(world.ended(jobId).status, "SUCCEEDED");
  });
});

describe("the very image that runs", () => {
  it("is no failure: the job SUCCEEDED, after its head (it was FAILED, against the rollout's abort criteria)", () => {
    const world = new World({ image: image("1.1.0") }).powerOn();
    const { status, statusDetails } = world.ended(world.deploy(image("1.1.0")));
    deepEqual([status, statusDetails["reason"]], ["SUCCEEDED", "accepted  v1.1.0"]);
    world.run(60_000);
    deepEqual([world.boots.length, world.count("activate")], [1, 0]);
  });

  it("neither where an older one would be allowed: it is not installed once more", () => {
    const world = new World({ image: image("1.1.0"), pal: { allowDowngrade: true } }).powerOn();
    equal(world.ended(world.deploy(image("1.1.0"))).status, "SUCCEEDED");
    equal(world.count("activate"), 0);
  });

  it("another build of the same version is refused", () => {
    const world = new World({ image: image("1.1.0") }).powerOn();
    const { status, statusDetails } = world.ended(world.deploy(image("1.1.0", { seed: 7 })));
    deepEqual([status, statusDetails["code"]], ["FAILED", "same-version"]);
  });
});
