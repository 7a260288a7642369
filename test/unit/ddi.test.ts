/**
 * The control plane for hawkBit, endpoint by endpoint, against a strict model of its device side.
 * @module
 */
import { decodeUtf8, encodeUtf8 } from "../../src/bytes.js";
import type { ControlPlane } from "../../src/control/control-plane.js";
import type { ParsedJob } from "../../src/control/job-document.js";
import type { StatusDetails, UpdateResult } from "../../src/control/job-status.js";
import { authorized, type DdiOptions, ddi } from "../../src/ddi/index.js";
import type { Store } from "../../src/ports.js";
import { deepEqual, equal, ok, throws } from "../support/assert.js";
import * as Event from "../support/control-events.js";
import { app, FakePal } from "../support/fake-pal.js";
import { Hawkbit, type HawkbitAction, type HawkbitModule, type HawkbitResponse } from "../support/hawkbit.js";
import { VirtualClock } from "../support/virtual-clock.js";
import { VirtualHttp } from "../support/virtual-http.js";

const SIGNATURE = Uint8Array.of(0x30, 6, 2, 1, 1, 2, 1, 1);
const BASE = encodeUtf8('{"config": {"polling": {"sleep": "00:05:00"}}, "_links": {}}');
const BASE64 = "MAYCAQECAQE=";
const IMAGE = new Uint8Array(5_000);

const signed = (more: Partial<HawkbitModule> = {}): HawkbitModule => ({
  ...{ type: "os", version: "2.0.0", name: "app" },
  artifacts: [{ filename: "app.bin", content: IMAGE }],
  metadata: { "sig-sha256-ecdsa": BASE64, certfile: "key-1" },
  ...more,
});

/** The same with its signature as an artifact. */
const signedBeside = (): HawkbitModule =>
  signed({
    artifacts: [
      { filename: "app.bin", content: IMAGE },
      { filename: "app.bin.sig", content: SIGNATURE },
    ],
    metadata: undefined,
  });

class MemoryStore implements Store {
  readonly values = new Map<string, string>();
  broken: "get" | "set" | "" = "";
  get(key: string): string | undefined {
    if (this.broken === "get") throw new Error("no memory");
    return this.values.get(key);
  }
  set(key: string, value: string): void {
    if (this.broken) throw new Error("no memory");
    this.values.set(key, value);
  }
}

class Rig {
  readonly clock = new VirtualClock();
  readonly server = new Hawkbit();
  readonly store = new MemoryStore();
  readonly pal = new FakePal(this.clock);
  readonly http = new VirtualHttp(this.clock, (request) => this.server.handle(request));
  /** What the agent was told. */
  readonly told: [event: number, data: unknown][] = [];
  /** What the agent does when it is told. */
  onTold: (event: number) => void = () => {};
  readonly logs: string[] = [];
  plane: ControlPlane;
  /** The agent asks whenever it is told to look. */
  asks = true;

  constructor(options: Partial<DdiOptions> = {}) {
    this.server.attributesWanted = false;
    this.plane = this.life(options);
  }

  /** Another life of the device, with the same store. */
  life(options: Partial<DdiOptions> = {}): ControlPlane {
    const { root, token } = this.server;
    const make = ddi({ http: authorized(this.http, root, token), url: root, ...options });
    const { clock, store, pal } = this;
    const log = (_level: string, text: string) => void this.logs.push(text);
    const plane = make(
      { thingName: "t", mqtt: undefined as never, pal, clock, random: () => 0.5, store, log },
      (event, data) => {
        this.onTold(event);
        this.told.push([event, data]);
        if (this.asks && (event === Event.Subscribed || event === Event.RequestJobDocument)) plane.request();
      },
    );
    this.plane = plane;
    return plane;
  }

  run(ms = 2_000): void {
    this.clock.run(ms);
  }

  /** Opens, polls, and returns what was offered last. */
  offer(): ParsedJob {
    this.plane.open();
    this.run();
    return this.last();
  }

  last(): ParsedJob {
    return this.told.filter(([event]) => event === Event.ReceivedJobDocument).pop()?.[1] as ParsedJob;
  }

  report(status: "IN_PROGRESS" | "SUCCEEDED" | "FAILED", details: StatusDetails, ms = 2_000): UpdateResult[] {
    const results: UpdateResult[] = [];
    const { id } = this.server.actions[this.server.actions.length - 1];
    const job = { jobId: String(id), executionNumber: undefined };
    this.plane.update(job, status, details, (result) => results.push(result));
    this.run(ms);
    return results;
  }

