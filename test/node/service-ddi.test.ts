/**
 * The desk's hawkBit: a client that follows hawkBit's documentation and knows nothing of this project, and the agent.
 */
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { createHash, generateKeyPairSync } from "node:crypto";
import { nodeClock, nodeRandom } from "../../hosts/node/clock.js";
import { NodeHttpClient } from "../../hosts/node/http-client.js";
import { DdiServer } from "../../service/ddi.js";
import { DevelopmentService } from "../../service/index.js";
import { authorized, ddi } from "../../src/ddi/index.js";
import { OtaAgent, type OtaEvent } from "../../src/index.js";
import { HttpPlane } from "../../src/transfer/http.js";
import { FakePal } from "../support/fake-pal.js";

const IMAGE = Uint8Array.from({ length: 40_000 }, (_, n) => (n * 31) >> 3);
const TOKEN = "GatewayToken desk";

describe("hawkBit at the desk", () => {
  let service: DevelopmentService;
  let server: DdiServer;
  let root: string;

  beforeEach(async () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const privateKeyPem = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
    service = await DevelopmentService.start({ identity: { privateKeyPem } });
    server = await DdiServer.start({ service, token: "desk" });
    root = `${server.origin}/DEFAULT/controller/v1/device-1`;
  });
  afterEach(async () => {
    await server.close();
    await service.close();
  });

  async function ask(url: string, method = "GET", body?: unknown, headers: Record<string, string> = {}) {
    const response = await fetch(url, {
      method,
      headers: {
        authorization: TOKEN,
        ...(body !== undefined && { "content-type": "application/json" }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const bytes = new Uint8Array(await response.arrayBuffer());
    const text = Buffer.from(bytes).toString();
    const value = text.startsWith("{") ? JSON.parse(text) : undefined;
    return { status: response.status, headers: response.headers, bytes, value };
  }
  const feedback = (execution: string, finished: string, details: string[] = []) => ({
    status: { execution, result: { finished }, details },
  });
  const deploy = () => service.deploy({ image: IMAGE, things: ["device-1"], filePath: "/app.bin" });

  it("serves a client that follows the documentation, from the first poll to a finished action", async () => {
    const first = await ask(root);
    strictEqual(first.status, 200);
    ok(/^\d\d:\d\d:\d\d$/.test(first.value.config.polling.sleep));
    const { configData } = first.value._links;
    strictEqual((await ask(configData.href, "PUT", { mode: "merge", data: { version: "1" } })).status, 200);
    strictEqual(server.attributes("device-1").get("version"), "1");
    const { jobId } = deploy();
    const { _links: links } = (await ask(root)).value;
    deepStrictEqual(Object.keys(links), ["deploymentBase"]);
    const { id, deployment } = (await ask(links.deploymentBase.href)).value;
    deepStrictEqual([deployment.download, deployment.update], ["forced", "forced"]);
    const [{ part, artifacts, metadata }] = deployment.chunks;
    strictEqual(part, "os");
    strictEqual(metadata[0].key, "sig-sha256-ecdsa");
    const [{ filename, size, hashes, _links: where }] = artifacts;
    deepStrictEqual([filename, size], ["app.bin", IMAGE.length]);
    const whole = await ask(where.download.href);
    strictEqual(createHash("sha256").update(whole.bytes).digest("hex"), hashes.sha256);
    const part2 = await ask(where.download.href, "GET", undefined, { range: "bytes=100-199" });
    deepStrictEqual([part2.status, part2.bytes.length], [206, 100]);
    strictEqual(part2.headers.get("content-range"), `bytes 100-199/${IMAGE.length}`);
    strictEqual(part2.headers.get("etag"), `"${hashes.sha1}"`);
    const base = `${root}/deploymentBase/${id}/feedback`;
    strictEqual((await ask(base, "POST", feedback("proceeding", "none", ["receive: 3/10"]))).status, 200);
    deepStrictEqual(service.jobs.execution("device-1", jobId).statusDetails, { receive: "3/10" });
    strictEqual((await ask(base, "POST", feedback("closed", "success", ["done"]))).status, 200);
    strictEqual(service.jobs.execution("device-1", jobId).status, "SUCCEEDED");
    strictEqual((await ask(base, "POST", feedback("closed", "success"))).status, 410);
    deepStrictEqual(Object.keys((await ask(root)).value._links), ["configData"]);
  });

  it("refuses what hawkBit refuses", async () => {
    deploy();
    const { deploymentBase } = (await ask(root)).value._links;
    const { id } = (await ask(deploymentBase.href)).value;
    const base = `${root}/deploymentBase/${id}/feedback`;
    const rows: [number, Promise<{ status: number }>][] = [
      [401, ask(root, "GET", undefined, { authorization: "GatewayToken other" })],
      [401, ask(root, "GET", undefined, { authorization: "" })],
      [404, ask(`${server.origin}/DEFAULT/controller/v2/device-1`)],
      [400, ask(`${server.origin}/DEFAULT/controller/v1/a%2Fb`)],
      [404, ask(`${root}/deploymentBase/1`)],
      [404, ask(`${root}/cancelAction/${id}`)],
      [405, ask(`${root}/cancelAction/${id}/feedback`, "POST", feedback("closed", "success"))],
      [405, ask(root, "PUT", {})],
      [415, ask(base, "POST", feedback("closed", "success"), { "content-type": "text/plain" })],
      [400, ask(base, "POST", feedback("finished", "success"))],
      [400, ask(base, "POST", feedback("closed", "ok"))],
      [429, ask(base, "POST", feedback("proceeding", "none", new Array(51).fill("x")))],
      [400, ask(`${root}/configData`, "PUT", { data: { key: "x".repeat(129) } })],
      [400, ask(`${root}/configData`, "PUT", { data: {} })],
      [404, ask(`${root}/softwaremodules/${id}/artifacts/other.bin`)],
      [400, ask(`${root}/softwaremodules/${id}/artifacts/app.bin;packed`)],
      [400, ask(`${root}/softwaremodules/${id}/artifacts/app.bin%3Bpacked`)],
      [413, ask(base, "POST", feedback("closed", "failure", ["x".repeat(70_000)]))],
    ];
    for (const [n, [status, answer]] of rows.entries())
      strictEqual((await answer).status, status, `row ${n}`);
    const range = { range: `bytes=${IMAGE.length}-` };
    const artifact = `${root}/softwaremodules/${id}/artifacts/app.bin`;
    strictEqual((await ask(artifact, "GET", undefined, range)).status, 416);
    strictEqual((await ask(artifact, "GET", undefined, { "if-match": '"other"' })).status, 412);
  });

  it("names payloads so that they can be downloaded", async () => {
    service.deploy({
      ...{ image: IMAGE, things: ["device-1"], filePath: "/app.bin" },
      payloads: [{ kind: ";packed", bytes: IMAGE.subarray(0, 500) }],
    });
    const { deploymentBase } = (await ask(root)).value._links;
    const [{ artifacts }] = (await ask(deploymentBase.href)).value.deployment.chunks;
    strictEqual(artifacts[1].filename, "app.bin,packed");
    strictEqual((await ask(artifacts[1]._links.download.href)).bytes.length, 500);
  });

  it("tells of a job that was cancelled under a device's hands until it has stopped", async () => {
    const { jobId } = deploy();
    const { id } = (await ask((await ask(root)).value._links.deploymentBase.href)).value;
    await ask(`${root}/deploymentBase/${id}/feedback`, "POST", feedback("proceeding", "none"));
    service.cancel(jobId, true);
    const { cancelAction } = (await ask(root)).value._links;
    deepStrictEqual((await ask(cancelAction.href)).value, { id, cancelAction: { stopId: id } });
    strictEqual(
      (await ask(`${cancelAction.href}/feedback`, "POST", feedback("closed", "success"))).status,
      200,
    );
    strictEqual((await ask(root)).value._links.cancelAction, undefined);
  });

  it("serves the agent, from the offer to the image that is ready", async () => {
    const { jobId } = deploy();
    const store = new Map<string, string>();
    const pal = new FakePal(nodeClock);
    const client = () => authorized(new NodeHttpClient(), root, TOKEN);
    const [control, data] = [client(), client()];
    let agent!: OtaAgent;
    await new Promise<void>((resolve, reject) => {
      const onEvent = (event: OtaEvent) => {
        if (event.type === "activate") resolve();
        if (event.type === "fail") reject(event.error);
      };
      agent = new OtaAgent({
        ...{ thingName: "device-1", pal, clock: nodeClock, random: nodeRandom, onEvent },
        store: { get: (key) => store.get(key), set: (key, value) => void store.set(key, value) },
        controlPlane: ddi({ http: control, url: root }),
        dataPlanes: [new HttpPlane({ http: data, clock: nodeClock })],
      });
      void agent.init();
    });
    const { status, statusDetails } = service.jobs.execution("device-1", jobId);
    strictEqual(status, "IN_PROGRESS");
    strictEqual(statusDetails["self_test"], "ready");
    ok(store.get("xs-ota.ddi"));
    strictEqual(server.attributes("device-1").get("version"), "1.0.1");
    await agent.shutdown();
    control.close();
    data.close();
  });
});
