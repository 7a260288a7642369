import { encodeUtf8 } from "../../src/bytes.js";
import type { OtaEvent } from "../../src/index.js";
import { HttpPlane } from "../../src/transfer/http.js";
import { UrlUpdates } from "../../src/url/index.js";
import { deepEqual, equal, ok, throws } from "../support/assert.js";
import { VirtualClock } from "../support/virtual-clock.js";
import { objectServer, VirtualHttp } from "../support/virtual-http.js";
import { image, sign, World, type WorldOptions } from "../support/world.js";

const MANIFEST = "http://files.test/app/manifest.json";

function manifest(bytes: Uint8Array, more: object = {}): Uint8Array {
  const { key, value } = sign(bytes);
  const file = {
    fileid: 0,
    filesize: bytes.length,
    filepath: "app",
    update_data_url: "images/app.bin",
    [key]: value,
    ...more,
  };
  return encodeUtf8(JSON.stringify({ afr_ota: { protocols: ["HTTP"], files: [file] } }));
}

/** A device whose only service is a web server. */
class Product {
  readonly files = new Map<string, Uint8Array>();
  readonly agent: NonNullable<WorldOptions["agent"]> & { pollMs: number } = { pollMs: 3_600_000 };
  readonly world: World;
  readonly http: VirtualHttp;
  readonly updates: UrlUpdates;
  /** Answered with this status instead. */
  down = 0;

  constructor(url: string | undefined, onEvent?: WorldOptions["onEvent"]) {
    const { agent } = this;
    this.world = new World({ agent, onEvent });
    const clock = new VirtualClock(this.world.time);
    this.http = new VirtualHttp(clock, (request) => {
      const file = this.files.get(request.url);
      if (this.down) return { status: this.down };
      return file ? objectServer(file)(request) : { status: 404 };
    });
    this.updates = new UrlUpdates({ http: this.http, url });
    agent.controlPlane = this.updates.plane;
    const { http } = this;
    Object.defineProperty(agent, "dataPlanes", {
      enumerable: true,
      get: () => [new HttpPlane({ http, clock })],
    });
  }

  publish(bytes: Uint8Array, more: object = {}): void {
    this.files.set(MANIFEST, manifest(bytes, more));
    this.files.set("http://files.test/app/images/app.bin", bytes);
  }

  get statuses(): string[] {
    const all = this.world.events as OtaEvent[];
    return all.flatMap((event) => (event.type === "status" ? [event.status] : []));
  }

  get reasons(): string[] {
    const all = this.world.events as OtaEvent[];
    return all.flatMap((event) => (event.type === "fail" ? [event.error.code] : []));
  }

  fetches(url: string): number {
    return this.http.requests.filter((request) => request.url === url).length;
  }
}

const minutes = (count: number) => count * 60_000;