  /** Feedback of the last action, without what the server noted itself. */
  get history(): string[] {
    const { history } = this.server.actions[this.server.actions.length - 1];
    return history.filter(({ status }) => status !== "retrieved").map(({ status }) => status);
  }
}

function jobOf(parsed: ParsedJob) {
  if (parsed?.kind !== "ota") throw new Error(`no job: ${JSON.stringify(parsed)}`);
  return parsed.job;
}

const READY: StatusDetails = { self_test: "ready", updatedBy: "0x01000000", image: "2.0.0+aabb" };

describe("DDI: polling", () => {
  it("asks at once, and again at the server's pace, never before it", () => {
    const rig = new Rig();
    equal(rig.offer().kind, "none");
    equal(rig.last().clientToken, "ddi");
    deepEqual(rig.server.log, ["GET "]);
    rig.run(295_000);
    equal(rig.server.log.length, 1);
    rig.run(80_000);
    equal(rig.server.log.length, 2);
  });

  for (const [sleep, least, most] of [
    ["00:00:01", 30, 38],
    ["00:01:00", 60, 75],
    ["99:59:59", 86_400, 108_000],
    ["soon", 300, 375],
  ] as const)
    it(`keeps to ${sleep} within bounds`, () => {
      const rig = new Rig();
      rig.server.sleep = sleep;
      rig.plane.open();
      rig.run(least * 1000 - 100);
      equal(rig.server.log.length, 1);
      rig.run((most - least) * 1000 + 1_000);
      equal(rig.server.log.length, 2);
    });

  const failures: [string, HawkbitResponse & { refused?: boolean; silent?: boolean }][] = [
    ["a server that is not there", { status: 0, refused: true }],
    ["a server that does not answer", { status: 0, silent: true }],
    ["status 500", { status: 500 }],
    ["status 429", { status: 429 }],
    ["a wrong token", { status: 401 }],
    ["no JSON", { status: 200, body: Uint8Array.of(0x7b) }],
    ["a list", { status: 200, body: Uint8Array.of(0x5b, 0x5d) }],
    ["an endless answer", { status: 200, body: new Uint8Array(100_000).fill(0x20) }],
    // Taken for JSON before.
    ["a coding nobody asked for", { status: 200, headers: { "content-encoding": "gzip" }, body: BASE }],
    ["a circle of redirects", { status: 307, headers: { location: "?again" } }],
  ];
  for (const [name, response] of failures)
    it(`${name}: asks again with growing waits, and goes on once it answers`, () => {
      const rig = new Rig();
      rig.server.intercept = () => response;
      rig.plane.open();
      rig.run(600_000);
      const { length } = rig.server.log.filter((line) => line === "GET ");
      ok(length >= 4 && length <= 10, `${length} attempts in ten minutes`);
      equal(rig.last(), undefined);
      equal(rig.plane.connected, false);
      rig.server.intercept = undefined;
      rig.run(400_000);
      equal(rig.last().kind, "none");
      equal(rig.plane.connected, true);
    });

  it("follows a redirect of what it asks for", () => {
    const rig = new Rig();
    rig.server.intercept = ({ url }) =>
      url.endsWith("?moved") ? undefined : { status: 307, headers: { location: "?moved" } };
    // The server was said to refuse before.
    equal(rig.offer().kind, "none");
    deepEqual(rig.server.log, ["GET ", "GET ?moved"]);
  });

  it("waits as long as Retry-After says", () => {
    const rig = new Rig();
    rig.server.intercept = () => ({ status: 503, headers: { "retry-after": "120" } });
    rig.plane.open();
    rig.run(119_000);
    equal(rig.server.log.length, 1);
  });

  it("says nothing more once closed", () => {
    const rig = new Rig();
    rig.plane.open();
    rig.run(10);
    rig.plane.close();
    const { length } = rig.told;
    rig.run(1_000_000);
    equal(rig.told.length, length);
  });

  it("wants a store and a URL", () => {
    throws(() => new Rig({ url: "hawkbit" }), { type: RangeError, message: '"url"' });
    throws(() => new Rig({ url: "https://host/DEFAULT/controller/v1/x/" }), {
      type: RangeError,
      message: '"url"',
    });
    const make = ddi({ http: new Rig().http, url: "https://host/DEFAULT/controller/v1/x" });
    throws(() => make({} as never, () => {}), { type: TypeError, message: '"store"' });
  });
});

