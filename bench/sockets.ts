/**
 * Transfers over real sockets: the whole device, on Node and on XS, against service and broker in a process of their
 * own through a proxy that makes a link; the original's policy through the same proxy.
 * @module
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { AppEvent } from "../hosts/emulated/device-app.js";
import { buildFlashDump, slotTable } from "../hosts/emulated/flash-dump.js";
import { MemoryStorage, NorFlash } from "../hosts/emulated/nor-flash.js";
import { nodeClock } from "../hosts/node/clock.js";
import { SimulatedDevice } from "../hosts/node/device.js";
import type { EngineName } from "../hosts/node/engine.js";
import { NodeMqttConnection } from "../hosts/node/mqtt-connection.js";
import { parseRange } from "../service/http.js";
import { OriginalPolicy } from "./original.js";
import { LinkProxy, type LinkSettings } from "./proxy.js";
import { CERTIFICATE, type Counts, FILE_SIZE, firmware, Site } from "./site.js";
import { jobFile, THING } from "./virtual.js";

export interface SocketRow {
  /** Which device over which protocol. */
  who: string;
  /** The link, and what happens on it. */
  what: string;
  /** From the job document to the last block. */
  seconds: number;
  /** The original's policy, one block a request, on the same link; 0: not measured. */
  original: number;
  /** Blocks asked for beyond those of the image; −1: not counted. */
  again: number;
  /** Block requests; for HTTP, range requests. */
  requests: number;
  /** Bytes through the proxy, everything included. */
  upBytes: number;
  downBytes: number;
}

type Log = (text: string) => void;

interface Conditions {
  readonly what: string;
  readonly link: LinkSettings;
  /** The process that carries the device's bytes stands still so long, so often. Milliseconds. */
  readonly stall?: { readonly ms: number; readonly every: number };
  /** Something is lost, or the original is worth its time. */
  readonly compared?: boolean;
}

const SLOT_SIZE = 0x1f0000;
const BLOCKS = Math.ceil(FILE_SIZE / 4096);
/** Longest transfer, milliseconds. */
const PATIENCE_MS = 900_000;

/** Nothing of it is lost: whatever was asked for again was not needed. */
const HARMLESS: readonly Conditions[] = [
  ...[0.01, 0.1, 0.3].map((overtake) => ({
    what: `${overtake * 100} % overtaken by 1 to 8`,
    link: { rtt: 100, loss: 0, bandwidth: 262_144, overtake },
  })),
  { what: "a request's blocks in any order", link: { rtt: 100, loss: 0, bandwidth: 262_144, shuffle: true } },
  ...[64, 200, 600].map((rate) => ({
    what: `lumps of 64 KB at ${rate} kB/s`,
    link: { rtt: 100, loss: 0, bandwidth: rate * 1000, lump: 65_536 },
  })),
  ...[200, 600, 1500].map((ms) => ({
    what: `device busy for ${ms / 1000} s every 2 s`,
    link: { rtt: 100, loss: 0, bandwidth: 262_144 },
    stall: { ms, every: 2000 },
  })),
];

const CONDITIONS: readonly Conditions[] = [
  { what: "0 ms", link: { rtt: 0, loss: 0 }, compared: true },
  { what: "100 ms", link: { rtt: 100, loss: 0 }, compared: true },
  { what: "100 ms, 1 % lost", link: { rtt: 100, loss: 0.01 }, compared: true },
  ...HARMLESS,
];

let things = 0;

interface Source {
  readonly url: string;
  readonly proxy: LinkProxy;
}

