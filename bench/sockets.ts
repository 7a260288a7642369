/**
 * Transfers over real sockets: the whole device, on Node and on XS, against a broker through a proxy that delays
 * and loses messages; the original's policy through the same proxy.
 * @module
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { AppEvent } from "../hosts/emulated/device-app.js";
import { buildFlashDump, slotTable } from "../hosts/emulated/flash-dump.js";
import { MemoryStorage, NorFlash } from "../hosts/emulated/nor-flash.js";
import { buildImage } from "../hosts/formats/image-builder.js";
import { nodeClock } from "../hosts/node/clock.js";
import { nodeCrypto } from "../hosts/node/crypto.js";
import { SimulatedDevice } from "../hosts/node/device.js";
import type { EngineName } from "../hosts/node/engine.js";
import { NodeMqttConnection } from "../hosts/node/mqtt-connection.js";
import { parseRange } from "../service/http.js";
import { DevelopmentService } from "../service/index.js";
import { generateIdentity, type SigningIdentity } from "../service/signer.js";
import { memoryFile } from "../service/streams.js";
import { type Mosquitto, startMosquitto } from "../test/support/mosquitto.js";
import { OriginalPolicy } from "./original.js";
import { LinkProxy } from "./proxy.js";
import { jobFile, THING } from "./virtual.js";

export interface SocketRow {
  /** Which device over which protocol. */
  who: string;
  rtt: number;
  loss: number;
  /** From the job document to the last block. */
  seconds: number;
  /** The original's policy, one block a request, on the same link; 0: not measured. */
  original: number;
  /** Block requests; for HTTP, range requests. */
  requests: number;
  /** Bytes through the proxy, everything included. */
  upBytes: number;
  downBytes: number;
}

type Log = (text: string) => void;

const FILE_SIZE = 1_572_864;
const SLOT_SIZE = 0x1f0000;
const CERTIFICATE = "/certificates/ota.pem";
/** Longest transfer, milliseconds. */
const PATIENCE_MS = 900_000;

const firmware = (version: string) =>
  buildImage({ version, projectName: "bench", size: FILE_SIZE }, () => nodeCrypto.sha256());

/** Service, broker and the link to them. */
class Site {
  requests = 0;
  #versions = 1;
  readonly #image = firmware("1.0.1");
  private constructor(
    readonly service: DevelopmentService,
    readonly proxy: LinkProxy,
    readonly identity: SigningIdentity,
    readonly mosquitto: Mosquitto | undefined,
  ) {}

