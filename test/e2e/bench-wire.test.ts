/** The bench's comparison of the protocols on the wire. */
import { wireByProtocol } from "../../bench/wire.js";
import { deepEqual, ok } from "../support/assert.js";

const SIZE = 300_000;

describe("bench: bytes on the wire", () => {
  it("each protocol brings the image once for each block size, and what it costs is counted", async () => {
    const rows = await wireByProtocol(SIZE);
    deepEqual(
      rows.map(({ protocol, blockSize }) => `${protocol} ${blockSize}`),
      ["MQTT 4096", "HTTP 4096", "MQTT 8192", "HTTP 8192", "MQTT 16384", "HTTP 16384"],
    );
    for (const { protocol, requests, upBytes, downBytes, overhead } of rows) {
      const text = `${protocol}: ${requests} requests, ${upBytes} up, ${downBytes} down`;
      // The head alone, and at least one request for the rest.
      ok(requests >= 2 && upBytes > requests * 20 && downBytes > SIZE, text);
      ok(overhead > 0 && overhead < 0.1, text);
    }
  });
});
