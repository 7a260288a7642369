/**
 * MQTT on the Moddable runtime: a connection that looks after itself, shared by the agent and the application.
 * @module
 */
import type { Clock, Log, Random } from "../../src/ports.js";
import { MqttClient, type MqttClientConstructor, type MqttClientOptions } from "../mqtt/mqtt-client.js";
import { EcmaMqttConnection, type EcmaMqttOptions } from "../mqtt/mqtt-connection.js";
import { ModdableClock } from "./clock.js";
import { traceLog } from "./log.js";
import { networkOptions, type TlsOptions } from "./network.js";

export interface ConnectOptions {
  readonly host: string;
  /** Default 8883 with `tls`, 1883 without. */
  readonly port?: number;
  readonly clientId: string;
  readonly user?: string;
  readonly password?: string;
  /** Absent: plain TCP, for the desk. */
  readonly tls?: TlsOptions;
  /** Milliseconds. Default 60000. */
  readonly keepAlive?: number;
  readonly will?: MqttClientOptions["will"];
  /**
   * The client's class. Default: the package's own; the SDK's (`embedded:network/mqtt/client`) may be given, which
   * loses the connection for one keep-alive time over a message without payload.
   */
  readonly Client?: MqttClientConstructor;
  /** Waits, retries and queue: see `EcmaMqttOptions`. */
  readonly tuning?: Partial<Omit<EcmaMqttOptions, "Client" | "client" | "clock" | "random" | "log">>;
  readonly log?: Log;
}

/** Connects now, and again whenever the connection is lost. */
export function connectMqtt(options: ConnectOptions, random: Random): EcmaMqttConnection {
  const { host, clientId, user, password, tls, keepAlive = 60_000, will, tuning, log = traceLog } = options;
  const clock = new ModdableClock();
  return new EcmaMqttConnection({
    ...tuning,
    Client: options.Client ?? withClock(clock),
    client: {
      ...networkOptions(tls),
      host,
      port: options.port ?? (tls ? 8883 : 1883),
      id: clientId,
      user,
      password,
      keepAlive,
      will,
    },
    clock,
    random,
    log,
  });
}

function withClock(clock: Clock): MqttClientConstructor {
  return class extends MqttClient {
    constructor(options: MqttClientOptions) {
      super({ ...options, clock });
    }
  };
}
