/**
 * Where devices reach the service: an MQTT broker inside the process, or any broker given by URL.
 * @module
 */
import { type AddressInfo, createServer, type Server, Socket } from "node:net";
import { createServer as createTlsServer, TLSSocket } from "node:tls";
import { Aedes, type Client } from "aedes";
import mqtt from "mqtt";
import { COUNTS } from "./aws-limits.js";
import {
  ConnectRate,
  clientIdProblem,
  limitPackets,
  publishProblem,
  subscribeProblem,
} from "./broker-limits.js";
import type { Publish } from "./delivery.js";
import { BrokerError } from "./errors.js";

/** The topics requests arrive on (AWS IoT Jobs, file streams, classic shadow). */
export const REQUEST_FILTERS: readonly string[] = Object.freeze([
  "$aws/things/+/jobs/get",
  "$aws/things/+/jobs/start-next",
  "$aws/things/+/jobs/+/get",
  "$aws/things/+/jobs/+/update",
  "$aws/things/+/streams/+/get/+",
  "$aws/things/+/streams/+/describe/+",
  "$aws/things/+/shadow/update",
  "$aws/things/+/shadow/name/$package/update",
]);

/** What the broker tells the service. */
export interface BrokerHandler {
  /** `reply` also reaches a requester that has not subscribed to the answer, where the broker can do that. */
  message(topic: string, payload: Uint8Array, reply: Publish, clientId?: string): void;
  connected?(clientId: string): void;
  disconnected?(clientId: string): void;
  /** The connection to a broker elsewhere failed; it is tried again. */
  failed?(error: Error): void;
}

export interface Broker {
  /** `mqtt://host:port` or `mqtts://host:port` */
  readonly url: string;
  readonly publish: Publish;
  close(): Promise<void>;
}

export interface EmbeddedBrokerOptions {
  /** Default: loopback. */
  host?: string;
  /** Default: one that is free. */
  port?: number;
  /** Host name or address in the URL; default: the address listened on. */
  advertise?: string;
  /** Serves TLS: server certificate (with its chain) and key in PEM. */
  tls?: { cert: string; key: string };
  /** PEM of the authority whose certificates tell devices apart: the common name is the thing's. */
  clientCa?: string;
  /**
   * Who is let in. Whoever is, speaks for the thing of that name and for no other, and has it for client id.
   * Default: everybody, for everybody.
   */
  admit?: (device: DeviceCredentials) => boolean;
  /** Least time between two connections of one client id, ms; default: AWS's second. */
  connectInterval?: number;
}

/** What a device shows. */
export interface DeviceCredentials {
  readonly thingName: string;
  readonly password?: string;
  /** True when it has shown a certificate with its name, of the authority. */
  readonly isCertified: boolean;
}

/** CONNACK "not authorized" (MQTT 3.1.1 §3.2.2.3). */
const NOT_AUTHORIZED = 5;

/** @throws Error when the address cannot be used */
export async function startEmbeddedBroker(
  handler: BrokerHandler,
  options: EmbeddedBrokerOptions = {},
): Promise<Broker> {
  const { host = "127.0.0.1", port = 0, advertise = host, tls, clientCa, admit } = options;
  const filters = new WeakMap<Client, Set<string>>();
  const rate = new ConnectRate(options.connectInterval);
  const aedes = await Aedes.createBroker({
    preConnect: (_client, { clientId }, done) => {
      // Where devices show who they are, strangers do not keep them out by connecting in their names.
      const isSoon = !admit && !rate.take(clientId);
      const problem = clientIdProblem(clientId) ?? (isSoon ? "it connects too often" : undefined);
      done(problem === undefined ? null : new Error(problem), problem === undefined);
    },
    ...(admit && {
      authenticate: (client, username, password, done) => {
        const isGood = mayConnect(admit, client, username, password) && rate.take(client.id);
        const refusal = Object.assign(new Error("its credentials are not those of the thing"), {
          returnCode: NOT_AUTHORIZED,
        });
        if (isGood) done(null, true);
        else done(refusal, false);
      },
    }),
    authorizePublish: (client, { topic, qos, payload }, done) => {
      // What the service itself sends has no client.
      const problem = client
        ? (publishProblem(topic, qos, payload.length) ??
          (admit ? foreignProblem(topic, client.id) : undefined))
        : undefined;
      done(problem === undefined ? null : new Error(problem));
    },
    authorizeSubscribe: (client, subscription, done) => {
      const known = client ? (filters.get(client)?.size ?? 0) : 0;
      const problem =
        known >= COUNTS.subscriptionsPerConnection
          ? "it has too many subscriptions"
          : (subscribeProblem(subscription.topic, subscription.qos) ??
            (admit && client ? foreignProblem(subscription.topic, client.id) : undefined));
      // Not before an UNSUBSCRIBE ahead of it has ended, which aedes does not wait for: the subscription would be gone with it.
      if (problem === undefined) setImmediate(() => setImmediate(done, null, subscription));
      else done(new Error(problem));
    },
  });
  const publish: Publish = (topic, payload, qos) =>
    aedes.publish(
      { cmd: "publish", topic, payload: buffer(payload), qos, retain: false, dup: false },
      () => {},
    );
  aedes.on("subscribe", (subscriptions, client) => {
    const known = filters.get(client) ?? new Set();
    for (const { topic } of subscriptions) known.add(topic);
    filters.set(client, known);
    if (subscriptions.length > COUNTS.subscriptionsPerRequest) client.close();
  });
  aedes.on("unsubscribe", (topics, client) => {
    for (const topic of topics) filters.get(client)?.delete(topic);
  });
  aedes.on("client", (client) => handler.connected?.(client.id));
  aedes.on("clientDisconnect", (client) => handler.disconnected?.(client.id));
  aedes.on("publish", (packet, client) => {
    if (!client || !packet.topic.startsWith("$aws/")) return;
    const reply: Publish = (topic, payload, qos) => {
      publish(topic, payload, qos);
      const subscribed = [...(filters.get(client) ?? [])].some((filter) => topicMatches(filter, topic));
      // Job replies reach the requester without a subscription; stream answers need one.
      if (subscribed || client.closed || !topic.includes("/jobs/")) return;
      client.publish(
        { cmd: "publish", topic, payload: buffer(payload), qos, retain: false, dup: false },
        ignore,
      );
    };
    handler.message(packet.topic, bytes(packet.payload), reply, client.id);
  });
  // Small packets wait for nobody: a device's requests depend on the answers before.
  const serve = (socket: Socket) => {
    limitPackets(socket);
    aedes.handle(socket);
  };
  const server = tls
    ? createTlsServer({ ...tls, ...clientTls(clientCa), noDelay: true }, serve)
    : createServer({ noDelay: true }, serve);
  try {
    await listen(server, port, host);
  } catch (error) {
    aedes.close();
    throw error;
  }
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `${tls ? "mqtts" : "mqtt"}://${advertise.includes(":") ? `[${advertise}]` : advertise}:${bound}`,
    publish,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await new Promise<void>((resolve) => aedes.close(resolve));
      await closed;
    },
  };
}

