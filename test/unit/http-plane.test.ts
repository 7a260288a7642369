import { deliverBody } from "../../hosts/mqtt/delivery.js";
import { HttpPlane } from "../../src/transfer/http.js";
import { parseContentRange, resolveUrl, retryAfter } from "../../src/transfer/http-fields.js";
import { deepEqual, equal, ok, throws } from "../support/assert.js";
import { contentOf, fileOf, ScriptedPlane, Transfer } from "../support/transfer.js";
import { VirtualClock } from "../support/virtual-clock.js";
import { type HttpResponse, type HttpServer, objectServer, VirtualHttp } from "../support/virtual-http.js";

const SIZE = 100_003;
const URL = `https://bucket.example/app.bin?X-Amz-Signature=${"0".repeat(1600)}`;
const CONTENT = contentOf(SIZE);

interface Setup {
  server?: HttpServer;
  rangeBytes?: number;
  noProgressTimeoutMs?: number;
  blockSize?: number;
  url?: string;
  hasAlternative?: boolean;
}

/** A transfer over HTTP; fresh job documents are answered as the test says. */
class HttpTransfer extends Transfer {
  readonly http: VirtualHttp;

  constructor(setup: Setup = {}) {
    const clock = new VirtualClock();
    const {
      server = objectServer(CONTENT),
      rangeBytes,
      url = URL,
      noProgressTimeoutMs = 120_000,
      blockSize,
      hasAlternative,
    } = setup;
    const http = new VirtualHttp(clock, server);
    super(SIZE, {
      clock,
      blockSize,
      noProgressTimeoutMs,
      hasAlternative,
      file: fileOf(SIZE, { url }),
      plane: new HttpPlane({ http, clock, rangeBytes }) as never,
    });
    this.http = http;
  }

  run(): this {
    this.start();
    ok(
      this.clock.runUntilDone(() => this.complete || this.failures.length > 0),
      "it did not end",
    );
    return this;
  }

  succeeds(): this {
    this.run();
    deepEqual([this.events.at(-1), this.failures[0]?.message], ["complete", undefined]);
    deepEqual(this.pal.bytes, CONTENT);
    ok(this.http.most <= 1, "several requests at a time");
    return this;
  }

  fails(code: string, message: string): this {
    this.run();
    equal(this.failures[0]?.code, code);
    ok(this.failures[0].message.includes(message), this.failures[0].message);
    return this;
  }
}

/** A server that answers the n-th request (from 0) in its own way and the others properly. */
function odd(
  answer: (n: number, proper: HttpResponse, first: number, last: number) => HttpResponse | undefined,
): HttpServer {
  const serve = objectServer(CONTENT);
  let n = 0;
  return (request) => {
    const proper = serve(request);
    return answer(n++, proper, request.first, request.last) ?? proper;
  };
}