describe("DDI: who asks", () => {
  const seen = (url: string, target: string) => {
    let fields: ReadonlyMap<string, string> = new Map();
    const get = (_: string, headers: typeof fields) => {
      fields = headers;
      return () => {};
    };
    const http = { get, close() {} };
    authorized(http, url, "TargetToken x").get(target, new Map([["range", "bytes=0-1"]]), {} as never);
    equal(fields.get("range"), "bytes=0-1");
    return fields.get("authorization");
  };
  it("is said to the server, however it writes its name", () => {
    for (const target of ["https://host/a", "HTTPS://HOST:443/b?c", "https://host"])
      equal(seen("https://host/DEFAULT/controller/v1/x", target), "TargetToken x");
  });
  it("is said to nobody else", () => {
    for (const target of [
      "http://host/a",
      "https://host:8443/",
      "https://host@evil/",
      "https://host.evil/",
      "x",
    ])
      equal(seen("https://host/DEFAULT/controller/v1/x", target), undefined);
  });
});

describe("DDI: attributes", () => {
  it("are told when the server asks, its own with the product's, as hawkBit takes them", () => {
    const rig = new Rig({ attributes: () => ({ site: "Zürich", long: "x".repeat(500) }) });
    rig.server.attributesWanted = true;
    rig.offer();
    const { attributes } = rig.server;
    equal(attributes.get("site"), "Z?rich");
    equal(attributes.get("long")?.length, 128);
    equal(attributes.get("version"), "1.0.1");
    equal(rig.server.attributesWanted, false);
    deepEqual(rig.server.log, ["GET ", "PUT /configData"]);
  });

  it("are at most a hundred", () => {
    const many = Object.fromEntries(Array.from({ length: 150 }, (_, n) => [`key${n}`, "x"]));
    const rig = new Rig({ attributes: () => many });
    rig.server.attributesWanted = true;
    rig.offer();
    equal(rig.server.attributes.size, 100);
  });
});