/** Brings the whole device from one version to the next and times the transfer. */
async function update(
  site: Site,
  engine: EngineName,
  { what, link, stall }: Conditions,
  http?: Source,
): Promise<SocketRow> {
  const thingName = `sockets-${++things}`;
  const content = { ota_0: firmware("1.0.0") };
  const dump = buildFlashDump({ flashSize: 0x400000, table: slotTable({ slotSize: SLOT_SIZE }), content });
  const device = new SimulatedDevice({
    engine,
    chip: new NorFlash(new MemoryStorage(dump)),
    chipId: 5,
    broker: { url: site.url },
    app: {
      thingName,
      trustedKeys: { [CERTIFICATE]: site.certificate },
      protocols: http ? ["HTTP"] : ["MQTT"],
      agent: { blockSize: 4096 },
    },
    store: { get: () => undefined, set: () => {} },
  });
  const before = await site.link(http ? { rtt: 0, loss: 0 } : link);
  const { upBytes = 0, downBytes = 0 } = http?.proxy ?? before;
  let started = 0;
  const finished = new Promise<number>((resolve, reject) => {
    setTimeout(() => reject(new Error("the transfer takes too long")), PATIENCE_MS).unref();
    device.on("app", (event: AppEvent) => {
      if (event.type === "job") started = performance.now();
      else if (event.type === "progress" && event.received === event.total) resolve(performance.now());
      else if (event.type === "fail") reject(new Error(event.error.message));
    });
  });
  const busy = stall && setInterval(() => standStill(stall.ms), stall.every);
  try {
    await device.powerOn();
    await site.deploy(thingName, http && { protocols: ["HTTP"], url: http.url });
    const seconds = ((await finished) - started) / 1000;
    const after = await site.counts();
    const bytes: Pick<Counts, "upBytes" | "downBytes"> = http?.proxy ?? after;
    return {
      who: `${engine === "xs" ? "XS" : "Node"}, ${http ? "HTTP" : "MQTT"}`,
      ...{ what, seconds, original: 0 },
      again: http ? -1 : after.blocks - before.blocks - BLOCKS,
      requests: after.requests - before.requests,
      upBytes: bytes.upBytes - upBytes,
      downBytes: bytes.downBytes - downBytes,
    };
  } finally {
    clearInterval(busy);
    await device.powerOff();
  }
}

function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Seconds the original's default policy takes. */
async function original(site: Site, link: LinkSettings): Promise<number> {
  await site.link(link);
  const mqtt = new NodeMqttConnection({ url: site.url, clientId: THING });
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
async function overHttp(site: Site, engine: EngineName, rtt: number): Promise<SocketRow> {
  let requests = 0;
  const image = firmware("1.0.1");
  const server = createServer(({ headers }, response) => {
    requests++;
    const range = parseRange(headers.range ?? "", FILE_SIZE);
    if (typeof range !== "object") return void response.writeHead(416).end();
    const { first, last } = range;
    response.writeHead(206, {
      "Content-Range": `bytes ${first}-${last}/${FILE_SIZE}`,
      "Content-Length": last + 1 - first,
    });
    response.end(image.subarray(first, last + 1));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const link = { rtt, loss: 0 };
  const proxy = await LinkProxy.start({ host: "127.0.0.1", port, ...link });
  try {
    const source = { url: `http://127.0.0.1:${proxy.port}/image`, proxy };
    return { ...(await update(site, engine, { what: `${rtt} ms`, link }, source)), requests };
  } finally {
    await proxy.close();
    server.closeAllConnections();
    server.close();
  }
}

/** Rows without losses in which more than 1 % of the blocks were asked for again. */
export function fooled(rows: readonly SocketRow[]): string[] {
  return rows
    .filter(({ what, again }) => HARMLESS.some((row) => row.what === what) && again > 0.01 * BLOCKS)
    .map(
      ({ who, what, again }) => `${who}, ${what}: ${again} blocks asked for again, at most 1 % is promised`,
    );
}

/**
 * @param log told what goes on: it takes minutes
 * @param only of the rows with one of these texts
 */
export async function sockets(log: Log, only: readonly string[] = []): Promise<SocketRow[]> {
  const rows: SocketRow[] = [];
  const site = await Site.start();
  try {
    await site.stream("original");
    for (const conditions of CONDITIONS) {
      if (only.length && !only.some((text) => conditions.what.includes(text))) continue;
      const { what, link, compared } = conditions;
      log(`${what} …`);
      const seconds = compared ? await original(site, link) : 0;
      for (const engine of ["node", "xs"] satisfies EngineName[])
        rows.push({ ...(await update(site, engine, conditions)), original: seconds });
    }
    for (const rtt of only.length ? [] : [0, 100])
      for (const engine of ["node", "xs"] satisfies EngineName[])
        rows.push(await overHttp(site, engine, rtt));
  } finally {
    await site.close();
  }
  return rows;
}
