import { FlashPartition } from "../../hosts/emulated/flash-partition.js";
import { SECTOR_SIZE } from "../../hosts/emulated/nor-flash.js";
import { otaDocument, otaStreamId } from "../../service/documents.js";
import { memoryFile } from "../../service/streams.js";
import { Components } from "../../src/components/index.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { ASSETS, CERTS, componentFile, type Files, withStatement } from "../support/component-rig.js";
import { makePayload } from "../support/payload-maker.js";
import { buildIdOf } from "../support/payload-rig.js";
import { image, sign, THING, World, type WorldOptions } from "../support/world.js";

const STORAGE = 0x50000;
const PLACE = 3;

/** A product with firmware, assets and certificates. */
class Product extends World {
  components!: Components;
  /** What is in use, life by life: "1.0.0 1 -". */
  readonly lives: string[] = [];
  #sets = 0;

  constructor(options: Partial<WorldOptions> = {}) {
    super({
      ...options,
      around: (firmware, parts, world) => (world as Product).around(firmware, parts as never),
    });
  }

  around(firmware: ConstructorParameters<typeof Components>[0]["firmware"], parts: never): Components {
    const part = (first: number, sectors: number) =>
      new FlashPartition(this.flash, {
        offset: STORAGE + first * SECTOR_SIZE,
        size: sectors * SECTOR_SIZE,
      });
    this.components = new Components({
      ...(parts as ConstructorParameters<typeof Components>[0]),
      firmware,
      log: part(0, 2),
      components: [
        { name: "assets", fileType: ASSETS, places: [part(2, PLACE), part(2 + PLACE, PLACE)] },
        { name: "certs", fileType: CERTS, places: [part(2 + 2 * PLACE, PLACE), part(2 + 3 * PLACE, PLACE)] },
      ],
    });
    this.lives.push(this.versions);
    return this.components;
  }

  get versions(): string {
    const version = (name: string) => this.components.open(name)?.header.version ?? "-";
    return `${this.control.running.version} ${version("assets")} ${version("certs")}`;
  }