describe("HTTP data plane", () => {
  it("serves files with an HTTP URL, however long", () => {
    const plane = new HttpPlane({ http: {} as never, clock: new VirtualClock() });
    for (const url of [URL, "http://h/", "HTTPS://h/x?y=%20"]) ok(plane.usable(fileOf(1, { url })), url);
    for (const url of [
      "",
      "ftp://h/x",
      "https://",
      "https://h/a b",
      "https://h/\r\nX: y",
      "/x",
      "https://h/ä",
    ])
      ok(!plane.usable(fileOf(1, { url })), url);
  });

  it("refuses impossible options", () => {
    const clock = new VirtualClock();
    const http = {} as never;
    throws(() => new HttpPlane({ http } as never), { type: TypeError, message: "clock" });
    throws(() => new HttpPlane({ clock } as never), { type: TypeError, message: "http" });
    throws(() => new HttpPlane({ http, clock, rangeBytes: 0 }), { type: RangeError, message: "rangeBytes" });
    throws(() => new HttpPlane({ http, clock, stallTimeoutMs: 0 }), { type: RangeError });
  });

  it("fetches the head alone and the rest in one range", () => {
    const t = new HttpTransfer().succeeds();
    deepEqual(
      t.http.requests.map(({ first, last }) => [first, last]),
      [
        [0, 4095],
        [4096, SIZE - 1],
      ],
    );
    equal(t.http.requests[0].url, URL);
    equal(t.http.requests[0].headers.get("accept-encoding"), "identity");
  });

  it("keeps ranges within their limit", () => {
    const t = new HttpTransfer({ rangeBytes: 16_384 }).succeeds();
    ok(t.http.requests.every(({ first, last }) => last - first < 16_384));
    equal(t.http.requests.length, 1 + Math.ceil((SIZE - 4096) / 16_384));
  });

  it("works with the smallest blocks", () => {
    new HttpTransfer({ blockSize: 256 }).succeeds();
  });

  it("fetches only what is missing, one range for each run of blocks", () => {
    const t = new HttpTransfer().run();
    t.http.requests.length = 0;
    t.download.missing({
      byteLength: 0,
      has: (offset, length) => ![2, 3, 7].some((b) => offset < (b + 1) * 4096 && offset + length > b * 4096),
    });
    ok(t.clock.runUntilDone(() => t.events.filter((event) => event === "complete").length === 2));
    deepEqual(
      t.http.requests.map(({ first, last }) => [first / 4096, (last + 1) / 4096]),
      [
        [2, 4],
        [7, 8],
      ],
    );
  });

  it("stops a transfer whose head is refused", () => {
    const t = new HttpTransfer();
    t.pal.inspect = () => {
      throw new Error("wrong");
    };
    t.run();
    t.download.close();
    t.clock.run(100_000);
    deepEqual([t.pal.writes, t.http.requests.length], [[], 1]);
  });

  it("cancels the request under way when it is closed", () => {
    const t = new HttpTransfer({ server: odd((n, proper) => (n ? { ...proper, stall: 5000 } : undefined)) });
    t.start();
    t.clock.run(500);
    t.download.close();
    equal(t.http.stopped, 1);
    const { length } = t.pal.writes;
    t.clock.run(1_000_000);
    equal(t.pal.writes.length, length);
  });

  it("waits for the network when told about it", () => {
    const clock = new VirtualClock();
    const http = new VirtualHttp(clock, objectServer(CONTENT));
    let observer: { online(): void; offline(): void } | undefined;
    const mqtt = {
      connected: false,
      addObserver: (o: typeof observer) => (observer = o),
      removeObserver: () => (observer = undefined),
    };
    const t = new Transfer(SIZE, {
      clock,
      file: fileOf(SIZE, { url: URL }),
      plane: new HttpPlane({ http, clock, mqtt: mqtt as never }) as never,
      noProgressTimeoutMs: 10_000,
    }).start();
    clock.run(1_000_000);
    deepEqual([http.requests.length, t.events], [0, []]);
    observer?.online();
    clock.run(21);
    observer?.offline();
    clock.run(1_000_000);
    deepEqual(t.failures, []);
    observer?.online();
    ok(clock.runUntilDone(() => t.complete));
    t.download.close();
    equal(observer, undefined);
  });
});

