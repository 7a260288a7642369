import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { ServiceClient } from "../../tools/cli/client.js";
import { equal } from "../support/assert.js";

describe("xs-ota: what a service answers", () => {
  it("is cleaned for the terminal, but for certificates (simulated devices could not read theirs)", async () => {
    const pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const server = createServer((_request, response) => {
      response.end(JSON.stringify({ certificate: pem, ca: pem, mqtt: "mqtt://\x1b[2J" }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const { certificate, ca, mqtt } = await new ServiceClient(`http://127.0.0.1:${port}`).status();
      equal(certificate, pem);
      equal(ca, pem);
      equal(mqtt, "mqtt://\\u001b[2J");
    } finally {
      server.close();
    }
  });
});