describe("DDI: deployments", () => {
  it("become jobs: files, signature of the module, what the operator wants", () => {
    const rig = new Rig();
    rig.server.assign([signed()]);
    const job = jobOf(rig.offer());
    equal(job.jobId, "41");
    deepEqual(job.protocols, ["HTTP"]);
    equal(job.forced, true);
    ok(job.document.includes('"forced"'));
    const [{ signature, ...file }] = job.files;
    deepEqual(signature, { algorithm: "sig-sha256-ecdsa", bytes: SIGNATURE });
    deepEqual(file, {
      ...{ fileId: 0, fileSize: 5_000, fileType: 0, filePath: "app.bin", certFile: "key-1", streamName: "" },
      url: `${rig.server.root}/softwaremodules/41.0/artifacts/app.bin`,
    });
  });

  it("have signatures that are artifacts; they are fetched once", () => {
    const rig = new Rig();
    rig.server.assign([signedBeside()]);
    deepEqual(jobOf(rig.offer()).files[0].signature?.bytes, SIGNATURE);
    rig.run(400_000);
    deepEqual(jobOf(rig.last()).files[0].signature?.bytes, SIGNATURE);
    equal(rig.server.log.filter((line) => line.endsWith(".sig")).length, 1);
  });

  it("whose signature is not to be had are looked at again, and offered without one in the end", () => {
    const rig = new Rig();
    rig.server.assign([signedBeside()]);
    rig.server.intercept = ({ url }) => (url.endsWith(".sig") ? { status: 404 } : undefined);
    equal(rig.offer().kind, "none");
    rig.run(800_000);
    equal(jobOf(rig.last()).files[0].signature, undefined);
  });

  it("of what is installed are offered though their signature is not to be had: an image on trial was taken for a stranger", () => {
    const rig = new Rig();
    rig.server.assign([signedBeside()]);
    rig.offer();
    rig.report("IN_PROGRESS", { ...READY, image: "1.0.1+11111111" });
    rig.server.intercept = ({ url }) => (url.endsWith(".sig") ? { status: 404 } : undefined);
    // As long as it runs on, what was known of it stays: the job at hand is the same.
    rig.run(400_000);
    deepEqual(jobOf(rig.last()).files[0].signature?.bytes, SIGNATURE);
    rig.plane.close();
    rig.life();
    equal(jobOf(rig.offer()).progress.selfTest, true);
    // Something else runs: it is fetched again, and has to be verified.
    rig.pal.running = app("1.0.0", "33333333");
    rig.plane.close();
    rig.life();
    equal(rig.offer().kind, "none");
  });

  it("are signed for deltas as for the image they make", () => {
    const rig = new Rig();
    const names = ["app.bin", "app.bin,packed", "app.bin,base=0a1b2c3d,signed=file", "app,packed.bin"];
    const artifacts = names.map((filename) => ({ filename, content: IMAGE }));
    rig.server.assign([signed({ artifacts: artifacts.slice(0, 3) })]);
    deepEqual(
      jobOf(rig.offer()).files.map(({ filePath, signature }) => [filePath, signature?.bytes]),
      [
        ["app.bin", SIGNATURE],
        // Semicolons before, which hawkBit answers with 400.
        ["app.bin;packed", SIGNATURE],
        ["app.bin;base=0a1b2c3d;signed=file", SIGNATURE],
      ],
    );
    const other = new Rig();
    other.server.assign([signed({ artifacts: artifacts.slice(3) })]);
    equal(jobOf(other.offer()).files[0].filePath, "app,packed.bin");
  });

  it("are signed by what lies beside them before what their module says", () => {
    const rig = new Rig();
    const own = Uint8Array.of(0x30, 3, 2, 1, 7);
    const artifacts = [
      { filename: "app.bin", content: IMAGE },
      { filename: "app.bin,packed,signed=file", content: IMAGE },
      { filename: "app.bin,packed,signed=file.sig", content: own },
    ];
    rig.server.assign([signed({ artifacts })]);
    // Of the image before, which what is signed for itself does not have.
    deepEqual(
      jobOf(rig.offer()).files.map(({ filePath, signature }) => [filePath, signature?.bytes]),
      [
        ["app.bin", SIGNATURE],
        ["app.bin;packed;signed=file", own],
      ],
    );
  });

  it("of several modules are one job, each file of its type", () => {
    const rig = new Rig({ parts: { os: 0, assets: 10 } });
    const content = new Uint8Array(300);
    rig.server.assign([
      signed(),
      signed({ type: "assets", name: "assets", artifacts: [{ filename: "a.bin", content }] }),
    ]);
    deepEqual(
      jobOf(rig.offer()).files.map(({ fileType, filePath, fileId }) => [fileType, filePath, fileId]),
      [
        [0, "app.bin", 0],
        [10, "a.bin", 1],
      ],
    );
  });

  const many = (count: number) =>
    signed({
      artifacts: Array.from({ length: count }, (_, n) => ({ filename: `${count}-${n}`, content: IMAGE })),
    });
  const unfit: [string, HawkbitModule[], string][] = [
    ["a part unknown here", [signed({ type: "sensor" })], 'part "sensor"'],
    ["a part named like a method", [signed({ type: "toString" })], 'part "toString"'],
    ["nothing in them", [signed({ artifacts: [] })], "artifacts"],
    ["an empty file", [signed({ artifacts: [{ filename: "a", content: new Uint8Array(0) }] })], "size"],
    ["more files than are looked at, in several parts", [many(26), many(25)], "more than 50"],
    ["a signature that is none", [signed({ metadata: { "sig-sha256-ecdsa": "§" } })], "base64"],
  ];
  for (const [name, modules, words] of unfit)
    it(`with ${name} are refused in words`, () => {
      const rig = new Rig();
      rig.server.assign(modules);
      const parsed = rig.offer();
      if (parsed.kind !== "invalid") throw new Error(parsed.kind);
      equal(parsed.jobId, "41");
      ok(parsed.error.message.includes(words), parsed.error.message);
    });

  it("that only download are refused", () => {
    const rig = new Rig();
    rig.server.assign([signed()], { type: "download_only" });
    const parsed = rig.offer();
    equal(parsed.kind === "invalid" && parsed.error.code, "refused");
  });

  it("that become forced are offered at once although they were put off", () => {
    const rig = new Rig();
    const action = rig.server.assign([signed()], { type: "soft" });
    equal(jobOf(rig.offer()).forced, false);
    action.type = "forced";
    rig.run(400_000);
    equal(jobOf(rig.last()).forced, true);
    equal(rig.told.filter(([event]) => event === Event.CheckForUpdate).length, 1);
    rig.run(400_000);
    equal(rig.told.filter(([event]) => event === Event.CheckForUpdate).length, 1);
  });

  it("wait for consent: it is given, or denied once", () => {
    const rig = new Rig();
    rig.server.confirmation = true;
    rig.server.assign([signed()]);
    equal(jobOf(rig.offer()).jobId, "41");
    const shy = new Rig({ confirm: () => false });
    shy.server.confirmation = true;
    shy.server.assign([signed()]);
    equal(shy.offer().kind, "none");
    shy.run(1_000_000);
    equal(shy.server.log.filter((line) => line.startsWith("POST")).length, 1);
    let answer: boolean | undefined;
    const later = new Rig({ confirm: (id) => (id === "41" ? answer : false) });
    later.server.confirmation = true;
    later.server.assign([signed()]);
    equal(later.offer().kind, "none");
    answer = true;
    later.run(400_000);
    equal(jobOf(later.last()).jobId, "41");
  });
});

