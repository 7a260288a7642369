/**
 * The HTTP client of the chip, over sockets in virtual time, against a server that says anything.
 * @module
 */
import { ModdableHttpClient } from "../../hosts/moddable/http-client.js";
import { HttpConnection } from "../../hosts/moddable/http-connection.js";
import type { HttpHandler } from "../../src/ports.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { ascii, concat } from "../support/hex.js";
import type { Wire } from "../support/mqtt-peer.js";
import { VirtualClock } from "../support/virtual-clock.js";
import { virtualResolver, virtualSocket } from "../support/virtual-socket.js";

type Answer = (wire: Wire, request: string) => void;

class Recorder implements HttpHandler {
  status = 0;
  fields: ReadonlyMap<string, string> = new Map();
  body = "";
  results: (string | undefined)[] = [];
  takes = true;
  enough = Number.POSITIVE_INFINITY;
  readonly #buffer = new Uint8Array(7);
  headers(status: number, fields: ReadonlyMap<string, string>): boolean {
    this.status = status;
    this.fields = fields;
    return this.takes;
  }
  buffer(): Uint8Array {
    return this.#buffer;
  }
  data(length: number): boolean {
    this.body += String.fromCharCode(...this.#buffer.subarray(0, length));
    return this.body.length < this.enough;
  }
  done(error?: Error): void {
    this.results.push(error?.message);
  }
}

function client(answer: Answer, readable = 1536, writable = 1536) {
  const clock = new VirtualClock();
  const wires: Wire[] = [];
  const asked: string[] = [];
  const peer = {
    accept(wire: Wire) {
      wires.push(wire);
      let text = "";
      return {
        received(bytes: Uint8Array) {
          text += String.fromCharCode(...bytes);
          for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
            asked.push(text.slice(0, end));
            text = text.slice(end + 4);
            answer(wire, asked[asked.length - 1]);
          }
        },
      };
    },
  };
  const network = {
    dns: { io: virtualResolver(clock) },
    socket: { io: virtualSocket({ clock, peer: peer as never, readable, writable }) },
  };
  const http = new ModdableHttpClient({ Client: HttpConnection, clock, network: () => network as never });
  const get = (url = "http://host/file", recorder = new Recorder()) => {
    const cancel = http.get(url, new Map([["range", "bytes=0-9"]]), recorder);
    return Object.assign(recorder, { cancel });
  };
  const run = (ms = 5000) => clock.run(ms);
  return { clock, wires, asked, http, get, run };
}

/** What a response comes to, the same however the network cuts it. */
function response(text: string | Uint8Array, close = false): Recorder {
  const bytes = typeof text === "string" ? ascii(text.replace(/(?<!\r)\n/g, "\r\n")) : text;
  let first: Recorder | undefined;
  for (const readable of [1, 2, 3, 5, 16, 1536]) {
    const { get, run } = client((wire) => {
      wire.send(bytes);
      if (close) wire.close();
    }, readable);
    const recorder = get();
    run(60_000);
    first ??= recorder;
    deepEqual(
      [recorder.status, recorder.body, recorder.results],
      [first.status, first.body, first.results],
      `${readable} bytes at a time`,
    );
  }
  return first as Recorder;
}

const CHUNKED = "HTTP/1.1 206 Partial Content\nTransfer-Encoding: chunked\n\n";

