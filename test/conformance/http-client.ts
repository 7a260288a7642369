/**
 * What every `HttpClient` has to do, whatever it is made of. A port's author calls `httpConformance` with a harness
 * that connects his implementation to the byte-level server.
 * @module
 */
import { encodeUtf8 } from "../../src/bytes.js";
import type { HttpClient, HttpHandler } from "../../src/ports.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { HttpPeer, response } from "../support/http-peer.js";
import { join, pattern } from "../support/mqtt-peer.js";

export interface HttpHarness {
  /** A client, and the origin (scheme, host, port) at which it finds `peer`. */
  open(peer: HttpPeer): Promise<{ client: HttpClient; origin: string }>;
  /** Lets time pass until `condition()` is true. Rejects when that takes unreasonably long. */
  until(condition: () => boolean, what: string): Promise<void>;
  /** Lets everything under way arrive. */
  settle(): Promise<void>;
  /** No connection is accepted any more. */
  refuse(): Promise<void>;
  close(): Promise<void>;
  /** The client reads bodies in chunks, and sends bodies; otherwise it refuses both. */
  readonly readsChunks: boolean;
}

export class Recorder implements HttpHandler {
  status = 0;
  readonly fields = new Map<string, string>();
  readonly parts: Uint8Array[] = [];
  length = 0;
  readonly results: (Error | undefined)[] = [];
  /** Stop after so many bytes. */
  enough = Number.POSITIVE_INFINITY;
  wanted = true;
  /** Called within `headers` and `data`. */
  inside: () => void = () => {};
  readonly #buffer: Uint8Array;

