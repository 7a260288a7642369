/** The HTTP client of the Node host. */
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { NodeHttpClient } from "../../hosts/node/http-client.js";
import type { HttpHandler } from "../../src/ports.js";

/** Collects a response in small buffers. */
class Collector implements HttpHandler {
  status = 0;
  names: ReadonlyMap<string, string> = new Map();
  body = Buffer.alloc(0);
  readonly pieces: number[] = [];
  readonly ended: Promise<Error | undefined>;
  dones = 0;
  /** Answers of `headers` and `data`. */
  takesHeaders = true;
  takesData: () => boolean = () => true;
  readonly #buffer: Uint8Array;
  #end: (error: Error | undefined) => void = () => {};

  constructor(bufferLength = 1000) {
    this.#buffer = new Uint8Array(bufferLength);
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }
  headers(status: number, names: ReadonlyMap<string, string>): boolean {
    this.status = status;
    this.names = names;
    return this.takesHeaders;
  }
  buffer(): Uint8Array {
    return this.#buffer;
  }
  data(length: number): boolean {
    this.pieces.push(length);
    this.body = Buffer.concat([this.body, this.#buffer.subarray(0, length)]);
    return this.takesData();
  }
  done(error?: Error): void {
    this.dones++;
    this.#end(error);
  }
}

const BODY = Buffer.from(Array.from({ length: 10_000 }, (_, i) => i & 0xff));
const NONE = new Map<string, string>();

describe("NodeHttpClient", () => {
  let server: Server;
  let answer: RequestListener;
  let origin: string;
  let connections = 0;
  let client: NodeHttpClient;

  before(async () => {
    server = createServer((request, response) => answer(request, response));
    server.on("connection", () => connections++);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  beforeEach(() => {
    connections = 0;
    client = new NodeHttpClient();
    answer = (_request, response) => response.end(BODY);
  });
  afterEach(() => client.close());
  after(() => server.close());

  it("fills the handler's buffers, whatever their size", async () => {
    const collector = new Collector(333);
    client.get(origin, NONE, collector);
    strictEqual(await collector.ended, undefined);
    deepStrictEqual(collector.body, BODY);
    ok(collector.pieces.every((length) => length > 0 && length <= 333));
  });

  it("sends headers, and gives those of the response in lower case", async () => {
    answer = (request, response) => {
      response.writeHead(206, { "Content-Range": `got ${request.headers["range"]}`, "X-Two": ["a", "b"] });
      response.end();
    };
    const collector = new Collector();
    client.get(`${origin}/path?query`, new Map([["Range", "bytes=0-9"]]), collector);
    await collector.ended;
    deepStrictEqual(
      [collector.status, collector.names.get("content-range"), collector.names.get("x-two")],
      [206, "got bytes=0-9", "a, b"],
    );
  });

  it("takes URLs of several thousand characters", async () => {
    answer = (request, response) => response.end(String(request.url?.length));
    const collector = new Collector();
    client.get(`${origin}/${"x".repeat(5000)}`, NONE, collector);
    await collector.ended;
    strictEqual(collector.body.toString(), "5001");
  });

  it("uses one connection for requests in a row", async () => {
    for (let i = 0; i < 3; i++) {
      const collector = new Collector();
      client.get(origin, NONE, collector);
      await collector.ended;
    }
    strictEqual(connections, 1);
  });

  it("does not follow redirects", async () => {
    answer = (_request, response) => response.writeHead(302, { location: "/elsewhere" }).end();
    const collector = new Collector();
    client.get(origin, NONE, collector);
    await collector.ended;
    deepStrictEqual([collector.status, collector.names.get("location")], [302, "/elsewhere"]);
  });

  it("stops without an error when the handler does not want the body", async () => {
    const collector = new Collector();
    collector.takesHeaders = false;
    client.get(origin, NONE, collector);
    strictEqual(await collector.ended, undefined);
    deepStrictEqual(collector.pieces, []);
  });

  it("stops without an error when the handler has had enough", async () => {
    const collector = new Collector(100);
    collector.takesData = () => collector.pieces.length < 3;
    client.get(origin, NONE, collector);
    strictEqual(await collector.ended, undefined);
    deepStrictEqual(collector.pieces, [100, 100, 100]);
  });

  it("says nothing more once cancelled, also from inside a callback", async () => {
    const collector = new Collector(100);
    let cancel = () => {};
    const cancelled = new Promise<void>((resolve) => {
      collector.takesData = () => {
        cancel();
        resolve();
        return true;
      };
    });
    cancel = client.get(origin, NONE, collector);
    await cancelled;
    await new Promise((resolve) => setTimeout(resolve, 30));
    deepStrictEqual([collector.pieces, collector.dones], [[100], 0]);
  });

  it("reports a body that ends too early", async () => {
    answer = (_request, response) => {
      response.writeHead(200, { "content-length": 20_000 });
      response.write(BODY, () => response.destroy());
    };
    const collector = new Collector();
    client.get(origin, NONE, collector);
    ok((await collector.ended) instanceof Error);
    strictEqual(collector.dones, 1);
  });

  it("reports a server that is not there", async () => {
    const collector = new Collector();
    client.get("http://127.0.0.1:1/", NONE, collector);
    match(String(await collector.ended), /ECONNREFUSED/);
  });

  for (const url of ["", "no url", "ftp://127.0.0.1/"])
    it(`reports "${url}" in a later turn`, async () => {
      const collector = new Collector();
      client.get(url, NONE, collector);
      strictEqual(collector.dones, 0);
      ok((await collector.ended) instanceof TypeError);
    });
});
