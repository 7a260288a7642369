/**
 * The HTTP client of the Moddable runtime against a server that says what a test has it say.
 * @module
 */

import Listener from "embedded:io/socket/listener";
import HTTPClient from "embedded:network/http/client";
import Timer from "timer";
import { ModdableClock } from "../../hosts/moddable/clock.js";
import { type EcmaHttpClientConstructor, ModdableHttpClient } from "../../hosts/moddable/http-client.js";
import { networkOptions } from "../../hosts/moddable/network.js";
import { encodeUtf8 } from "../../src/bytes.js";
import type { HttpHandler } from "../../src/ports.js";
import { deepEqual, equal, fail, ok } from "../support/assert.js";
import { join, pattern } from "../support/mqtt-peer.js";
import { AcceptedWire } from "./wire.js";

const PATIENCE = 10_000;
const POLL = 10;

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let waited = 0; !condition(); waited += POLL) {
    if (waited > PATIENCE) fail(`waited in vain: ${what}`);
    await new Promise<void>((resolve) => void Timer.set(() => resolve(), POLL));
  }
}

class Recorder implements HttpHandler {
  status = 0;
  readonly fields = new Map<string, string>();
  readonly parts: Uint8Array[] = [];
  length = 0;
  results: (Error | undefined)[] = [];
  readonly #buffer = new Uint8Array(4096);
  /** Stop after so many bytes. */
  enough = Number.POSITIVE_INFINITY;
  wanted = true;

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
    return this.length < this.enough;
  }
  done(error?: Error): void {
    this.results.push(error);
  }
}