describe("updates from a URL", () => {
  it("installs what the manifest offers, on trial, once", () => {
    const product = new Product(MANIFEST);
    product.publish(image("2.0.0"));
    product.world.powerOn();
    product.world.time.run(minutes(5));
    deepEqual(product.world.boots, ["ota_0 1.0.0 valid", "ota_1 2.0.0 pending-verify"]);
    equal(product.world.state, "ota_1 2.0.0 valid");
    equal(product.statuses.slice(-1)[0], "SUCCEEDED");
    product.world.reset();
    product.world.time.run(minutes(300));
    equal(product.world.state, "ota_1 2.0.0 valid");
    equal(product.world.boots.length, 3);
    ok(product.fetches(MANIFEST) >= 4, "the manifest is looked at every hour");
    const begun = product.http.requests.filter(({ url, first }) => url.endsWith(".bin") && first === 0);
    equal(begun.length, 1, "the image is fetched once");
  });

  it("takes the next manifest at the next look", () => {
    const product = new Product(MANIFEST);
    product.publish(image("2.0.0"));
    product.world.powerOn();
    product.world.time.run(minutes(5));
    product.publish(image("3.0.0"));
    product.world.time.run(minutes(90));
    equal(product.world.state, "ota_0 3.0.0 valid");
  });

  it("does nothing without a URL until it is given one", () => {
    const product = new Product(undefined);
    product.publish(image("2.0.0"));
    product.world.powerOn();
    product.world.time.run(minutes(200));
    equal(product.http.requests.length, 0);
    product.updates.updateFrom(MANIFEST);
    product.world.time.run(minutes(5));
    equal(product.world.state, "ota_1 2.0.0 valid");
  });

  it("refuses an image that nobody trusted has signed, one that is older, and says why", () => {
    const product = new Product(MANIFEST);
    const bytes = image("2.0.0");
    product.publish(bytes, { "sig-sha256-ecdsa": sign(image("2.0.1")).value });
    product.world.powerOn();
    product.world.time.run(minutes(5));
    equal(product.world.state, "ota_0 1.0.0 valid");
    equal(product.reasons[0], "signature-check");
    product.publish(image("0.9.0"));
    product.world.time.run(minutes(90));
    equal(product.world.state, "ota_0 1.0.0 valid");
    ok(product.reasons.includes("downgrade"), product.reasons.join());
  });

  it("tries what has failed three times, an hour apart, then when it is asked to, and when the manifest changes", () => {
    const product = new Product(MANIFEST);
    product.publish(image("2.0.0"));
    product.files.delete("http://files.test/app/images/app.bin");
    product.world.powerOn();
    product.world.time.run(minutes(1_000));
    equal(product.statuses.filter((status) => status === "FAILED").length, 3);
    product.world.reset();
    product.world.time.run(minutes(300));
    equal(product.statuses.filter((status) => status === "FAILED").length, 3);
    product.publish(image("2.0.0"));
    product.updates.updateFrom(MANIFEST);
    product.world.time.run(minutes(10));
    equal(product.world.state, "ota_1 2.0.0 valid");
  });

  it("goes on after a power cut in the middle, without fetching again what is here", () => {
    const product = new Product(undefined);
    const { world } = product;
    product.publish(image("2.0.0", { size: 100_000 }));
    world.powerOn();
    world.time.run(1_000);
    product.updates.updateFrom(MANIFEST);
    const progress = () => world.events.some((event) => event.type === "progress" && event.bytes > 50_000);
    ok(world.time.runUntilDone(progress, minutes(5)));
    world.reset();
    world.time.run(minutes(5));
    equal(world.state, "ota_1 2.0.0 valid");
    const ranges = product.http.requests.filter(({ url }) => url.endsWith(".bin"));
    ok(ranges[ranges.length - 1].first > 0, "from where it was");
  });

  it("keeps an image on trial whose manifest is replaced meanwhile, and installs the next one after it", () => {
    const product = new Product(MANIFEST, (event, { agent }) => {
      if (event.type === "activate") {
        product.publish(image("3.0.0"));
        agent.activateNewImage();
      }
      if (event.type === "start-test") agent.setImageState("accepted");
    });
    product.publish(image("2.0.0"));
    product.world.powerOn();
    product.world.time.run(minutes(180));
    deepEqual(
      product.world.boots.map((line) => line.split(" ")[1]),
      ["1.0.0", "2.0.0", "3.0.0"],
    );
  });

  it("rolls back an image that cannot reach the server any more, and one whose manifest is withdrawn", () => {
    for (const down of [503, 404]) {
      const product = new Product(MANIFEST, (event, { agent }) => {
        if (event.type === "activate") {
          product.down = down;
          agent.activateNewImage();
        }
        if (event.type === "start-test") agent.setImageState("accepted");
      });
      product.publish(image("2.0.0"));
      product.world.powerOn();
      product.world.time.run(minutes(10));
      ok(product.world.state.startsWith("ota_0 1.0.0"), product.world.state);
      // Once more, as with any image that was rolled back, then not again.
      product.down = 0;
      product.world.time.run(minutes(600));
      equal(product.world.boots.length, 5, product.world.boots.join());
    }
  });

  it("follows redirects; URLs in the manifest count from where it was", () => {
    const product = new Product("http://short.test/u");
    const { server } = product.http;
    product.http.server = (request) =>
      request.url === "http://short.test/u"
        ? { status: 302, headers: { location: MANIFEST } }
        : server(request);
    product.publish(image("2.0.0"));
    product.world.powerOn();
    product.world.time.run(minutes(5));
    equal(product.world.state, "ota_1 2.0.0 valid");
  });

  it("asks again, ever more rarely, while the server fails, stalls, sends too much or something else", () => {
    const product = new Product(MANIFEST);
    const answers = [
      () => ({ status: 500 }),
      () => ({ refused: true, status: 0 }),
      () => ({ status: 200, body: new Uint8Array(10_000) }),
      () => ({ status: 200, body: new Uint8Array(100), stall: 50 }),
      () => ({ status: 200, body: encodeUtf8("{}"), headers: { "content-encoding": "gzip" } }),
      () => ({ status: 301 }),
    ];
    let asked = 0;
    product.http.server = () => answers[asked++ % answers.length]();
    product.world.powerOn();
    product.world.time.run(minutes(60));
    ok(asked >= 12 && asked <= 30, `${asked} requests in an hour`);
    equal(product.world.events.filter((event) => event.type === "fail").length, 0);
  });

  it("says so, and goes on, when the manifest is none", () => {
    for (const text of [
      "",
      "<html>",
      "[]",
      "{}",
      '{"afr_ota":{}}',
      '{"afr_ota":{"protocols":["HTTP"],"files":[',
    ]) {
      const product = new Product(MANIFEST);
      product.files.set(MANIFEST, encodeUtf8(text));
      product.world.powerOn();
      product.world.time.run(minutes(1));
      product.publish(image("2.0.0"));
      product.world.time.run(minutes(130));
      equal(product.world.state, "ota_1 2.0.0 valid", text);
    }
  });

  it("checks what it is given", () => {
    const { updates, http } = new Product(undefined);
    throws(() => updates.updateFrom("ftp://x/y"), { type: TypeError });
    throws(() => updates.updateFrom(`http://x/${"y".repeat(600)}`), { type: TypeError });
    throws(() => updates.updateFrom(MANIFEST), { message: "no agent" });
    throws(() => new UrlUpdates({ http, url: "x" }), { type: TypeError });
  });
});
