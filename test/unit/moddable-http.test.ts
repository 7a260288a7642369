import { ModdableClock } from "../../hosts/moddable/clock.js";
import {
  type EcmaHttpClient,
  type EcmaHttpClientConstructor,
  ModdableHttpClient,
} from "../../hosts/moddable/http-client.js";
import { HttpConnection } from "../../hosts/moddable/http-connection.js";
import { networkOptions } from "../../hosts/moddable/network.js";
import { type HttpHarness, httpConformance, Recorder } from "../conformance/http-client.js";
import { equal, fail, ok } from "../support/assert.js";
import { HttpPeer, response } from "../support/http-peer.js";
import HTTPClient from "../support/sdk/http-client.js";
import { sdk } from "../support/sdk/machine.js";
import { secure } from "../support/sdk/tls.js";

const JOBS = 20;

async function jobs(): Promise<void> {
  for (let i = 0; i < JOBS; i++) await undefined;
}

function makeClient(Client: EcmaHttpClientConstructor = HTTPClient as never): ModdableHttpClient {
  return new ModdableHttpClient({
    Client,
    clock: new ModdableClock(),
    network: (tls, serverName) => networkOptions(tls ? { serverName } : undefined),
  });
}

function harness(
  scheme: "http" | "https",
  readable: number,
  writable: number,
  Client?: EcmaHttpClientConstructor,
): HttpHarness {
  return {
    readsChunks: Client !== undefined,
    async open(peer) {
      sdk.reset();
      Object.assign(sdk, { readable, writable });
      sdk.addresses.set("server.test", "192.0.2.1");
      sdk.accept = scheme === "https" ? secure((wire) => peer.accept(wire)) : (wire) => peer.accept(wire);
      return { client: makeClient(Client), origin: `${scheme}://server.test:8080` };
    },
    async until(condition, what) {
      await jobs();
      if (!sdk.clock.runUntilDone(condition, 60_000)) fail(`waited in vain: ${what}`);
      await jobs();
    },
    async settle() {
      sdk.clock.run(50);
      await jobs();
    },
    async refuse() {
      sdk.accept = undefined;
    },
    async close() {},
  };
}

httpConformance("HTTP client on the SDK's, roomy sockets", () => harness("http", 1_536, 5_744));
httpConformance("HTTP client on the SDK's, 16 bytes in and 40 out at a time", () => harness("http", 16, 40));
httpConformance("HTTP client on the SDK's over TLS", () => harness("https", 1_536, 5_744));
httpConformance("HTTP client, roomy sockets", () => harness("http", 1_536, 5_744, HttpConnection));
httpConformance("HTTP client, 16 bytes in and 40 out at a time", () =>
  harness("http", 16, 40, HttpConnection),
);
httpConformance("HTTP client over TLS", () => harness("https", 1_536, 5_744, HttpConnection));

describe("HTTP client on the SDK's", () => {
  let peer: HttpPeer;
  let client: ModdableHttpClient;
  beforeEach(() => {
    sdk.reset();
    sdk.addresses.set("one.test", "192.0.2.1");
    sdk.addresses.set("two.test", "192.0.2.2");
    peer = new HttpPeer();
    peer.answer = (_request, wire) => wire.send(response("200 OK\nContent-Length: 2", "ok"));
    client = makeClient();
  });
  function get(url: string): Recorder {
    const recorder = new Recorder();
    client.get(url, new Map(), recorder);
    sdk.clock.run(1_000);
    return recorder;
  }

  it("keeps one connection, to the origin asked last", () => {
    const ports: string[] = [];
    sdk.accept = (wire, { address, port }) => {
      ports.push(`${address}:${port}`);
      return peer.accept(wire);
    };
    for (const url of ["http://one.test/a", "http://one.test/b", "http://two.test:81/", "http://one.test/"])
      equal(get(url).length, 2);
    equal(ports.join(), "192.0.2.1:80,192.0.2.2:81,192.0.2.1:80");
  });

  it("asks for the certificate of the host, without its port", () => {
    const names: string[] = [];
    const ports: number[] = [];
    const accept = secure((wire, name) => {
      names.push(name);
      return peer.accept(wire);
    });
    sdk.accept = (wire, end) => {
      ports.push(end.port);
      return accept(wire, end);
    };
    equal(get("https://one.test:8443/").length, 2);
    equal(get("https://two.test/").length, 2);
    equal(names.join(), "one.test,two.test");
    equal(ports.join(), "8443,443");
  });

  it("reports a host without an address", () => {
    sdk.accept = (wire) => peer.accept(wire);
    const { results } = get("http://unknown.test/");
    equal(results.length, 1);
    ok(results[0] instanceof Error);
  });

  it("reports a record that is none, and goes on", () => {
    const accept = secure((wire) => peer.accept(wire));
    sdk.accept = (wire) => {
      wire.send(Uint8Array.of(1, 2, 3, 4, 5, 6, 7));
      return accept(wire, { address: "", port: 0 });
    };
    equal(get("https://one.test/").results.length, 1);
    ok(sdk.lines.some((line) => line.startsWith("connection failed")));
    sdk.accept = accept;
    equal(get("https://one.test/").length, 2);
  });

  it("is closed with what is under way, which hears nothing more", () => {
    sdk.accept = (wire) => peer.accept(wire);
    const recorder = new Recorder();
    peer.answer = (_request, wire) => wire.send(response("200 OK\nContent-Length: 9", "ok"));
    client.get("http://one.test/", new Map(), recorder);
    sdk.clock.run(1_000);
    client.close();
    sdk.clock.run(1_000);
    equal(recorder.length, 2);
  });

  it("tells the end once, also of a client that tells it again", () => {
    let asked: Parameters<EcmaHttpClient["request"]>[0] | undefined;
    const request = (options: typeof asked) => {
      asked = options;
      return { read: () => undefined };
    };
    client = makeClient(
      class {
        request = request;
        close() {}
      } as unknown as EcmaHttpClientConstructor,
    );
    for (const enough of [2, 100]) {
      const recorder = get("http://one.test/");
      recorder.enough = enough;
      asked?.onHeaders(200, new Map());
      asked?.onReadable(2);
      // The handler may have had enough, and the connection ends all the same.
      asked?.onDone(null);
      asked?.onDone(new Error("closed"));
      sdk.clock.run(1_000);
      equal(recorder.results.join(), "");
      equal(recorder.results.length, 1);
    }
  });
});
