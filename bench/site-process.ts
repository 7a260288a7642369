/**
 * Broker, service and the link to them as a process of their own, so that a bench can measure, and hold up, the
 * device's alone. Standard input: one JSON object a line, `{"link": settings}`, `{"deploy": options}`,
 * `{"stream": {name, image}}` (images in base64) or `{}`. Standard output: `{"port": …, "certificate": …}` first, then
 * the counts so far for each line.
 * @module
 */
import { createInterface } from "node:readline";
import { decodeCbor } from "../service/cbor.js";
import { DevelopmentService } from "../service/index.js";
import { generateIdentity } from "../service/signer.js";
import { memoryFile } from "../service/streams.js";
import { startMosquitto } from "../test/support/mosquitto.js";
import { LinkProxy, PLAIN } from "./proxy.js";

const mosquitto = await startMosquitto().catch((error: Error) => {
  console.error(`${error.message}; an embedded broker serves instead`);
  return undefined;
});
const identity = await generateIdentity();
let requests = 0;
let blocks = 0;
const service = await DevelopmentService.start({
  broker: mosquitto?.url,
  identity,
  intercept: {
    request: ({ operation, payload }) => {
      if (operation !== "get-stream") return undefined;
      requests++;
      const { b, n } = decodeCbor(payload) as { b: Uint8Array; n: number };
      const set = b.reduce((sum, byte) => sum + (byte.toString(2).match(/1/g)?.length ?? 0), 0);
      blocks += Math.min(n, set);
      return undefined;
    },
  },
});
const { hostname: host, port } = new URL(service.url);
const proxy = await LinkProxy.start({ host, port: Number(port), rtt: 0, loss: 0 });
const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);
say({ port: proxy.port, certificate: identity.certificatePem });
for await (const line of createInterface({ input: process.stdin })) {
  const { link, deploy, stream } = JSON.parse(line);
  if (link) Object.assign(proxy.settings, PLAIN, link);
  if (stream) service.streams.create(stream.name, [memoryFile(0, Buffer.from(stream.image, "base64"))]);
  const job = deploy && service.deploy({ ...deploy, image: Buffer.from(deploy.image, "base64") });
  const { upBytes, downBytes } = proxy;
  say({ jobId: job?.jobId, requests, blocks, upBytes, downBytes });
}
await proxy.close();
await service.close();
await mosquitto?.stop();
