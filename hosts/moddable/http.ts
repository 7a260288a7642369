/**
 * The HTTP data plane on the Moddable runtime. A module of its own (`xs-ota-agent/http-device`), for products that
 * want it.
 * @module
 */
import { HttpPlane, type HttpPlaneOptions } from "xs-ota-agent/http";
import type { MqttConnection } from "../../src/ports.js";
import { ModdableClock } from "./clock.js";
import { ModdableHttpClient } from "./http-client.js";
import { HttpConnection } from "./http-connection.js";
import { networkOptions, type TlsOptions } from "./network.js";

export type { NetworkOptions } from "../mqtt/socket.js";
export {
  type EcmaHttpClient,
  type EcmaHttpClientConstructor,
  type EcmaHttpRequest,
  ModdableHttpClient,
  type ModdableHttpOptions,
} from "./http-client.js";

export interface HttpOptions extends Omit<HttpPlaneOptions, "http" | "clock"> {
  /** The connection tells when the network is away. */
  readonly mqtt: MqttConnection;
  /** For `https`. Default: none, which only lets servers be reached whose authority the SDK knows. */
  readonly tls?: TlsOptions;
}

/** A data plane for the agent's option `dataPlanes`. */
export function httpPlane({ tls, ...options }: HttpOptions): HttpPlane {
  const clock = new ModdableClock();
  const network = (secure: boolean, serverName: string) =>
    networkOptions(secure ? { serverName, ...tls } : undefined);
  return new HttpPlane({
    ...options,
    clock,
    http: new ModdableHttpClient({ Client: HttpConnection, clock, network }),
  });
}
