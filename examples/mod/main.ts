/**
 * A product whose logic is a mod: the firmware has the network, the agent and a small contract; what the product does
 * comes as JavaScript of its own, is updated by itself or together with firmware, and comes back when it fails.
 * @module
 */

import Resource from "Resource";
import * as contract from "contract";
import config from "mc/config";
import { Components } from "xs-ota-agent/components";
import { connectMqtt, createOtaAgent, openPartition } from "xs-ota-agent/device";
import { DeviceMods } from "xs-ota-agent/mods-device";

const { thingName, host, port } = config;

export default function main(): void {
  const mods = new DeviceMods({
    fileType: 12,
    onNotice: (error) => trace(`mod: notice: ${error.message}\n`),
  });
  const mqtt = connectMqtt({ host, port, clientId: thingName });
  let components: Components | undefined;
  const agent = createOtaAgent({
    thingName,
    mqtt,
    trustedKeys: { "": new Uint8Array(new Resource("code-signing.der").slice(0)) },
    components: {
      layer(firmware, parts) {
        const log = openPartition("components");
        components = new Components({ ...parts, firmware, log, components: [mods.definition] });
        return components;
      },
    },
    onEvent(event) {
      trace(`ota: ${event.type}\n`);
      if (event.type === "activate") agent.activateNewImage();
      // A product looks closer; here a mod that is there is a good one.
      if (event.type === "start-test") agent.setImageState(mods.problem ? "rejected" : "accepted");
    },
  });
  // The mod gets its contract, and no agent.
  const mod = mods.start(components as Components, { modules: { contract } });
  trace(`mod: ${mod ? (mod["version"] as string) : "none"}\n`);
  void agent.init();
}