describe("HTTP client on sockets", () => {
  const requests: string[] = [];
  const wires: AcceptedWire[] = [];
  let answer: (request: string, wire: AcceptedWire) => void = () => {};
  let listener: Listener;
  let client: ModdableHttpClient;
  let origin = "";

  before(() => {
    listener = new Listener({
      port: 0,
      onReadable(count) {
        for (; count > 0; count--) {
          const from = this.read();
          if (!from) continue;
          let text = "";
          const wire: AcceptedWire = new AcceptedWire(from, (bytes) => {
            text += String.fromCharCode(...bytes);
            for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
              requests.push(text.slice(0, end));
              text = text.slice(end + 4);
              answer(requests[requests.length - 1], wire);
            }
          });
          wires.push(wire);
        }
      },
    });
    origin = `http://127.0.0.1:${listener.port}`;
  });
  beforeEach(() => {
    requests.length = 0;
    wires.length = 0;
    const Client = HTTPClient as unknown as EcmaHttpClientConstructor;
    const network = () => networkOptions(undefined);
    client = new ModdableHttpClient({ Client, clock: new ModdableClock(), network });
  });
  afterEach(() => {
    client.close();
    for (const wire of wires) wire.close();
  });
  after(() => (listener as unknown as { close(): void }).close());

  const head = (lines: string) => encodeUtf8(`HTTP/1.1 ${lines.split("\n").join("\r\n")}\r\n\r\n`);
  async function get(path = "/file", recorder = new Recorder()): Promise<Recorder> {
    client.get(origin + path, new Map([["range", "bytes=0-9"]]), recorder);
    await until(() => recorder.results.length > 0, "the end of the response");
    return recorder;
  }

  it("streams a body into the handler's buffers", async () => {
    const body = pattern(20_000);
    answer = (_request, wire) =>
      wire.send(join([head(`206 Partial Content\nContent-Length: 20000\nX-Y: z`), body]));
    const { status, fields, parts, results } = await get();
    equal(status, 206);
    equal(fields.get("x-y"), "z");
    deepEqual(join(parts), body);
    deepEqual(results, [undefined]);
  });

  it("sends path, query and header fields as they are", async () => {
    answer = (_request, wire) => wire.send(head("200 OK\nContent-Length: 0"));
    const path = `/a%20b?${"k=v&".repeat(600)}`;
    await get(path);
    ok(requests[0].startsWith(`GET ${path} HTTP/1.1\r\n`));
    ok(requests[0].toLowerCase().includes("\r\nrange: bytes=0-9"));
    ok(requests[0].toLowerCase().includes(`\r\nhost: 127.0.0.1:${listener.port}\r\n`));
  });

  it("keeps the connection for the next request", async () => {
    answer = (_request, wire) => wire.send(join([head("200 OK\nContent-Length: 3"), encodeUtf8("abc")]));
    for (let i = 0; i < 3; i++) deepEqual(join((await get()).parts), encodeUtf8("abc"));
    equal(wires.length, 1);
  });

  it("connects again when the server has closed between requests", async () => {
    answer = (_request, wire) => wire.send(join([head("200 OK\nContent-Length: 3"), encodeUtf8("abc")]));
    await get();
    wires[0].close();
    await new Promise<void>((resolve) => void Timer.set(() => resolve(), 100));
    deepEqual((await get()).results, [undefined]);
    equal(wires.length, 2);
  });

  it("stops when the handler does not want the response", async () => {
    answer = (_request, wire) =>
      wire.send(join([head("404 Not Found\nContent-Length: 5000"), pattern(5_000)]));
    const recorder = new Recorder();
    recorder.wanted = false;
    const { status, length, results } = await get("/file", recorder);
    equal(status, 404);
    equal(length, 0);
    deepEqual(results, [undefined]);
    answer = (_request, wire) => wire.send(head("200 OK\nContent-Length: 0"));
    deepEqual((await get()).results, [undefined]);
  });

  it("stops when the handler has had enough", async () => {
    answer = (_request, wire) => wire.send(join([head("200 OK\nContent-Length: 50000"), pattern(50_000)]));
    const recorder = new Recorder();
    recorder.enough = 10_000;
    const { length, results } = await get("/file", recorder);
    ok(length >= 10_000 && length < 50_000);
    deepEqual(results, [undefined]);
  });

  it("reports a body that is cut short", async () => {
    answer = (_request, wire) => {
      wire.send(join([head("200 OK\nContent-Length: 1000"), pattern(500)]));
      Timer.set(() => wire.close(), 100);
    };
    const { length, results } = await get();
    equal(length, 500);
    ok(results[0] instanceof Error);
  });

  it("survives bytes behind a body", async () => {
    answer = (_request, wire) => wire.send(join([head("200 OK\nContent-Length: 3"), encodeUtf8("abcdef")]));
    equal((await get()).length, 3);
    answer = (_request, wire) => wire.send(head("200 OK\nContent-Length: 0"));
    await until(() => true, "a turn");
    const again = await get();
    equal(again.results.length, 1);
  });

  it("refuses a body in chunks", async () => {
    answer = (_request, wire) =>
      wire.send(
        join([head("200 OK\nTransfer-Encoding: chunked"), encodeUtf8("3\r\nabc\r\n0\r\nTrailer: x\r\n\r\n")]),
      );
    ok((await get()).results[0] instanceof Error);
  });

  it("survives what is no HTTP", async () => {
    answer = (_request, wire) => wire.send(encodeUtf8("hello\r\n\r\nworld\r\n\r\n"));
    ok((await get()).results[0] instanceof Error);
  });

  it("reports a URL it can not use, later", async () => {
    const recorder = new Recorder();
    client.get("ftp://x/y", new Map(), recorder);
    equal(recorder.results.length, 0);
    await until(() => recorder.results.length > 0, "the error");
    ok(recorder.results[0] instanceof TypeError);
  });

  it("says nothing more once cancelled", async () => {
    answer = (_request, wire) => wire.send(join([head("200 OK\nContent-Length: 9000"), pattern(3_000)]));
    const recorder = new Recorder();
    const cancel = client.get(`${origin}/file`, new Map(), recorder);
    await until(() => recorder.length > 0, "the first bytes");
    cancel();
    const { length } = recorder;
    for (const wire of wires) wire.send(pattern(6_000));
    await new Promise<void>((resolve) => void Timer.set(() => resolve(), 200));
    equal(recorder.length, length);
    equal(recorder.results.length, 0);
  });
});