describe("DDI: feedback", () => {
  const rig = () => {
    const made = new Rig();
    made.server.assign([signed()]);
    made.offer();
    return made;
  };

  it("says each state, and ends the action", () => {
    const { server, history, ...rest } = rig();
    const made = Object.assign(Object.create(Rig.prototype), { server, ...rest }) as Rig;
    deepEqual(history, []);
    made.plane.update({ jobId: "41", executionNumber: undefined }, "IN_PROGRESS", { receive: "3/10" }, false);
    made.run();
    deepEqual(made.report("IN_PROGRESS", READY), ["accepted"]);
    deepEqual(made.report("IN_PROGRESS", { ...READY, self_test: "active" }), ["accepted"]);
    deepEqual(made.report("SUCCEEDED", { reason: "accepted  v2.0.0" }), ["accepted"]);
    deepEqual(made.history, ["download", "downloaded", "proceeding", "finished"]);
    equal(server.actions[0].status, "finished");
    deepEqual(server.actions[0].history[1].messages, ["receive: 3/10"]);
  });

  it("says why an action has failed, in messages hawkBit takes", () => {
    const made = rig();
    deepEqual(made.report("FAILED", { code: "bad-image", message: "x".repeat(1_024) }), ["accepted"]);
    const { status, history } = made.server.actions[0];
    equal(status, "error");
    deepEqual(
      history[1].messages.map(({ length }) => length),
      [15, 512],
    );
  });

  it("is repeated until it is answered, in order", () => {
    const made = rig();
    made.server.intercept = () => ({ status: 503 });
    const job = { jobId: "41", executionNumber: undefined };
    const order: string[] = [];
    made.plane.update(job, "IN_PROGRESS", READY, (result) => order.push(`ready ${result}`));
    made.plane.update(job, "FAILED", { code: "x" }, (result) => order.push(`failed ${result}`));
    ok(made.plane.reporting && made.plane.isReporting("41"));
    made.run(100_000);
    deepEqual(order, []);
    made.server.intercept = undefined;
    made.run(400_000);
    deepEqual(order, ["ready accepted", "failed accepted"]);
    ok(!made.plane.reporting);
  });

  it("of an action that is over is gone", () => {
    const made = rig();
    made.server.forceQuit(made.server.actions[0]);
    deepEqual(made.report("IN_PROGRESS", READY), ["gone"]);
    made.plane.update({ jobId: "41", executionNumber: undefined }, "IN_PROGRESS", { receive: "1/2" }, false);
    made.run();
    deepEqual(made.told[made.told.length - 1], [Event.JobGone, "41"]);
  });

  for (const [status, details, last] of [
    ["FAILED", { reason: "rejected: 0x00000082", code: "bad-image", message: "no" }, "code: bad-image"],
    ["SUCCEEDED", { reason: "accepted  v2.0.0", image: "no" }, "reason: accepted  v2.0.0"],
  ] as const)
    it(`${status}, refused for its words, is said with a word of the agent's own`, () => {
      const made = rig();
      made.server.intercept = ({ body }) => (decodeUtf8(body).includes(": no") ? { status: 400 } : undefined);
      deepEqual(made.report(status, details), ["accepted"]);
      deepEqual(made.server.actions[0].history[1].messages, [last]);
    });

  it("of an end is never without a word: it said nothing at all before", () => {
    const made = rig();
    made.server.intercept = ({ method, body }) =>
      method === "POST" && !decodeUtf8(body).includes('"details":[]') ? { status: 400 } : undefined;
    deepEqual(made.report("FAILED", { code: "bad-image", message: "no" }), ["refused"]);
    equal(made.server.actions[0].active, true);
  });

  for (const [cancelled, status, result, found] of [
    [false, 403, "refused", "it was done again"],
    [true, 403, "refused", "it was done again"],
    [false, 410, "gone", "it was done again"],
    [true, 410, "gone", "it was said to have been stopped"],
  ] as const)
    it(`of an end that is answered ${status} is said again with the next poll${cancelled ? ", also when the action is to be stopped" : ""}: ${found}`, () => {
      const made = rig();
      const [action] = made.server.actions;
      made.server.intercept = ({ method }) => (method === "POST" ? { status } : undefined);
      deepEqual(made.report("SUCCEEDED", { reason: "accepted  v2.0.0" }), [result]);
      const offers = () => made.told.filter(([, data]) => (data as ParsedJob)?.kind === "ota").length;
      const before = offers();
      made.run(400_000);
      equal(action.status, "running");
      made.server.intercept = undefined;
      if (cancelled) made.server.cancel(action);
      made.run(800_000);
      equal(action.status, "finished");
      deepEqual(action.history[action.history.length - 1].messages, ["reason: accepted  v2.0.0"]);
      equal(offers(), before);
    });

  it("from a device that is not known for a moment arrives when it is, with all its words", () => {
    const made = rig();
    made.server.intercept = () => ({ status: 401 });
    deepEqual(made.report("IN_PROGRESS", READY), []);
    made.server.intercept = undefined;
    made.run(10_000);
    deepEqual(made.history, ["downloaded"]);
    made.server.intercept = () => ({ status: 401 });
    const details = { code: "bad-image", message: "no" };
    deepEqual(made.report("FAILED", details), []);
    made.server.intercept = undefined;
    made.run(10_000);
    const { history } = made.server.actions[0];
    deepEqual(history[history.length - 1].messages, ["code: bad-image", "message: no"]);
  });

  it("that is too much of it may be missing, and the end arrives", () => {
    const made = rig();
    const { history } = made.server.actions[0];
    while (history.length < 1_000) history.push({ status: "proceeding", messages: [] });
    deepEqual(made.report("IN_PROGRESS", READY), ["accepted"]);
    deepEqual(made.report("SUCCEEDED", { reason: "accepted" }), ["accepted"]);
    equal(made.server.actions[0].status, "finished");
  });

  it("of progress stays far from the quota", () => {
    const made = rig();
    const job = { jobId: "41", executionNumber: undefined };
    for (let n = 0; n < 2_000; n++) {
      made.plane.update(job, "IN_PROGRESS", { receive: `${n}/2000` }, false);
      made.run(200);
    }
    equal(made.history.length, 200);
  });

  it("that nobody waits for any more is not sent", () => {
    const made = rig();
    made.server.intercept = () => ({ status: 503 });
    made.plane.update({ jobId: "41", executionNumber: undefined }, "IN_PROGRESS", READY, () => ok(false));
    made.run(1_000);
    made.plane.dropUpdates("41");
    made.server.intercept = undefined;
    made.run(60_000);
    deepEqual(made.history, []);
  });
});

