/**
 * Firmware and a page beside it, which it serves from flash. Either is updated by itself, or both together:
 * `xs-ota component index.html --name assets …` makes the file of the page.
 * @module
 */

import Resource from "Resource";
import config from "mc/config";
import { deviceComponents } from "xs-ota-agent/components-device";
import { connectMqtt, createOtaAgent } from "xs-ota-agent/device";
import { servePage } from "./page-server";

const { thingName, host, port, pagePort } = config;

export default function main(): void {
  const components = deviceComponents({
    components: [{ name: "assets", fileType: 10, places: ["assets_0", "assets_1"] }],
  });
  const mqtt = connectMqtt({ host, port, clientId: thingName });
  const agent = createOtaAgent({
    thingName,
    mqtt,
    components,
    trustedKeys: { "": new Uint8Array(new Resource("code-signing.der").slice(0)) },
    onEvent(event) {
      if (event.type !== "progress") trace(`ota: ${event.type}\n`);
      if (event.type === "activate") agent.activateNewImage();
      // Firmware and page are on trial together, and can be read: a page that is none is no good update.
      if (event.type === "start-test") agent.setImageState(isPage() ? "accepted" : "rejected");
    },
  });

  const page = () => components.openComponent("assets");
  function isPage(): boolean {
    const start = new Uint8Array(1);
    page()?.read(0, start);
    return page() === undefined || start[0] === "<".charCodeAt(0);
  }

  trace(`assets: ${page()?.header.version ?? "none"}\n`);
  servePage(pagePort, page);
  void agent.init();
}
