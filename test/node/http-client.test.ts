/** The HTTP client of the Node host, and the one of the XS host in front of it. */
import { match, strictEqual } from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { NodeHttpClient } from "../../hosts/node/http-client.js";
import { httpConformance, Recorder } from "../conformance/http-client.js";
import { nodeHttpHarness } from "../support/http-server.js";
import { xsHttpClient } from "../support/xs-host.js";

httpConformance("NodeHttpClient", () => nodeHttpHarness(() => new NodeHttpClient()));
httpConformance("XsHttp", () => nodeHttpHarness(() => xsHttpClient(new NodeHttpClient())));

function get(url: string): Promise<Recorder> {
  const client = new NodeHttpClient();
  return new Promise((resolve) => {
    const recorder = new Recorder();
    recorder.done = (error) => {
      recorder.results.push(error);
      client.close();
      resolve(recorder);
    };
    client.get(url, new Map(), recorder);
  });
}

describe("NodeHttpClient", () => {
  it("joins the values of fields of one name", async () => {
    const server = createServer((_request, response) => {
      response.writeHead(200, { "X-Two": ["a", "b"] });
      response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { fields } = await get(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    strictEqual(fields.get("x-two"), "a, b");
    await new Promise((resolve) => server.close(resolve));
  });

  it("names the reason when there is no server", async () =>
    match(String((await get("http://127.0.0.1:1/")).results[0]), /ECONNREFUSED/));
});