describe("DDI: after a restart", () => {
  it("what the service does not give back is here", () => {
    const rig = new Rig();
    rig.server.assign([signed()]);
    rig.offer();
    rig.report("IN_PROGRESS", { ...READY, payload: "packed, 7 bytes" });
    rig.plane.close();
    rig.life();
    deepEqual(jobOf(rig.offer()).progress, {
      ...{ selfTest: true, updatedBy: 0x0100_0000, image: "2.0.0+aabb", payload: "packed, 7 bytes" },
    });
    // Of another action nothing is known.
    rig.server.forceQuit(rig.server.actions[0]);
    rig.server.assign([signed()]);
    rig.run(400_000);
    equal(jobOf(rig.last()).progress.selfTest, false);
  });

  it("an image is not made ready when it could not be remembered", () => {
    const rig = new Rig();
    rig.server.assign([signed()]);
    rig.offer();
    rig.store.broken = "set";
    deepEqual(rig.report("IN_PROGRESS", READY), ["refused"]);
    deepEqual(rig.history, []);
  });

  it("nothing is concluded while the store cannot be read", () => {
    const rig = new Rig();
    rig.server.assign([signed()]);
    rig.store.broken = "get";
    rig.plane.open();
    rig.run(60_000);
    equal(rig.last(), undefined);
    rig.store.broken = "";
    rig.run(100_000);
    equal(jobOf(rig.last()).jobId, "41");
  });
});