describe("HTTP data plane: misbehaving servers", () => {
  it("a response that stalls", () => {
    const t = new HttpTransfer({
      server: odd((n, proper) => (n === 1 ? { ...proper, stall: 30_000 } : undefined)),
    });
    t.succeeds();
    ok(t.clock.now() > 15_000 && t.clock.now() < 25_000);
    equal(t.http.requests[2].first, 8 * 4096);
  });

  it("no response at all", () => {
    const t = new HttpTransfer({ server: objectServer(CONTENT) });
    const get = t.http.get.bind(t.http);
    let swallowed = false;
    t.http.get = (url, headers, handler) => {
      if (swallowed) return get(url, headers, handler);
      swallowed = true;
      return () => {};
    };
    t.succeeds();
  });

  it("a client that throws", () => {
    const t = new HttpTransfer({ noProgressTimeoutMs: 20_000 });
    t.http.get = () => {
      throw new Error("no socket left");
    };
    t.fails("no-progress", "no socket left");
  });

  it("a response that drips", () => {
    const t = new HttpTransfer({
      server: odd((_n, proper) => ({ ...proper, piece: 1, interval: 10_000 })),
      noProgressTimeoutMs: 60_000,
    });
    t.fails("no-progress", "no block");
    ok(t.clock.now() < 90_000);
  });

  it("a body that is cut", () => {
    const t = new HttpTransfer({
      server: odd((n, proper) =>
        n > 0 && n < 4 ? { ...proper, body: proper.body?.subarray(0, 10_000) } : undefined,
      ),
    });
    t.succeeds();
    deepEqual(
      t.http.requests.slice(1, 5).map(({ first }) => first / 4096),
      [1, 3, 5, 7],
    );
  });

  it("a body that is too long", () => {
    const t = new HttpTransfer({
      server: odd((n, proper, first) =>
        n === 1 ? { ...proper, body: CONTENT.subarray(first - 4096) } : undefined,
      ),
    });
    t.run();
    equal(t.events.at(-1), "complete");
  });

  it("a body without end", () => {
    const t = new HttpTransfer({
      server: odd((n, proper) => (n === 0 ? { ...proper, body: CONTENT } : undefined)),
    });
    t.succeeds();
    equal(t.http.stopped, 1);
  });

  it("a range of another place", () => {
    const t = new HttpTransfer({
      server: odd((_n, proper, first) => ({
        ...proper,
        headers: { "content-range": `bytes ${first + 4096}-${first + 8191}/${SIZE}` },
      })),
      noProgressTimeoutMs: 30_000,
    });
    t.fails("no-progress", "content-range");
    deepEqual(t.pal.writes, []);
  });

  it("a range without Content-Range", () => {
    const t = new HttpTransfer({
      server: odd((n, proper) => (n === 1 ? { ...proper, headers: {} } : undefined)),
    });
    t.succeeds();
  });

  it("a file of another size", () => {
    const t = new HttpTransfer({
      server: odd((_n, proper, first, last) => ({
        ...proper,
        headers: { "content-range": `bytes ${first}-${last}/${SIZE + 1}` },
      })),
      noProgressTimeoutMs: 30_000,
    });
    t.fails("no-progress", `${SIZE + 1}`);
    ok(t.events.includes("refresh"));
  });

  it("less than the range asked for", () => {
    const t = new HttpTransfer({
      server: odd((n, proper, first) =>
        n === 1
          ? {
              status: 206,
              headers: { "content-range": `bytes ${first}-${first + 9999}/${SIZE}` },
              body: proper.body?.subarray(0, 10_000),
            }
          : undefined,
      ),
    });
    t.succeeds();
    equal(t.http.requests[2].first, 3 * 4096);
  });

  it("the whole file instead of a range", () => {
    const t = new HttpTransfer({
      server: () => ({ status: 200, headers: { "content-length": String(SIZE) }, body: CONTENT }),
    });
    t.succeeds();
    equal(t.http.requests.length, 1);
  });

  it("the whole file instead of a range, cut again and again at the same place", () => {
    const t = new HttpTransfer({
      server: () => ({ status: 200, body: CONTENT.subarray(0, 50_000) }),
      noProgressTimeoutMs: 60_000,
    });
    t.fails("no-progress", "shorter");
    ok(t.http.requests.length < 20, `${t.http.requests.length} requests`);
  });

  it("another file instead of a range", () => {
    const t = new HttpTransfer({
      server: () => ({ status: 200, headers: { "content-length": "12" }, body: new Uint8Array(12) }),
      noProgressTimeoutMs: 30_000,
    });
    t.fails("no-progress", "12 bytes");
  });

  it("redirects", () => {
    const t = new HttpTransfer({ url: "https://a.example/dir/x" });
    const serve = objectServer(CONTENT);
    const steps: Record<string, string> = {
      "https://a.example/dir/x": "y?z",
      "https://a.example/dir/y?z": "/w",
      "https://a.example/w": "//b.example/v",
      "https://b.example/v": "https://c.example/",
    };
    t.http.server = (request) =>
      steps[request.url] ? { status: 302, headers: { location: steps[request.url] } } : serve(request);
    t.succeeds();
    equal(t.http.requests[4].url, "https://c.example/");
    equal(t.http.requests[5].url, "https://a.example/dir/x");
  });

  it("redirects in a circle", () => {
    const t = new HttpTransfer({
      server: () => ({ status: 307, headers: { location: URL } }),
      noProgressTimeoutMs: 30_000,
    });
    t.fails("no-progress", "redirect");
    ok(t.http.requests.length < 60, `${t.http.requests.length} requests`);
  });

  it("a redirect to plain text, or nowhere", () => {
    for (const location of ["http://bucket.example/app.bin", "ftp://x/y", ""]) {
      const t = new HttpTransfer({
        server: () => ({ status: 302, headers: { location } }),
        noProgressTimeoutMs: 10_000,
      });
      t.fails("no-progress", "redirect");
    }
  });

  it("an expired URL", () => {
    const t = new HttpTransfer({
      server: odd((n) => (n === 1 ? { status: 403, body: new Uint8Array(300) } : undefined)),
    });
    t.start();
    t.clock.run(1_000);
    deepEqual(t.events, ["head", "refresh"]);
    t.download.renew(fileOf(SIZE, { url: "https://bucket.example/fresh" }));
    ok(t.clock.runUntilDone(() => t.complete));
    const last = t.http.requests.at(-1);
    deepEqual([last?.url, last?.first], ["https://bucket.example/fresh", 4096]);
    deepEqual(t.pal.bytes, CONTENT);
  });

  it("too many requests", () => {
    const t = new HttpTransfer({
      server: odd((n) => (n === 1 ? { status: 429, headers: { "retry-after": "20" } } : undefined)),
    });
    t.succeeds();
    ok(t.clock.now() > 20_000 && t.clock.now() < 27_000, `${t.clock.now()}`);
  });

  it("failures of its own", () => {
    const t = new HttpTransfer({ server: odd((n) => (n < 4 ? { status: 503 } : undefined)) });
    t.succeeds();
    ok(t.clock.now() > 500 + 1000 + 2000 + 4000);
  });

  it("a range it cannot satisfy", () => {
    const t = new HttpTransfer({ server: () => ({ status: 416 }), noProgressTimeoutMs: 30_000 });
    t.fails("no-progress", "416");
  });

  it("a compressed body", () => {
    const t = new HttpTransfer({
      server: odd((_n, proper) => ({
        ...proper,
        headers: { ...proper.headers, "content-encoding": "gzip" },
      })),
    });
    t.fails("http", "gzip");
  });

  for (const coding of ["Identity", "aws-chunked", "AWS-Chunked, identity", "aws-chunked,", ""])
    it(`not a body whose Content-Encoding says no more than ${JSON.stringify(coding)}`, () => {
      const headers = { "content-encoding": coding };
      new HttpTransfer({
        server: odd((_n, proper) => ({ ...proper, headers: { ...proper.headers, ...headers } })),
      }).succeeds();
    });

  for (const [what, answer] of [
    ["an expired URL", { status: 403 }],
    ["a server that is busy", { status: 503 }],
    ["a connection that is refused", { status: 0, refused: true }],
  ] as const)
    it(`${what}: goes another way within seconds, not after noProgressTimeoutMs`, () => {
      const t: HttpTransfer = new HttpTransfer({
        server: () => ({ ...answer }),
        noProgressTimeoutMs: 300_000,
        hasAlternative: true,
      });
      const refreshed = () => t.events.filter((event) => event === "refresh").length;
      t.start();
      for (let seen = 0; t.failures.length === 0 && t.clock.now() < 10_000; t.clock.run(50))
        if (refreshed() > seen) {
          seen = refreshed();
          t.download.renew(t.file);
        }
      equal(t.failures.length, 1);
      ok(t.clock.now() < 5_000, `after ${t.clock.now()} ms`);
      // Where a fresh document may help, one was asked for.
      ok(answer.status === 503 || refreshed() > 0, "without a fresh document");
    });

  it("a connection that is refused, with no other way: asked again until there was no progress for too long", () => {
    const t = new HttpTransfer({
      server: () => ({ status: 0, refused: true }),
      noProgressTimeoutMs: 30_000,
      hasAlternative: false,
    });
    t.fails("no-progress", "");
    ok(t.events.includes("refresh"), "a fresh document names another server, perhaps");
  });

  it("a status nobody expects", () => {
    new HttpTransfer({ server: () => ({ status: 402 }) }).fails("http", "402");
  });

  it("a connection that is reset in the middle", () => {
    const t = new HttpTransfer({
      server: odd((n, proper) => (n % 2 ? { ...proper, reset: 20_000 } : undefined)),
    });
    t.succeeds();
  });

  it("an answer that comes after its request was given up", () => {
    // The head is answered after 15 s, with something else, while the range that replaced it is half here.
    const t = new HttpTransfer();
    const late = forgetful(t, 1);
    t.http.server = odd((n, proper) => (n ? undefined : { ...proper, piece: 100, interval: 10 }));
    t.start();
    t.clock.run(15_000 + 500 + 200);
    equal(t.http.requests.length, 1, "asked again");
    deepEqual(late[0](), { headers: false, bytes: 0 });
    ok(t.clock.runUntilDone(() => t.complete));
    deepEqual(t.pal.bytes, CONTENT);
  });

  it("an answer that comes after a fresh URL took over", () => {
    const t = new HttpTransfer();
    const late = forgetful(t, 1);
    t.start();
    t.clock.run(100);
    t.download.renew(fileOf(SIZE, { url: "https://bucket.example/fresh" }));
    t.clock.run(1);
    deepEqual(late[0](), { headers: false, bytes: 0 });
    ok(t.clock.runUntilDone(() => t.complete));
    deepEqual(t.pal.bytes, CONTENT);
  });

  it("an answer that comes after another plane took over", () => {
    const t = new HttpTransfer();
    const late = forgetful(t, 1);
    t.start();
    t.clock.run(100);
    const other = new ScriptedPlane();
    t.download.switchPlanes([other], t.file);
    t.clock.run(1);
    deepEqual(late[0](), { headers: false, bytes: 0 });
    deepEqual([other.asked, t.pal.writes, t.events], [[0], [], []]);
  });
});