describe("HTTP client of the chip: responses", () => {
  const bodies: [string, string, string][] = [
    ["a length", "HTTP/1.1 200 OK\nContent-Length: 10\n\n0123456789", "0123456789"],
    ["no body", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", ""],
    ["status 204", "HTTP/1.1 204 No Content\n\n", ""],
    ["no reason", "HTTP/1.1 200\nContent-Length: 1\n\nx", "x"],
    ["an interim response", "HTTP/1.1 100 Continue\n\nHTTP/1.1 200 OK\nContent-Length: 1\n\nx", "x"],
    ["chunks (refused before)", `${CHUNKED}3\nabc\nA\n0123456789\n0\n\n`, "abc0123456789"],
    ["chunks with extensions", `${CHUNKED}3;name=value\nabc\n4 ;x\ndefg\n0;last\n\n`, "abcdefg"],
    ["chunks and a trailer", `${CHUNKED}3\nabc\n0\nTrailer: x\nAnother: y\n\n`, "abc"],
    [
      "chunks whatever the length says",
      `HTTP/1.1 200 OK\nContent-Length: 3\nTransfer-Encoding: Chunked\n\n5\nabcde\n0\n\n`,
      "abcde",
    ],
    ["chunks without anything in them", `${CHUNKED}0\n\n`, ""],
  ];
  for (const [name, text, body] of bodies)
    it(`with ${name}`, () => {
      const recorder = response(text);
      equal(recorder.body, body);
      deepEqual(recorder.results, [undefined]);
    });

  it("that end with the connection", () => {
    for (const version of ["1.0", "1.1"]) {
      const { body, results } = response(`HTTP/${version} 200 OK\n\n0123456789`, true);
      equal(body, "0123456789");
      deepEqual(results, [undefined]);
    }
  });

  it("give names in lower case and values without blanks", () => {
    const { fields } = response("HTTP/1.1 403 No\nContent-Length:0\nX-A:  b c \nX-a: d\nEmpty:\n\n");
    deepEqual(
      [...fields],
      [
        ["content-length", "0"],
        ["x-a", "b c, d"],
        ["empty", ""],
      ],
    );
  });

  const broken: [string, string, string][] = [
    ["no HTTP", "hello\n\nworld\n\n", "not a status line"],
    ["HTTP/2", "HTTP/2 200\n\n", "not a status line"],
    ["a field without colon", "HTTP/1.1 200 OK\nnonsense\n\n", "not a header field"],
    ["a folded field", "HTTP/1.1 200 OK\nA: b\n c: d\n\n", "not a header field"],
    ["a length in words", "HTTP/1.1 200 OK\nContent-Length: many\n\n", "content-length many"],
    ["two lengths", "HTTP/1.1 200 OK\nContent-Length: 1\nContent-Length: 2\n\n", "content-length 1, 2"],
    ["a negative length", "HTTP/1.1 200 OK\nContent-Length: -1\n\n", "content-length -1"],
    ["gzip on the way", "HTTP/1.1 200 OK\nTransfer-Encoding: gzip, chunked\n\n", "transfer-encoding gzip"],
    ["a chunk without size", `${CHUNKED}\nabc\n`, "size of a chunk"],
    ["a chunk in words", `${CHUNKED}xyz\n`, "size of a chunk"],
    ["a chunk of a negative size", `${CHUNKED}-1\n`, "size of a chunk"],
    ["a chunk of 2^36 bytes", `${CHUNKED}fffffffff\n`, "size of a chunk"],
    ["a chunk longer than it says", `${CHUNKED}3\nabcdef\n0\n\n`, "longer than its size"],
    ["a head without end", `HTTP/1.1 200 OK\n${"A: b\n".repeat(5000)}`, "head too long"],
    ["a line without end", `HTTP/1.1 200 ${"x".repeat(20_000)}`, "head too long"],
    ["an extension without end", `${CHUNKED}3;${"x".repeat(500)}`, "head too long"],
    ["a trailer without end", `${CHUNKED}0\n${"A: b\n".repeat(5000)}`, "head too long"],
  ];
  for (const [name, text, message] of broken)
    it(`${name}: ends in an error`, () => {
      const { results } = response(text);
      equal(results.length, 1);
      ok(results[0]?.includes(message), results[0]);
    });

  for (const text of [
    "",
    "HTTP/1.1 2",
    "HTTP/1.1 200 OK\nConte",
    "HTTP/1.1 200 OK\nContent-Length: 9\n\nabc",
    `${CHUNKED}3\nab`,
    `${CHUNKED}3\nabc\n`,
    `${CHUNKED}0\n`,
  ])
    it(`cut after ${JSON.stringify(text.slice(-12))}: ends in an error`, () => {
      const { results } = response(text, true);
      equal(results.length, 1);
      ok(results[0]);
    });
});

describe("HTTP client of the chip: requests", () => {
  const OK = ascii("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");

  const urls: [string, string, string][] = [
    ["http://host/file", "GET /file", "host"],
    ["http://host", "GET /", "host"],
    ["http://host?a=b", "GET /?a=b", "host"],
    ["http://host:8701/a/b?c=d&e=%2B+~(1)'!*#part", "GET /a/b?c=d&e=%2B+~(1)'!*", "host:8701"],
    ["HTTP://my_bucket.s3.amazonaws.com/k", "GET /k", "my_bucket.s3.amazonaws.com"],
    ["http://[fd00::1]:8701/k", "GET /k", "[fd00::1]:8701"],
    ["http://[fe80::a%25wlan0]/k", "GET /k", "[fe80::a%25wlan0]"],
  ];
  for (const [url, line, host] of urls)
    it(`asks for ${url}`, () => {
      const { asked, get, run } = client((wire) => wire.send(OK));
      const { results } = get(url);
      run();
      deepEqual(results, [undefined]);
      deepEqual(asked[0].split("\r\n"), [`${line} HTTP/1.1`, `host: ${host}`, "range: bytes=0-9"]);
    });

  for (const url of [
    "ftp://host/f",
    "http://user:pw@host/f",
    "http:///f",
    "http://host:99999999/f",
    "http://h ost/",
    "http://[::1/f",
    "file",
  ])
    it(`says later that it cannot use ${url}`, () => {
      const { get, run } = client(() => {});
      const { results } = get(url);
      deepEqual(results, []);
      run();
      deepEqual(results, ["no HTTP URL"]);
    });

  it("keeps the connection from one request to the next, and makes one when it is gone", () => {
    const { wires, get, run } = client((wire) => wire.send(OK));
    for (let n = 0; n < 3; n++) {
      get();
      run();
    }
    equal(wires.length, 1);
    wires[0].close();
    run();
    const { results } = get();
    run();
    deepEqual(results, [undefined]);
    equal(wires.length, 2);
  });

  it("makes a new one when the server says that it closes, and after bytes behind a body", () => {
    for (const text of [
      "HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 1\r\n\r\nx",
      "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxyz",
    ]) {
      const { wires, get, run } = client((wire) => wire.send(ascii(text)));
      for (let n = 1; n < 3; n++) {
        const recorder = get();
        run();
        deepEqual([recorder.results, recorder.body, wires.length], [[undefined], "x", n]);
      }
    }
  });

  it("writes a long request in parts", () => {
    const { asked, get, run } = client((wire) => wire.send(OK), 1536, 16);
    const { results } = get(`http://host/${"x".repeat(8000)}`);
    run(20_000);
    deepEqual(results, [undefined]);
    equal(asked[0].length, 8000 + "GET / HTTP/1.1\r\nhost: host\r\nrange: bytes=0-9".length);
  });

  it("stops when the handler wants no body, or no more of it, or cancels", () => {
    const long = concat(ascii("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"), new Uint8Array(5000));
    const changes: Pick<Partial<Recorder>, "takes" | "enough">[] = [{ takes: false }, { enough: 100 }];
    for (const { takes = true, enough = Number.POSITIVE_INFINITY } of changes) {
      const { wires, get, run } = client((wire) => wire.send(long));
      const recorder = new Recorder();
      recorder.takes = takes;
      recorder.enough = enough;
      get(undefined, recorder);
      run();
      deepEqual(recorder.results, [undefined]);
      ok(recorder.body.length < 5000);
      get();
      run();
      equal(wires.length, 2);
    }
    const { get, run } = client((wire) => wire.send(long.subarray(0, 2000)));
    const recorder = get();
    run();
    recorder.cancel();
    run();
    deepEqual(recorder.results, []);
  });

  it("says so when no connection can be made", () => {
    const clock = new VirtualClock();
    const refused = class {
      constructor({ onError }: { onError: (error?: unknown) => void }) {
        clock.set(() => onError(), 1);
      }
      close() {}
    };
    const network = { dns: { io: virtualResolver(clock) }, socket: { io: refused } };
    const http = new ModdableHttpClient({ Client: HttpConnection, clock, network: () => network as never });
    const recorder = new Recorder();
    http.get("http://host/f", new Map(), recorder);
    clock.run(100);
    deepEqual(recorder.results, ["connection lost"]);
  });
});