  static async start(log: Log): Promise<Site> {
    const identity = await generateIdentity();
    const mosquitto = await startMosquitto().catch((error: Error) => {
      log(`${error.message}; an embedded broker serves instead`);
      return undefined;
    });
    let site: Site | undefined;
    const service = await DevelopmentService.start({
      broker: mosquitto?.url,
      identity,
      intercept: {
        request: ({ operation }) => {
          if (site && operation === "get-stream") site.requests++;
          return undefined;
        },
      },
    });
    const { hostname: host, port } = new URL(service.url);
    const proxy = await LinkProxy.start({ host, port: Number(port), rtt: 0, loss: 0 });
    site = new Site(service, proxy, identity, mosquitto);
    service.streams.create("original", [memoryFile(0, site.#image)]);
    return site;
  }

  /** Brings the whole device from one version to the next and times the transfer. */
  async update(
    engine: EngineName,
    rtt: number,
    loss: number,
    http?: { url: string; proxy: LinkProxy },
  ): Promise<SocketRow> {
    const thingName = `bench-${++this.#versions}`;
    const content = { ota_0: firmware("1.0.0") };
    const dump = buildFlashDump({ flashSize: 0x400000, table: slotTable({ slotSize: SLOT_SIZE }), content });
    const store = new Map<string, string>();
    const device = new SimulatedDevice({
      engine,
      chip: new NorFlash(new MemoryStorage(dump)),
      chipId: 5,
      broker: { url: `mqtt://127.0.0.1:${this.proxy.port}` },
      app: {
        thingName,
        trustedKeys: { [CERTIFICATE]: this.identity.certificatePem },
        protocols: http ? ["HTTP"] : ["MQTT"],
      },
      store: { get: (key) => store.get(key), set: (key, value) => void store.set(key, value) },
    });
    const link = http?.proxy ?? this.proxy;
    link.rtt = rtt;
    link.loss = loss;
    const before = { requests: this.requests, up: link.upBytes, down: link.downBytes };
    let started = 0;
    const finished = new Promise<number>((resolve, reject) => {
      setTimeout(() => reject(new Error("the transfer takes too long")), PATIENCE_MS).unref();
      device.on("app", (event: AppEvent) => {
        if (event.type === "job") started = performance.now();
        else if (event.type === "progress" && event.received === event.total) resolve(performance.now());
        else if (event.type === "fail") reject(new Error(event.error.message));
      });
    });
    await device.powerOn();
    this.service.deploy({
      image: this.#image,
      things: [thingName],
      certFile: CERTIFICATE,
      ...(http && { protocols: ["HTTP"], url: http.url }),
    });
    try {
      const seconds = ((await finished) - started) / 1000;
      return {
        who: `${engine === "xs" ? "XS" : "Node"}, ${http ? "HTTP" : "MQTT"}`,
        ...{ rtt, loss, seconds, original: 0 },
        requests: this.requests - before.requests,
        upBytes: link.upBytes - before.up,
        downBytes: link.downBytes - before.down,
      };
    } finally {
      await device.powerOff();
    }
  }

  /** Seconds the original's default policy takes. */
  async original(rtt: number, loss: number): Promise<number> {
    this.proxy.rtt = rtt;
    this.proxy.loss = loss;
    const url = `mqtt://127.0.0.1:${this.proxy.port}`;
    const mqtt = new NodeMqttConnection({ url, clientId: "original" });
    while (!mqtt.connected) await new Promise((resolve) => setTimeout(resolve, 10));
    const file = jobFile(FILE_SIZE, "original");
    const started = performance.now();
    try {
      const failed = await new Promise<boolean>((done) =>
        new OriginalPolicy(
          { mqtt, clock: nodeClock, file, blockSize: 4096, blocksPerRequest: 1, thing: THING },
          { write: () => {}, done },
        ).start(),
      );
      return failed ? Number.POSITIVE_INFINITY : (performance.now() - started) / 1000;
    } finally {
      await mqtt.close();
    }
  }

  /** The image over HTTP. */
  async overHttp(engine: EngineName, rtt: number): Promise<SocketRow> {
    let requests = 0;
    const server = createServer(({ headers }, response) => {
      requests++;
      const range = parseRange(headers.range ?? "", FILE_SIZE);
      if (typeof range !== "object") return void response.writeHead(416).end();
      const { first, last } = range;
      response.writeHead(206, {
        "Content-Range": `bytes ${first}-${last}/${FILE_SIZE}`,
        "Content-Length": last + 1 - first,
      });
      response.end(this.#image.subarray(first, last + 1));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const proxy = await LinkProxy.start({ host: "127.0.0.1", port, rtt, loss: 0 });
    try {
      const row = await this.update(engine, rtt, 0, { url: `http://127.0.0.1:${proxy.port}/image`, proxy });
      return { ...row, requests };
    } finally {
      await proxy.close();
      server.closeAllConnections();
      server.close();
    }
  }

  async close(): Promise<void> {
    await this.proxy.close();
    await this.service.close();
    await this.mosquitto?.stop();
  }
}

/** @param log told what goes on: it takes minutes */
export async function sockets(log: Log): Promise<SocketRow[]> {
  const rows: SocketRow[] = [];
  const site = await Site.start(log);
  try {
    for (const [rtt, loss] of [
      [0, 0],
      [100, 0],
      [100, 0.01],
    ]) {
      log(`${rtt} ms, ${loss * 100} % loss: the original …`);
      const original = await site.original(rtt, loss);
      log(`  ${original.toFixed(1)} s`);
      for (const engine of ["node", "xs"] satisfies EngineName[])
        rows.push({ ...(await site.update(engine, rtt, loss)), original });
    }
    for (const rtt of [0, 100])
      for (const engine of ["node", "xs"] satisfies EngineName[]) rows.push(await site.overHttp(engine, rtt));
  } finally {
    await site.close();
  }
  return rows;
}