/**
 * The client answers nothing to the first requests, and does not heed that they are cancelled.
 * @returns what answers them, each with bytes that are not the file's; and what the plane made of them
 */
function forgetful(t: HttpTransfer, requests: number): (() => { headers: boolean; bytes: number })[] {
  const late: (() => { headers: boolean; bytes: number })[] = [];
  const get = t.http.get.bind(t.http);
  t.http.get = (url, headers, handler) => {
    if (late.length === requests) return get(url, headers, handler);
    late.push(() => {
      const taken = { headers: handler.headers(206, rangeFields(0, 4095)), bytes: 0 };
      if (taken.headers)
        taken.bytes = deliverBody(handler, new Uint8Array(4096).fill(0xee), () => false) ? 4096 : -1;
      handler.done();
      return taken;
    });
    return () => {};
  };
  return late;
}

function rangeFields(first: number, last: number): ReadonlyMap<string, string> {
  return new Map([["content-range", `bytes ${first}-${last}/${SIZE}`]]);
}

describe("HTTP data plane: fallback in the middle", () => {
  it("keeps every block, and asks the other plane for the rest alone", () => {
    const t = new HttpTransfer({
      rangeBytes: 16_384,
      server: odd((n) => (n === 2 ? { status: 402 } : undefined)),
    });
    t.run();
    deepEqual([t.failures[0]?.code, t.pal.writes.length], ["http", 5]);
    const other = new ScriptedPlane();
    other.maxBlocks = 5;
    t.download.switchPlanes([other], t.file);
    t.clock.run(0);
    for (let turn = 0; !t.complete && turn < 20; turn++)
      for (const block of other.take().flat()) {
        ok(block >= 5, `block ${block} was here`);
        other.sink?.block(block, t.payload(block), 0);
      }
    ok(t.complete);
    deepEqual(t.pal.bytes, CONTENT);
    equal(t.download.statistics.packetsProcessed, Math.ceil(SIZE / 4096), "each block is written once");
  });
});