describe("DDI: cancellation", () => {
  it("stops the job, and says so", () => {
    const rig = new Rig();
    const action = rig.server.assign([signed()]);
    rig.offer();
    rig.server.cancel(action);
    rig.run(400_000);
    ok(rig.told.some(([event, data]) => event === Event.JobGone && data === "41"));
    equal(rig.last().kind, "none");
    equal(action.status, "canceled");
  });

  it("is followed by a look at what took its place, once", () => {
    const rig = new Rig();
    const action = rig.server.assign([signed()]);
    rig.offer();
    // As an assignment of something else does by default.
    rig.server.assign([signed({ version: "3.0.0" })]);
    equal(action.status, "canceling");
    rig.run(400_000);
    equal(action.status, "canceled");
    const before = rig.server.log.length;
    const looks = () => rig.told.filter(([event]) => event === Event.RequestJobDocument).length;
    // The poll found the cancellation: until the next one nobody asked for what came in its place.
    equal(looks(), 2);
    equal(jobOf(rig.offer()).jobId, "42");
    // A server that goes on asking to stop it is not asked again and again.
    rig.server.cancel(rig.server.actions[1]);
    rig.server.intercept = ({ url }) => (url.endsWith("/feedback") ? { status: 200 } : undefined);
    rig.run(3_600_000);
    ok(rig.server.log.length - before < 60, `${rig.server.log.length - before} requests in an hour`);
  });

  it("is confirmed before anything else is asked", () => {
    const rig = new Rig();
    const action = rig.server.assign([signed()]);
    rig.offer();
    rig.server.cancel(action);
    // As the agent does: asks for the next job while it is told. Two exchanges went on at once before.
    rig.onTold = (event) => {
      if (event === Event.JobGone) rig.plane.request();
    };
    rig.run(400_000);
    const { log } = rig.server;
    equal(log[log.indexOf("GET /cancelAction/41") + 1], "POST /cancelAction/41/feedback");
    equal(log.filter((line) => line.startsWith("POST /cancelAction")).length, 1);
  });

  it("of what was rolled back for it ends with why", () => {
    const rig = new Rig();
    const action = rig.server.assign([signed()]);
    rig.offer();
    rig.server.cancel(action);
    const { plane } = rig;
    let done = false;
    // As the agent does with an image on trial: rolls back, then reports.
    rig.onTold = (event) => {
      if (event === Event.JobGone)
        plane.update({ jobId: "41", executionNumber: undefined }, "FAILED", { code: "cancelled" }, () => {
          done = true;
        });
    };
    rig.run(400_000);
    ok(done);
    equal(action.status, "canceled");
    deepEqual(action.history[action.history.length - 1].messages, ["code: cancelled"]);
  });

  it("comes too late for what is accepted: it is rejected, and the action ends as it has", () => {
    const rig = new Rig();
    const action = rig.server.assign([signed()]);
    rig.offer();
    rig.report("IN_PROGRESS", { ...READY, image: "1.0.1+11111111" });
    rig.plane.close();
    rig.server.cancel(action);
    rig.life();
    equal(jobOf(rig.offer()).progress.selfTest, true);
    equal(action.status, "running");
    ok(!rig.told.some(([event]) => event === Event.JobGone));
  });

  for (const [what, types, platform, active] of [
    ["components in use, on firmware that never was updated", [7], "unknown", true],
    ["components on trial", [7], "pending-commit", false],
    ["a set with firmware that nobody has decided about", [0, 7], "unknown", false],
    ["a set that is accepted", [0, 7], "valid", true],
  ] as const)
    it(`of ${what} is ${active ? "rejected" : "followed"}`, () => {
      const rig = new Rig({ parts: { os: 0, assets: 7 } });
      const modules = { 0: signed(), 7: signed({ type: "assets" }) };
      const action = rig.server.assign(types.map((type) => modules[type]));
      const described: number[][] = [];
      Object.assign(rig.pal, {
        platform,
        describe: (files: readonly { readonly fileType: number }[]) => {
          described.push(files.map(({ fileType }) => fileType));
          return app("5.0.0", "55555555");
        },
      });
      rig.offer();
      rig.report("IN_PROGRESS", { ...READY, image: "5.0.0+55555555" });
      rig.plane.close();
      rig.server.cancel(action);
      rig.life();
      rig.offer();
      equal(action.active, active);
      if (described.length) deepEqual(described[described.length - 1], [...types]);
    });

  it("of an action that waits for nobody is not asked about", () => {
    const rig = new Rig();
    rig.server.confirmation = true;
    const action = rig.server.assign([signed()]);
    rig.server.cancel(action);
    equal(rig.offer().kind, "none");
  });
});

