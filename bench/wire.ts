/**
 * What one image costs on the wire over each protocol: requests, and the bytes of the TCP streams in both
 * directions, over real sockets on loopback. Nothing is lost, and the network takes no time.
 * @module
 */
import { nodeClock, nodeRandom } from "../hosts/node/clock.js";
import { NodeHttpClient } from "../hosts/node/http-client.js";
import { NodeMqttConnection } from "../hosts/node/mqtt-connection.js";
import { ImageServer } from "../service/http.js";
import { DevelopmentService } from "../service/index.js";
import { memoryFile } from "../service/streams.js";
import { RequestJobDocument } from "../src/events.js";
import type { HttpClient } from "../src/ports.js";
import type { OtaPal } from "../src/slot/pal.js";
import type { DataPlane } from "../src/transfer/data-plane.js";
import { Download } from "../src/transfer/download.js";
import { HttpPlane } from "../src/transfer/http.js";
import { StreamPlane } from "../src/transfer/stream.js";
import { LinkProxy } from "./proxy.js";
import { jobFile, THING } from "./virtual.js";

export interface ProtocolRow {
  protocol: "MQTT" | "HTTP";
  blockSize: number;
  /** Messages asking for blocks, or HTTP requests. */
  requests: number;
  upBytes: number;
  downBytes: number;
  /** Bytes in both directions over the image's, less one. */
  overhead: number;
}

/** As AWS's OTA service names a stream, and about as long as S3 signs a URL for a role. */
const STREAM = "AFR_OTA-3f2b8c1e-6a4d-4b7e-9c55-0d1e2f3a4b5c";
const URL_LENGTH = 1500;
const OBJECT = "app.bin";
const BLOCK_SIZES = [4096, 8192, 16_384];
/** Longest transfer, milliseconds. */
const PATIENCE_MS = 60_000;

/** Both protocols side by side for each block size. */
export async function wireByProtocol(fileSize: number): Promise<ProtocolRow[]> {
  const image = Uint8Array.from({ length: fileSize }, (_, at) => (at * 7) ^ (at >> 8));
  const rows: ProtocolRow[] = [];
  for (const blockSize of BLOCK_SIZES)
    rows.push(await overMqtt(image, blockSize), await overHttp(image, blockSize));
  return rows;
}

async function overMqtt(image: Uint8Array, blockSize: number): Promise<ProtocolRow> {
  let requests = 0;
  const service = await DevelopmentService.start({
    intercept: {
      request: () => {
        requests++;
        return undefined;
      },
    },
  });
  service.streams.create(STREAM, [memoryFile(0, image)]);
  const proxy = await proxyTo(service.url);
  const mqtt = new NodeMqttConnection({ url: `mqtt://127.0.0.1:${proxy.port}`, clientId: THING });
  try {
    while (!mqtt.connected) await new Promise((resolve) => setTimeout(resolve, 5));
    // The connection is the application's: what it took to open it is not the image's.
    const [up, down] = [proxy.upBytes, proxy.downBytes];
    await transfer(new StreamPlane({ mqtt, thingName: THING }), image, blockSize, "");
    return row("MQTT", image, blockSize, requests, proxy.upBytes - up, proxy.downBytes - down);
  } finally {
    await mqtt.close(true);
    await proxy.close();
    await service.close();
  }
}

async function overHttp(image: Uint8Array, blockSize: number): Promise<ProtocolRow> {
  const server = await ImageServer.start({ urlLength: URL_LENGTH });
  server.put(OBJECT, image);
  const proxy = await proxyTo(server.origin);
  const client = new NodeHttpClient();
  let requests = 0;
  const http: HttpClient = {
    get: (url, headers, handler) => {
      requests++;
      // The name of the server is part of what the URL's signature signs.
      return client.get(url, new Map([...headers, ["host", new URL(server.origin).host]]), handler);
    },
    close: () => client.close(),
  };
  try {
    const url = server.url(OBJECT).replace(server.origin, `http://127.0.0.1:${proxy.port}`);
    await transfer(new HttpPlane({ http, clock: nodeClock }), image, blockSize, url);
    return row("HTTP", image, blockSize, requests, proxy.upBytes, proxy.downBytes);
  } finally {
    http.close();
    await proxy.close();
    await server.close();
  }
}

/** Brings the image once. @throws Error when it fails, takes too long, or is another image */
async function transfer(plane: DataPlane, image: Uint8Array, blockSize: number, url: string): Promise<void> {
  const received = new Uint8Array(image.length);
  const pal = {
    headLength: 288,
    inspect: () => undefined,
    readBack: (offset: number, into: Uint8Array) => into.set(received.subarray(offset, offset + into.length)),
    writeBlock: (offset: number, data: Uint8Array) => received.set(data, offset),
  };
  await new Promise<void>((resolve, reject) => {
    const options = {
      ...{ blockSize, maxBlockSize: blockSize, clock: nodeClock, random: nodeRandom },
      ...{ maxOutstandingBytes: 262_144, noProgressTimeoutMs: PATIENCE_MS, totalDeadlineMs: PATIENCE_MS },
    };
    const download = new Download(options, {
      planes: [plane],
      file: { ...jobFile(image.length, STREAM), url },
      pal: pal as unknown as OtaPal,
      received: { has: () => false, byteLength: 0 },
      onHead: () => {},
      onProgress: () => {},
      tell: (event, error) => {
        if (event === RequestJobDocument) return;
        download.close();
        if (error) return reject(error);
        // What follows the last block, such as the end of a subscription, belongs to the image as well.
        setTimeout(resolve, 50);
      },
    });
    download.start();
  });
  if (Buffer.compare(received, image) !== 0) throw new Error("another image arrived than the one sent");
}

function proxyTo(url: string): Promise<LinkProxy> {
  const { hostname: host, port } = new URL(url);
  return LinkProxy.start({ host, port: Number(port), rtt: 0, loss: 0 });
}

function row(
  protocol: ProtocolRow["protocol"],
  image: Uint8Array,
  blockSize: number,
  requests: number,
  upBytes: number,
  downBytes: number,
): ProtocolRow {
  const overhead = (upBytes + downBytes) / image.length - 1;
  return { protocol, blockSize, requests, upBytes, downBytes, overhead };
}