  constructor(length = 4_096) {
    this.#buffer = new Uint8Array(length);
  }
  get body(): Uint8Array {
    return join(this.parts);
  }
  headers(status: number, headers: ReadonlyMap<string, string>): boolean {
    this.status = status;
    for (const [name, value] of headers) this.fields.set(name, value);
    return this.wanted;
  }
  buffer(): Uint8Array {
    return this.#buffer;
  }
  data(length: number): boolean {
    this.parts.push(this.#buffer.slice(0, length));
    this.length += length;
    this.inside();
    return this.length < this.enough;
  }
  done(error?: Error): void {
    this.results.push(error);
  }
}

export function httpConformance(title: string, create: () => HttpHarness): void {
  describe(title, () => {
    let harness: HttpHarness;
    let peer: HttpPeer;
    let client: HttpClient;
    let origin: string;

    beforeEach(async () => {
      harness = create();
      peer = new HttpPeer();
      ({ client, origin } = await harness.open(peer));
    });
    afterEach(async () => {
      client.close();
      await harness.settle();
      await harness.close();
    });

    const answer = (bytes: Uint8Array) => {
      peer.answer = (_request, wire) => wire.send(bytes);
    };
    async function get(path = "/file", recorder = new Recorder()): Promise<Recorder> {
      client.get(origin + path, new Map([["range", "bytes=0-9"]]), recorder);
      equal(recorder.results.length, 0, "called from inside get");
      await harness.until(() => recorder.results.length > 0, "the end of the response");
      return recorder;
    }

    it("fills the handler's buffers, whatever their size", async () => {
      const body = pattern(10_000);
      answer(response("200 OK\nContent-Length: 10000", body));
      for (const size of [1, 333, 4_096, 50_000]) {
        const recorder = await get("/file", new Recorder(size));
        deepEqual(recorder.body, body, `buffers of ${size}`);
        deepEqual(recorder.results, [undefined]);
        ok(recorder.parts.every(({ length }) => length > 0 && length <= size));
      }
    });

    it("tells status and fields, names in lower case", async () => {
      answer(response("206 Partial Content\nContent-Range:  bytes 0-2/9 \nX-Y: z\nContent-Length: 3", "abc"));
      const { status, fields } = await get();
      equal(status, 206);
      equal(fields.get("content-range"), "bytes 0-2/9");
      equal(fields.get("x-y"), "z");
    });

    it("sends path, query and fields as they are, several thousand characters too", async () => {
      answer(response("200 OK\nContent-Length: 0"));
      const path = `/a%20b?${"k=v&".repeat(1_250)}`;
      await get(path);
      const [request] = peer.requests;
      ok(request.startsWith(`GET ${path} HTTP/1.1\r\n`));
      ok(request.toLowerCase().includes("\r\nrange: bytes=0-9"));
      ok(request.toLowerCase().includes(`\r\nhost: ${origin.slice(origin.indexOf("//") + 2)}`));
    });

    it("leaves out the fragment, and takes an empty path for /", async () => {
      answer(response("200 OK\nContent-Length: 0"));
      await get("?x=1#part");
      ok(peer.requests[0].startsWith("GET /?x=1 HTTP/1.1"));
      await get("");
      ok(peer.requests[1].startsWith("GET / HTTP/1.1"));
    });

    it("takes a response byte by byte", async () => {
      const bytes = response("200 OK\nContent-Length: 5", "hello");
      const recorder = new Recorder();
      client.get(`${origin}/file`, new Map(), recorder);
      await harness.until(() => peer.requests.length > 0, "the request");
      for (const byte of bytes) {
        peer.wires[0].send(Uint8Array.of(byte));
        await harness.settle();
      }
      await harness.until(() => recorder.results.length > 0, "the end");
      deepEqual(recorder.body, encodeUtf8("hello"));
      deepEqual(recorder.results, [undefined]);
    });

    it("keeps the connection for the next request", async () => {
      answer(response("200 OK\nContent-Length: 3", "abc"));
      for (let i = 0; i < 3; i++) deepEqual((await get()).body, encodeUtf8("abc"));
      equal(peer.wires.length, 1);
    });

    it("keeps it after a response without a body too", async () => {
      answer(response("200 OK\nContent-Length: 0"));
      deepEqual((await get()).results, [undefined]);
      answer(response("204 No Content"));
      deepEqual((await get()).results, [undefined]);
      answer(response("200 OK\nContent-Length: 3", "abc"));
      deepEqual((await get()).body, encodeUtf8("abc"));
      equal(peer.wires.length, 1);
    });

    it("connects again when the server has closed between requests", async () => {
      answer(response("200 OK\nContent-Length: 3", "abc"));
      await get();
      peer.wires[0].close();
      await harness.settle();
      const { body, results } = await get();
      deepEqual(results, [undefined]);
      deepEqual(body, encodeUtf8("abc"));
      equal(peer.wires.length, 2);
    });

    it("does not follow redirects", async () => {
      answer(response("302 Found\nLocation: /elsewhere\nContent-Length: 0"));
      const { status, fields } = await get();
      deepEqual([status, fields.get("location")], [302, "/elsewhere"]);
      equal(peer.requests.length, 1);
    });

    it("stops without an error when the handler does not want the response", async () => {
      answer(response("404 Not Found\nContent-Length: 5000", pattern(5_000)));
      const recorder = new Recorder();
      recorder.wanted = false;
      await get("/file", recorder);
      deepEqual([recorder.status, recorder.length, recorder.results], [404, 0, [undefined]]);
      answer(response("200 OK\nContent-Length: 0"));
      deepEqual((await get()).results, [undefined]);
    });

    it("stops without an error when the handler has had enough", async () => {
      answer(response("200 OK\nContent-Length: 50000", pattern(50_000)));
      const recorder = new Recorder(500);
      recorder.enough = 1_500;
      const { length, results } = await get("/file", recorder);
      ok(length >= 1_500 && length < 5_000, `${length} bytes`);
      deepEqual(results, [undefined]);
      answer(response("200 OK\nContent-Length: 3", "abc"));
      deepEqual((await get()).body, encodeUtf8("abc"), "what was left of the old response came back");
    });

    it("ends once when the handler has had enough with the last byte", async () => {
      answer(response("200 OK\nContent-Length: 600", pattern(600)));
      const recorder = new Recorder(600);
      recorder.enough = 600;
      await get("/file", recorder);
      await harness.settle();
      deepEqual([recorder.length, recorder.results], [600, [undefined]]);
    });

    it("reports a body that is cut short, once", async () => {
      peer.answer = (_request, wire) => {
        wire.send(response("200 OK\nContent-Length: 1000", pattern(500)));
        wire.close();
      };
      const recorder = await get();
      await harness.settle();
      equal(recorder.results.length, 1);
      ok(recorder.results[0] instanceof Error);
      ok(String(recorder.results[0].message).length > 0, "an error without a word");
    });

    it("reports a connection that ends before the response", async () => {
      peer.answer = (_request, wire) => wire.close();
      const { results } = await get();
      ok(results[0] instanceof Error);
    });

    it("survives bytes behind a body", async () => {
      answer(response("200 OK\nContent-Length: 3", "abcdef"));
      const { body, results } = await get();
      if (!results[0]) deepEqual(body, encodeUtf8("abc"));
      // The next answer may be an error, or none when those bytes are still in the way: cancelling helps.
      const second = new Recorder();
      const cancel = client.get(`${origin}/file`, new Map(), second);
      await harness.settle();
      ok(second.results.length <= 1);
      cancel();
      answer(response("200 OK\nContent-Length: 1", "z"));
      deepEqual((await get()).body, encodeUtf8("z"));
    });

    it(`${create().readsChunks ? "reads" : "refuses"} a body in chunks`, async () => {
      const chunks = "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
      answer(response("200 OK\nTransfer-Encoding: chunked", chunks));
      const { body, results } = await get();
      if (harness.readsChunks) {
        deepEqual(body, encodeUtf8("abcde"));
        deepEqual(results, [undefined]);
      } else ok(results[0] instanceof Error);
    });

    it("survives a body in chunks that is none", async () => {
      answer(response("200 OK\nTransfer-Encoding: chunked", "zzz\r\nabc\r\n0\r\nTrailer: x\r\n\r\n"));
      const { results } = await get();
      ok(results[0] instanceof Error);
      answer(response("200 OK\nContent-Length: 0"));
      deepEqual((await get()).results, [undefined]);
    });

    it("reports what is no HTTP", async () => {
      peer.answer = (_request, wire) => {
        wire.send(encodeUtf8("hello\r\n\r\nworld\r\n\r\n"));
        wire.close();
      };
      ok((await get()).results[0] instanceof Error);
    });

    it("reports a server that is not there", async () => {
      await harness.refuse();
      ok((await get()).results[0] instanceof Error);
    });

    for (const url of ["", "no url", "ftp://127.0.0.1/", "http://"])
      it(`reports "${url}", later`, async () => {
        const recorder = new Recorder();
        client.get(url, new Map(), recorder);
        equal(recorder.results.length, 0);
        await harness.until(() => recorder.results.length > 0, "the error");
        ok(recorder.results[0] instanceof Error);
      });

    if (!create().readsChunks)
      it("refuses to send a body, later", async () => {
        const recorder = new Recorder();
        client.send?.("POST", `${origin}/file`, new Map(), encodeUtf8("{}"), recorder);
        await harness.settle();
        equal(peer.requests.length, 0);
        if (client.send) ok(recorder.results[0] instanceof Error);
      });
    else {
      const send = async (method: "POST" | "PUT", body: Uint8Array, fields: [string, string][] = []) => {
        const recorder = new Recorder();
        client.send?.(method, `${origin}/file?q=1`, new Map(fields), body, recorder);
        equal(recorder.results.length, 0, "called from inside send");
        await harness.until(() => recorder.results.length > 0, "the end of the response");
        return recorder;
      };

      it("sends bodies with their length, and fields of one's own", async () => {
        answer(response("200 OK\nContent-Length: 2", "ok"));
        const fields: [string, string][] = [
          ["content-type", "application/json"],
          ["authorization", "TargetToken x"],
        ];
        for (const [method, length] of [
          ["POST", 2],
          ["PUT", 0],
          ["POST", 5_000],
        ] as const) {
          const body = pattern(length);
          const { status, body: got, results } = await send(method, body, fields);
          deepEqual([status, got, results], [200, encodeUtf8("ok"), [undefined]]);
          const head = peer.requests[peer.requests.length - 1].toLowerCase();
          ok(head.startsWith(`${method.toLowerCase()} /file?q=1 http/1.1\r\n`));
          ok(head.includes(`\r\ncontent-length: ${length}`), head);
          ok(!head.includes("transfer-encoding"), head);
          for (const [name, value] of fields) ok(head.includes(`\r\n${name}: ${value.toLowerCase()}`), head);
          const sent = peer.bodies[peer.bodies.length - 1];
          deepEqual(
            Uint8Array.from(sent, (character) => character.charCodeAt(0)),
            body,
          );
        }
        equal(peer.wires.length, 1);
      });

      it("reads the answer to a body in chunks, and keeps the connection for a GET", async () => {
        answer(response("200 OK\nTransfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n"));
        deepEqual((await send("POST", encodeUtf8("{}"))).body, encodeUtf8("abc"));
        answer(response("200 OK\nContent-Length: 3", "xyz"));
        deepEqual((await get()).body, encodeUtf8("xyz"));
        equal(peer.wires.length, 1);
      });

      it("reports a server that closes on a body, and says nothing once cancelled", async () => {
        peer.answer = (_request, wire) => wire.close();
        ok((await send("PUT", pattern(3_000))).results[0] instanceof Error);
        const recorder = new Recorder();
        client.send?.("POST", `${origin}/file`, new Map(), pattern(100), recorder)();
        await harness.settle();
        equal(recorder.results.length, 0);
      });
    }

    it("says nothing more once cancelled", async () => {
      peer.answer = (_request, wire) => wire.send(response("200 OK\nContent-Length: 9000", pattern(3_000)));
      const recorder = new Recorder();
      const cancel = client.get(`${origin}/file`, new Map(), recorder);
      await harness.until(() => recorder.length > 0, "the first bytes");
      await harness.settle();
      cancel();
      cancel();
      const { length } = recorder;
      peer.wires[0].send(pattern(6_000));
      await harness.settle();
      deepEqual([recorder.length, recorder.results.length], [length, 0]);
    });

    it("can be cancelled from inside a callback, and before the connection is made", async () => {
      answer(response("200 OK\nContent-Length: 9000", pattern(9_000)));
      const recorder = new Recorder(100);
      let cancel = () => {};
      recorder.inside = () => cancel();
      cancel = client.get(`${origin}/file`, new Map(), recorder);
      await harness.until(() => recorder.length > 0, "the first bytes");
      await harness.settle();
      deepEqual([recorder.parts.length, recorder.results.length], [1, 0]);
      const other = new Recorder();
      client.get(`${origin}/file`, new Map(), other)();
      await harness.settle();
      deepEqual([other.status, other.results.length], [0, 0]);
    });
  });
}
