/** An application on the desk of its developer, without a service: it listens for `xs-ota push`. */
import Resource from "Resource";
import config from "mc/config";
import { createOtaAgent } from "xs-ota-agent/device";
import { receivePush } from "xs-ota-agent/push";
import { urlUpdates } from "xs-ota-agent/url-device";

export default function () {
  const { thingName, pushPort: port, pushSecret: secret } = config;
  const push = receivePush({ updates: urlUpdates(), secret, port });
  const trustedKeys = { "": new Uint8Array(new Resource("code-signing.der").slice(0)) };
  createOtaAgent({ thingName, trustedKeys, ...push.options }).init();
}
