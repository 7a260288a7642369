/**
 * A product that leaves the factory with a claim certificate, the same for a whole batch: at its first start it gets a name,
 * a certificate and a key of its own from AWS IoT Core, keeps them in NVS, and from then on connects with these.
 * @module
 */

import Resource from "Resource";
import Base64 from "base64";
import config from "mc/config";
import Preference from "preference";
import Timer from "timer";
import { connectAws } from "xs-ota-agent/aws";
import { createOtaAgent } from "xs-ota-agent/device";
import { keysFromNvs } from "xs-ota-agent/keys";
import { claim } from "./claim";

const { endpoint, template, serialNumber } = config;

/** Where `keysFromNvs` looks; the thing's name beside them is written last. */
const NAMESPACE = "xs-ota-tls";
/** Between two attempts to be provisioned, ms: doubled each time, spread over the fleet. */
const FIRST_WAIT = 5_000;
const LONGEST_WAIT = 600_000;

const file = (name: string) => new Uint8Array(new Resource(name).slice(0));
const timers = {
  set: (callback: () => void, ms: number) => Timer.set(callback, ms),
  clear: (timer: unknown) => Timer.clear(timer as Timer),
};

export default function main(): void {
  const thingName = Preference.get(NAMESPACE, "name") as string | undefined;
  if (thingName === undefined) provision(FIRST_WAIT);
  else run(thingName);
}

function provision(wait: number): void {
  const rootCertificate = file("root-ca.der");
  const mqtt = connectAws({
    ...{ endpoint, thingName: `claim-${serialNumber}`, rootCertificate },
    ...{ certificate: file("claim.der"), key: () => file("claim-key.der") },
  });
  claim({
    ...{ mqtt, template, clock: timers },
    parameters: { SerialNumber: serialNumber },
    decodeBase64: (text) => new Uint8Array(Base64.decode(text)),
  }).then(
    ({ thingName = serialNumber, certificate, key }) => {
      mqtt.close();
      for (const [name, bytes] of Object.entries({ root: rootCertificate, cert: certificate, key }))
        Preference.set(NAMESPACE, name, bytes.slice().buffer);
      // A power cut before this begins anew.
      Preference.set(NAMESPACE, "name", thingName);
      run(thingName);
    },
    (error: Error) => {
      mqtt.close();
      trace(`${error.message}\n`);
      const next = Math.min(wait * 2, LONGEST_WAIT);
      Timer.set(() => provision(next), wait * (0.5 + Math.random()));
    },
  );
}

function run(thingName: string): void {
  const mqtt = connectAws({ endpoint, thingName, ...keysFromNvs(NAMESPACE) });
  const agent = createOtaAgent({
    thingName,
    mqtt,
    trustedKeys: { "": file("code-signing.der") },
    onEvent(event) {
      if (event.type === "activate") agent.activateNewImage();
      if (event.type === "start-test") agent.setImageState("accepted");
    },
  });
  void agent.init();
}
