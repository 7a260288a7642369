/** The broker inside of the service keeps the order of a device's packets. */
import { strictEqual } from "node:assert";
import { setTimeout as wait } from "node:timers/promises";
import mqtt from "mqtt";
import { DevelopmentService } from "../../service/index.js";
import { generateIdentity } from "../../service/signer.js";

const TOPIC = "$aws/things/order/streams/one/data/cbor";

describe("service: a topic that is left and subscribed to again", () => {
  for (const clean of [true, false])
    it(`has its subscriber, each time${clean ? "" : ", in a session that is kept"}: every second one was deaf before`, async function () {
      this.timeout(60_000);
      const service = await DevelopmentService.start({ identity: await generateIdentity() });
      const device = await mqtt.connectAsync(service.url, { clientId: "order", protocolVersion: 4, clean });
      let heard = "";
      device.on("message", (_topic, payload) => {
        heard = payload.toString();
      });
      try {
        await device.subscribeAsync(TOPIC);
        for (let round = 0; round < 10; round++) {
          device.unsubscribe(TOPIC);
          await device.subscribeAsync(TOPIC);
          device.publish(TOPIC, String(round));
          for (let tries = 0; heard !== String(round) && tries < 500; tries++) await wait(10);
          strictEqual(heard, String(round));
        }
      } finally {
        await device.endAsync(true);
        await service.close();
      }
    });
});