/**
 * Serves through a broker that runs elsewhere.
 * @param url `mqtt://` or `mqtts://`
 * @throws BrokerError when the broker does not answer within ten seconds, or refuses
 */
export async function connectBroker(
  handler: BrokerHandler,
  url: string,
  options: mqtt.IClientOptions = {},
): Promise<Broker> {
  const failed = (cause: Error): never => {
    throw new BrokerError(url, cause);
  };
  const settings = {
    clientId: `xs-ota-service-${process.pid}-${Date.now().toString(36)}`,
    connectTimeout: 10_000,
    ...options,
  };
  const client = await mqtt.connectAsync(url, settings, false).catch(failed);
  const publish: Publish = (topic, payload, qos) => {
    client.publish(topic, buffer(payload), { qos });
  };
  const hurry = () => {
    if (client.stream instanceof Socket) client.stream.setNoDelay(true);
  };
  hurry();
  client.on("connect", hurry);
  client.on("error", (error) => handler.failed?.(error));
  client.on("message", (topic, payload) => handler.message(topic, bytes(payload), publish));
  await client.subscribeAsync([...REQUEST_FILTERS], { qos: 1 }).catch(failed);
  return { url, publish, close: () => client.endAsync() };
}

/** MQTT 3.1.1 §4.7; the caller's topics start with `$`, which a leading wildcard does not match. */
export function topicMatches(filter: string, topic: string): boolean {
  const wanted = filter.split("/");
  const levels = topic.split("/");
  if (topic.startsWith("$") && (wanted[0] === "#" || wanted[0] === "+")) return false;
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === "#") return true;
    if (i >= levels.length || (wanted[i] !== "+" && wanted[i] !== levels[i])) return false;
  }
  return wanted.length === levels.length;
}

/** A device without a certificate may still show a password. */
function clientTls(ca: string | undefined) {
  return ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: false };
}

function mayConnect(
  admit: NonNullable<EmbeddedBrokerOptions["admit"]>,
  { id, conn }: Client,
  username: Readonly<string | undefined>,
  password: Readonly<Buffer | undefined>,
): boolean {
  const name =
    conn instanceof TLSSocket && conn.authorized ? conn.getPeerCertificate().subject?.CN : undefined;
  const isCertified = name === id;
  if (!isCertified && username !== id) return false;
  return admit({ thingName: id, password: password?.toString(), isCertified });
}

/** Why a topic, or a filter, is not one of the thing's own. Topics of applications are everybody's. */
function foreignProblem(topic: string, thingName: string): string | undefined {
  if (!topic.startsWith("$") || topic.startsWith(`$aws/things/${thingName}/`)) return undefined;
  return "the topic is another thing's";
}

/** A message that cannot be delivered is lost, as on any network. */
function ignore(): void {}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.removeListener("error", reject);
      resolve();
    });
  });
}

function buffer(payload: Uint8Array): Buffer {
  return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
}

function bytes(payload: Buffer | string): Uint8Array {
  const { buffer, byteOffset, length } = typeof payload === "string" ? Buffer.from(payload) : payload;
  return new Uint8Array(buffer, byteOffset, length);
}