describe("HTTP header fields", () => {
  it("Content-Range is read strictly", () => {
    deepEqual(parseContentRange("bytes 0-9/10"), { first: 0, last: 9, total: 10 });
    deepEqual(parseContentRange("Bytes 5-5/*"), { first: 5, last: 5, total: -1 });
    for (const value of [undefined, "", "bytes */10", "bytes 5-4/10", "bytes 0-10/10", "bytes 0-9", "0-9/10"])
      equal(parseContentRange(value), undefined, value);
    equal(parseContentRange("bytes 0-99999999999999999999/*"), undefined);
  });

  it("Retry-After is seconds or a date, and has a limit", () => {
    const at = (value: string, date = "") =>
      retryAfter(new Map([["retry-after", value], ...(date ? [["date", date] as const] : [])]));
    equal(retryAfter(new Map()), 0);
    equal(at("120"), 120_000);
    equal(at("999999999"), 3_600_000);
    equal(at("-1"), 0);
    equal(at("soon"), 0);
    equal(at("Wed, 21 Oct 2015 07:28:30 GMT", "Wed, 21 Oct 2015 07:28:00 GMT"), 30_000);
    equal(at("Wed, 21 Oct 2015 07:28:30 GMT"), 0);
  });

  it("locations are resolved", () => {
    const base = "https://h:1/a/b?c/d";
    equal(resolveUrl(base, "https://x/"), "https://x/");
    equal(resolveUrl(base, "/x"), "https://h:1/x");
    equal(resolveUrl(base, "x"), "https://h:1/a/x");
    equal(resolveUrl("https://h", "x"), "https://h/x");
    equal(resolveUrl(base, "//x/y"), "https://x/y");
    equal(resolveUrl(base, "?x=y/z"), "https://h:1/a/b?x=y/z");
    equal(resolveUrl(base, ""), "https://h:1/a/b");
    equal(resolveUrl("https://h", "?x"), "https://h/?x");
    equal(resolveUrl(base, "/x#part"), "https://h:1/x");
    for (const location of [
      "http://x/",
      "javascript:x",
      "https://x/\ty",
      "https://x/y\0",
      "https://x/\r\nA: b",
    ])
      equal(resolveUrl(base, location), undefined, location);
    equal(resolveUrl(base, `/${"x".repeat(9000)}`), undefined);
    equal(resolveUrl("nonsense", "/x"), undefined);
  });

  it("locations with blanks and UTF-8, as bytes or as characters, are written as they should be", () => {
    const base = "https://h/a";
    equal(resolveUrl(base, "https://x/my app.bin"), "https://x/my%20app.bin");
    equal(resolveUrl(base, " /f\u00c3\u00bcr?x=a%20b "), "https://h/f%C3%BCr?x=a%20b");
    equal(resolveUrl(base, "/caf\u00c3\u00a0"), "https://h/caf%C3%A0", "byte A0 at the end was lost");
    equal(resolveUrl(base, "/\u65b0.bin"), "https://h/%E6%96%B0.bin");
    equal(resolveUrl(base, "/\ud800"), undefined);
  });
});
