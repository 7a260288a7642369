/**
 * An application with all options of the package: those of one agent at work together, and those that another control plane, the
 * desk or another broker would need built and linked with them.
 */
import Resource from "Resource";
import config from "mc/config";
import { StreamPlane } from "xs-ota-agent";
import { connectAws, VersionReport } from "xs-ota-agent/aws";
import { Components } from "xs-ota-agent/components";
import { deviceComponents } from "xs-ota-agent/components-device";
import { hawkbit } from "xs-ota-agent/ddi-device";
import { connectMqtt, createOtaAgent, openPartition, PreferenceStore } from "xs-ota-agent/device";
import { FailureLog } from "xs-ota-agent/failure-log";
import { httpPlane } from "xs-ota-agent/http-device";
import { keysFromNvs, keysFromPartition, tlsWith } from "xs-ota-agent/keys";
import { DeviceMods } from "xs-ota-agent/mods-device";
import { shareMqtt } from "xs-ota-agent/mqtt-shared";
import { startNetwork } from "xs-ota-agent/network";
import { payloads } from "xs-ota-agent/payload-device";
import { receivePush } from "xs-ota-agent/push";
import { urlUpdates } from "xs-ota-agent/url-device";

const { thingName, host, port } = config;
const file = (name: string) => new Uint8Array(new Resource(name).slice(0));

/** Each option as the guide has it that does not go together with the others. */
export const options = {
  aws: () => connectAws({ endpoint: host, thingName, ...keysFromNvs() }),
  components: () => deviceComponents({ components: [] }),
  keys: () => keysFromPartition("keys"),
  hawkbit: () => hawkbit({ url: `https://${host}`, authorization: "TargetToken token" }),
  push: () => receivePush({ updates: urlUpdates(), secret: "sixteen characters" }),
  shared: () => shareMqtt,
};

export default function main(): void {
  const mods = new DeviceMods({ fileType: 12 });
  const mqtt = connectMqtt({ host, port, clientId: thingName, tls: tlsWith(keysFromNvs()) });
  let components: Components | undefined;
  const agent = createOtaAgent({
    thingName,
    mqtt,
    trustedKeys: { "": file("code-signing.der") },
    dataPlanes: [httpPlane({ mqtt }), new StreamPlane({ mqtt, thingName })],
    payloads: payloads(),
    versionReport: new VersionReport({ package: "everything" }),
    failureLog: new FailureLog(new PreferenceStore()),
    components: {
      layer(firmware, parts) {
        const places = ["assets_0", "assets_1"].map((label) => openPartition(label));
        const definitions = [{ name: "assets", fileType: 10, places }, mods.definition];
        const log = openPartition("components");
        components = new Components({ ...parts, firmware, log, components: definitions });
        return components;
      },
    },
    onEvent(event) {
      if (event.type === "activate") agent.activateNewImage();
      if (event.type === "start-test") agent.setImageState(mods.problem ? "rejected" : "accepted");
    },
  });
  const mod = mods.start(components as Components);
  trace(`mod: ${mod ? mod["version"] : "none"}\n`);
  startNetwork({ ssid: "workshop", onReady: () => void agent.init() });
}
