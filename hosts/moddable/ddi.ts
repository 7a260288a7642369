/**
 * Eclipse hawkBit on the Moddable runtime. A module of its own (`xs-ota-agent/ddi-device`), for products that want it.
 * @module
 */
import type { OtaAgentOptions } from "xs-ota-agent";
import { authorized, type DdiOptions, ddi } from "xs-ota-agent/ddi";
import { HttpPlane } from "xs-ota-agent/http";
import { ModdableClock } from "./clock.js";
import { ModdableHttpClient } from "./http-client.js";
import { HttpConnection } from "./http-connection.js";
import { networkOptions, type TlsOptions } from "./network.js";

export interface HawkbitOptions extends Omit<DdiOptions, "http"> {
  /** "TargetToken …" or "GatewayToken …"; without it a certificate of the device has to do (`tls`). */
  readonly authorization?: string;
  /** For `https`. Default: none, which only lets servers be reached whose authority the SDK knows. */
  readonly tls?: TlsOptions;
}

/**
 * Options for `createOtaAgent`: control plane and data plane, with a connection each.
 * @example createOtaAgent({ ...hawkbit({ url, authorization, tls }), thingName, trustedKeys })
 * @throws RangeError for an unusable URL
 */
export function hawkbit({
  authorization = "",
  tls,
  ...options
}: HawkbitOptions): Required<Pick<OtaAgentOptions, "controlPlane" | "dataPlanes">> {
  const clock = new ModdableClock();
  const network = (secure: boolean, serverName: string) =>
    networkOptions(secure ? { serverName, ...tls } : undefined);
  const client = () =>
    authorized(
      new ModdableHttpClient({ Client: HttpConnection, clock, network }),
      options.url,
      authorization,
    );
  return {
    controlPlane: ddi({ ...options, http: client() }),
    dataPlanes: [new HttpPlane({ http: client(), clock })],
  };
}