describe("DDI: a heavier action in front of an image on trial (the image was rolled back)", () => {
  /** The image of action 41 is on trial in another life of the device; 42 has come in front of it. */
  function onTrial(confirmation = false): Rig {
    const made = new Rig();
    made.server.multiAssignments = true;
    made.server.assign([signed()]);
    made.offer();
    deepEqual(made.report("IN_PROGRESS", READY), ["accepted"]);
    made.plane.close();
    made.pal.platform = "pending-commit";
    made.pal.running = app("2.0.0");
    made.server.confirmation = confirmation;
    made.server.assign([signed({ version: "3.0.0" })], { weight: 500 });
    made.told.length = 0;
    made.life();
    return made;
  }
  const offered = ({ told }: Rig) =>
    told
      .filter(([event]) => event === Event.ReceivedJobDocument)
      .map(([, data]) => jobOf(data as ParsedJob).jobId);

  for (const confirmation of [false, true])
    it(`waits until the test is over${confirmation ? ", and with it the question for consent" : ""}`, () => {
      const made = onTrial(confirmation);
      equal(jobOf(made.offer()).jobId, "41");
      made.run(700_000);
      deepEqual([...new Set(offered(made))], ["41"]);
      made.pal.platform = "valid";
      made.plane.update({ jobId: "41", executionNumber: undefined }, "SUCCEEDED", { reason: "accepted" });
      made.run(700_000);
      equal(made.server.actions[0].status, "finished");
      equal(jobOf(made.last()).jobId, "42");
    });

  it("is stopped, and the image stays on trial", () => {
    const made = onTrial();
    made.server.cancel(made.server.actions[1]);
    equal(jobOf(made.offer()).jobId, "41");
    equal(made.server.actions[1].status, "canceled");
    deepEqual(offered(made), ["41"]);
  });

  it("does not keep the one on trial from being cancelled", () => {
    const made = onTrial();
    made.server.cancel(made.server.actions[0]);
    equal(made.offer().kind, "none");
  });
});

describe("DDI: maintenance windows", () => {
  it("an image is fetched before, and installed within", () => {
    const rig = new Rig();
    const action = rig.server.assign([signed()], { window: false });
    equal(jobOf(rig.offer()).jobId, "41");
    const told = rig.report("IN_PROGRESS", READY);
    deepEqual(told, []);
    deepEqual(rig.history, ["downloaded"]);
    rig.run(1_000_000);
    // Asked whether it is still this device's, it says the same again, and goes on waiting.
    deepEqual(rig.report("IN_PROGRESS", READY), ["accepted"]);
    equal(told.length, 0);
    action.window = true;
    rig.run(400_000);
    deepEqual(told, ["accepted"]);
  });

  it("an image that waits for one is installed though a heavier action came in front (both waited for ever)", () => {
    const rig = new Rig();
    rig.server.multiAssignments = true;
    const action = rig.server.assign([signed()], { window: false });
    rig.offer();
    const told = rig.report("IN_PROGRESS", READY);
    rig.server.assign([signed({ version: "3.0.0" })], { weight: 500 });
    rig.run(1_000_000);
    deepEqual(told, []);
    equal(jobOf(rig.last()).jobId, "41");
    action.window = true;
    rig.run(400_000);
    deepEqual(told, ["accepted"]);
  });

  it("an image that was given up before the word that it is ready was answered is not waited for (it was begun again)", () => {
    const rig = new Rig();
    rig.server.assign([signed()], { window: false });
    rig.offer();
    const job = { jobId: "41", executionNumber: undefined };
    rig.plane.update(job, "IN_PROGRESS", READY, () => {});
    rig.plane.update(job, "FAILED", { reason: "aborted" }, () => {});
    rig.run(2_000);
    equal(rig.server.actions[0].status, "error");
    const before = rig.server.log.length;
    rig.run(800_000);
    equal(rig.last().kind, "none");
    ok(!rig.server.log.slice(before).includes("GET /deploymentBase/41"));
  });

  for (const [what, end] of [
    ["is not there any more", (rig: Rig, action: HawkbitAction) => rig.server.forceQuit(action)],
    ["is cancelled behind a heavier one", (rig: Rig, action: HawkbitAction) => rig.server.cancel(action)],
  ] as const)
    it(`an image that waits for one is left when its action ${what}`, () => {
      const rig = new Rig();
      rig.server.multiAssignments = true;
      const action = rig.server.assign([signed()], { window: false });
      rig.offer();
      const told = rig.report("IN_PROGRESS", READY);
      rig.server.assign([signed({ version: "3.0.0" })], { weight: 500 });
      end(rig, action);
      rig.run(400_000);
      // Whoever waits for the word is told, also when nobody has asked for a job.
      deepEqual(told, ["gone"]);
      rig.run(400_000);
      equal(jobOf(rig.last()).jobId, "42");
    });

  it("one that is open is used at once; one that was cancelled is left", () => {
    const rig = new Rig();
    const action = rig.server.assign([signed()], { window: true });
    rig.offer();
    deepEqual(rig.report("IN_PROGRESS", READY), ["accepted"]);
    action.window = false;
    rig.server.cancel(action);
    rig.run(400_000);
    equal(action.status, "canceled");
  });
});