  /** A job of several files. @returns its id */
  deploySet(files: ReadonlyMap<number, Uint8Array>): string {
    const n = String(++this.#sets);
    const streamId = otaStreamId(`00000000-0000-0000-0001-${n.padStart(12, "0")}`);
    const list = [...files];
    this.streams.create(
      streamId,
      list.map(([, bytes], id) => memoryFile(id, bytes)),
    );
    const document = otaDocument({
      protocols: ["MQTT"],
      streamId,
      files: list.map(([fileType, bytes], fileId) => ({
        ...{ filePath: "/x", fileSize: bytes.length, fileId, fileType, certFile: "ota.pem" },
        signature: sign(bytes),
      })),
    });
    return this.jobs.createJob({ jobId: `set-${n}`, document, targets: [THING] }).jobId;
  }
}

const file = (name: string, version: string, changes = {}) =>
  componentFile(name, version, { projectName: "world", ...changes });
const assets = (version: string, changes = {}) => file("assets", version, changes);
const certs = (version: string, changes = {}) => file("certs", version, changes);

const statement = (files: Files, sequence: number) =>
  withStatement(files, sequence, { projectName: "world" });

describe("components in a device", () => {
  it("an update of assets alone: on trial after a restart, accepted, SUCCEEDED", () => {
    const product = new Product();
    product.powerOn();
    const job = product.deploySet(new Map([[ASSETS, assets("1")]]));
    const { status, statusDetails } = product.ended(job);
    equal(status, "SUCCEEDED", JSON.stringify(statusDetails));
    ok(/^1\+[0-9a-f]{8}$/.test(statusDetails["image"]), statusDetails["image"]);
    deepEqual(product.lives, ["1.0.0 - -", "1.0.0 1 -"]);
    equal(product.versions, "1.0.0 1 -");
    product.reset();
    equal(product.versions, "1.0.0 1 -");
  });

  it("the same assets once more: SUCCEEDED without a transfer", () => {
    const product = new Product();
    product.powerOn();
    const bytes = assets("1");
    const signature = new Map([[ASSETS, bytes]]);
    product.ended(product.deploySet(signature));
    const { lives } = product;
    const count = lives.length;
    const { status } = product.ended(product.deploySet(signature));
    equal(status, "SUCCEEDED");
    equal(lives.length, count, "it restarted");
  });

  it("assets that crash: the old ones are back, FAILED rolled-back", () => {
    const product = new Product({
      onEvent: (event, world) => {
        if (event.type === "activate") world.agent.activateNewImage();
        if (event.type === "start-test") {
          if ((world as Product).versions.includes(" bad ")) world.clock.set(() => world.reset(), 10);
          else world.agent.setImageState("accepted");
        }
      },
      pal: { allowDowngrade: true },
    });
    product.powerOn();
    product.ended(product.deploySet(new Map([[ASSETS, assets("1")]])));
    const { status, statusDetails } = product.ended(product.deploySet(new Map([[ASSETS, assets("bad")]])));
    deepEqual([status, statusDetails["code"]], ["FAILED", "rolled-back"]);
    equal(product.versions, "1.0.0 1 -");
  });

  it("no rollback in the boot loader: a set with firmware was taken all the same", () => {
    const product = new Product({ device: { rollback: false } });
    product.powerOn();
    const set = new Map([
      [0, image("2.0.0")],
      [ASSETS, assets("2")],
    ]);
    const { status, statusDetails } = product.ended(product.deploySet(statement(set, 1)));
    deepEqual([status, statusDetails["code"]], ["FAILED", "no-rollback"]);
    equal(product.versions, "1.0.0 - -");
    // Components come back by their record.
    const alone = new Map([
      [ASSETS, assets("3")],
      [CERTS, certs("3")],
    ]);
    equal(product.ended(product.deploySet(statement(alone, 2))).status, "SUCCEEDED");
    equal(product.versions, "1.0.0 3 3");
  });

  it("a set with firmware: all together, by one switch", () => {
    const product = new Product();
    product.powerOn();
    const set = new Map([
      [0, image("2.0.0")],
      [ASSETS, assets("2", { minFirmware: "2" })],
      [CERTS, certs("2")],
    ]);
    const { status, statusDetails } = product.ended(product.deploySet(statement(set, 1)));
    equal(status, "SUCCEEDED", JSON.stringify(statusDetails));
    ok(statusDetails["image"].startsWith("2.0.0+"));
    equal(product.versions, "2.0.0 2 2");
    deepEqual([...new Set(product.lives)], ["1.0.0 - -", "2.0.0 2 2"]);
  });

  it("a set with firmware that crashes: everything is back", () => {
    const product = new Product({
      onEvent: (event, world) => {
        if (event.type === "activate") world.agent.activateNewImage();
        if (event.type === "start-test") world.clock.set(() => world.reset(), 10);
      },
    });
    product.powerOn();
    const set = new Map([
      [0, image("2.0.0")],
      [ASSETS, assets("2")],
    ]);
    const { status, statusDetails } = product.ended(product.deploySet(statement(set, 1)));
    deepEqual([status, statusDetails["code"]], ["FAILED", "rolled-back"]);
    equal(product.versions, "1.0.0 - -");
  });

  it("a set whose last file is refused by its head: nothing was erased", () => {
    const product = new Product();
    product.powerOn();
    product.run(5000);
    const { operations } = product.flash;
    const set = new Map([
      [ASSETS, assets("2")],
      [CERTS, certs("2", { minFirmware: "9" })],
    ]);
    const { status, statusDetails } = product.ended(product.deploySet(statement(set, 1)));
    deepEqual([status, statusDetails["code"]], ["FAILED", "bad-version"]);
    equal(product.flash.operations, operations);
  });

  it("a power cut in the middle: each file goes on from where it was", () => {
    const product = new Product({ link: { rtt: 400 } });
    product.powerOn();
    const set = statement(
      new Map([
        [0, image("2.0.0", { size: 60_000 })],
        [ASSETS, assets("2")],
        [CERTS, certs("2")],
      ]),
      1,
    );
    const job = product.deploySet(set);
    product.wait(() => product.count("progress") > 12);
    product.reset();
    product.wait(() => product.count("progress") > 17);
    product.reset();
    equal(product.ended(job).status, "SUCCEEDED");
    equal(product.versions, "2.0.0 2 2");
  });

  it("says where the files of a set are", () => {
    const product = new Product({ agent: { statusInterval: 1 } });
    product.powerOn();
    const updates = product.listen("/update");
    const set = new Map([
      [ASSETS, assets("2")],
      [CERTS, certs("2")],
    ]);
    product.ended(product.deploySet(statement(set, 1)));
    const said = updates.map(({ statusDetails }) => statusDetails?.files).filter(Boolean);
    ok(said.includes("255:ready 10:ready 11:50%"), JSON.stringify(said));
  });

  it("a job of several files nobody signed as a set ends FAILED", () => {
    const product = new Product();
    product.powerOn();
    const { status, statusDetails } = product.ended(
      product.deploySet(
        new Map([
          [ASSETS, assets("2")],
          [CERTS, certs("2")],
        ]),
      ),
    );
    deepEqual([status, statusDetails["code"]], ["FAILED", "signature-missing"]);
  });

  it("firmware alone goes as ever", () => {
    const product = new Product();
    product.powerOn();
    equal(product.ended(product.deploy(image("1.1.0"))).status, "SUCCEEDED");
    equal(product.versions, "1.1.0 - -");
  });
});

/** A product that takes deltas as well. */
class DeltaProduct extends Product {
  constructor() {
    super({ staged: true, image: image("1.0.0", { seed: 3 }) });
  }
}

describe("sets with files that are in use already", () => {
  const first = new Map([
    [ASSETS, assets("1")],
    [CERTS, certs("1")],
  ]);

  // Before, the first file found to be in use ended the job SUCCEEDED, with the others never fetched.
  it("install the other files", () => {
    const product = new Product();
    product.powerOn();
    product.ended(product.deploySet(statement(first, 1)));
    const next = new Map([
      [ASSETS, assets("1")],
      [CERTS, certs("2")],
    ]);
    const { status, statusDetails } = product.ended(product.deploySet(statement(next, 2)));
    equal(status, "SUCCEEDED", JSON.stringify(statusDetails));
    equal(product.versions, "1.0.0 1 2");
  });

  // Before, SUCCEEDED without the assets; and a power cut before the switch would have put them in use untried.
  it("are refused with the firmware that runs", () => {
    const product = new Product();
    product.powerOn();
    const set = new Map([
      [0, image("1.0.0")],
      [ASSETS, assets("2")],
    ]);
    const { status, statusDetails } = product.ended(product.deploySet(statement(set, 1)));
    deepEqual([status, statusDetails["code"]], ["FAILED", "same-version"]);
    equal(product.versions, "1.0.0 - -");
  });
});

describe("components beside firmware that comes as a delta", () => {
  const fresh = image("2.0.0", { seed: 3 });

  it("a set with firmware is installed", () => {
    const product = new DeltaProduct();
    product.powerOn();
    const set = new Map([
      [0, fresh],
      [ASSETS, assets("2")],
    ]);
    const { status, statusDetails } = product.ended(product.deploySet(statement(set, 1)));
    equal(status, "SUCCEEDED", JSON.stringify(statusDetails));
    equal(product.versions, "2.0.0 2 -");
  });

  it("a job for firmware alone takes the delta", () => {
    const product = new DeltaProduct();
    product.powerOn();
    const old = image("1.0.0", { seed: 3 });
    const payloads = [{ kind: `;base=${buildIdOf(old)}`, bytes: makePayload(fresh, old) }];
    const { status, statusDetails } = product.ended(product.deploy(fresh, { payloads }));
    equal(status, "SUCCEEDED", JSON.stringify(statusDetails));
    ok(statusDetails["payload"].startsWith("delta of "), JSON.stringify(statusDetails));
  });
});

describe("a record log that fails as assets are accepted", () => {
  const failing = (lives: number) => {
    const product: Product = new Product({
      onEvent: (event, world) => {
        if (event.type === "activate") world.agent.activateNewImage();
        if (event.type !== "start-test") return;
        let left = lives;
        world.flash.faults = {
          fate: ({ kind, offset }) =>
            kind === "write" && offset >= STORAGE && offset < STORAGE + 2 * SECTOR_SIZE && left-- > 0
              ? "fail"
              : undefined,
        };
        world.agent.setImageState("accepted");
      },
    });
    product.powerOn();
    return { product, ...product.ended(product.deploySet(new Map([[ASSETS, assets("1")]]))) };
  };

  it("once: the other sector takes it", () => {
    const { product, status } = failing(1);
    equal(status, "SUCCEEDED");
    product.reset();
    equal(product.versions, "1.0.0 1 -");
  });

  // Before, they were given up for this life alone: a record that could be read after all made them current.
  it("twice: given up, FAILED, and the record says the same", () => {
    const { product, status, statusDetails } = failing(2);
    deepEqual([status, statusDetails["code"]], ["FAILED", "commit-failed"]);
    product.run(10_000);
    equal(product.versions, "1.0.0 - -");
  });
});
