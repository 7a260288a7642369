/**
 * Updates from a URL on the Moddable runtime. A module of its own (`xs-ota-agent/url-device`), for products that want them.
 * @module
 */
import type { OtaAgentOptions } from "xs-ota-agent";
import { HttpPlane } from "xs-ota-agent/http";
import { UrlUpdates } from "xs-ota-agent/url";
import { ModdableClock } from "./clock.js";
import { ModdableHttpClient } from "./http-client.js";
import { HttpConnection } from "./http-connection.js";
import { networkOptions, type TlsOptions } from "./network.js";

export interface UrlOptions {
  /** Of a manifest that is looked at by itself, as often as the agent's `pollMs` says. Default: none. */
  readonly url?: string;
  /** For `https`: the authority that the servers' certificates lead to. */
  readonly tls?: TlsOptions;
}

export interface UrlUpdater {
  /** For `createOtaAgent`, among its options. */
  readonly options: Required<Pick<OtaAgentOptions, "controlPlane" | "dataPlanes">>;
  /** Looks at a manifest now. @throws TypeError for a URL that is none; Error before the agent has been made */
  updateFrom(url: string): void;
}

/** @throws TypeError for a URL that is none */
export function urlUpdates({ url, tls }: UrlOptions = {}): UrlUpdater {
  const clock = new ModdableClock();
  const network = (secure: boolean, serverName: string) =>
    networkOptions(secure ? { serverName, ...tls } : undefined);
  const client = () => new ModdableHttpClient({ Client: HttpConnection, clock, network });
  // One each: the client keeps a connection to the server it has asked last.
  const updates = new UrlUpdates({ http: client(), url });
  return {
    options: { controlPlane: updates.plane, dataPlanes: [new HttpPlane({ http: client(), clock })] },
    updateFrom: (from) => updates.updateFrom(from),
  };
}
