/**
 * What AWS IoT Core's message broker refuses, for the broker inside the process: it answers by closing the
 * connection. Source: AWS General Reference, "AWS IoT Core message broker and protocol limits and quotas", read on
 * 2026-11-28. What the page leaves open is taken the strict way.
 * @module
 */
import type { Socket } from "node:net";
import { COUNTS, STRINGS, stringProblem } from "./aws-limits.js";

/** Header, topic and packet id of a PUBLISH stand beside its payload. */
const PACKET_LIMIT = COUNTS.messageBytes + STRINGS.topic.max + 16;
/** MQTT 3.1.1 §2.2.3: the remaining length has at most four bytes. */
const LENGTH_BYTES = 4;
/** Client ids whose last connection is remembered; older ones are forgotten first. */
const REMEMBERED = 65_536;

/** Measures MQTT packets in a stream of bytes, before anybody gathers them. */
export class PacketMeter {
  #isHeader = true;
  /** Bytes of the remaining length read so far. */
  #digits = 0;
  #length = 0;

  /** @returns false once a packet announces more than the broker takes, or a length that is none */
  take(bytes: Uint8Array): boolean {
    for (let at = 0; at < bytes.length; ) {
      if (this.#isHeader) {
        this.#isHeader = false;
        this.#digits = 0;
        this.#length = 0;
        at++;
      } else if (this.#digits >= 0) {
        const byte = bytes[at++];
        this.#length += (byte & 127) * 128 ** this.#digits++;
        if (byte & 128) {
          if (this.#digits === LENGTH_BYTES) return false;
          continue;
        }
        if (this.#length > PACKET_LIMIT) return false;
        this.#digits = -1;
        this.#isHeader = this.#length === 0;
      } else {
        const part = Math.min(this.#length, bytes.length - at);
        at += part;
        this.#length -= part;
        this.#isHeader = this.#length === 0;
      }
    }
    return true;
  }
}

/** Ends a connection that announces too large a packet; nothing of it is gathered. */
export function limitPackets(socket: Socket): void {
  const meter = new PacketMeter();
  const read = socket.read.bind(socket);
  socket.read = (size?: number) => {
    const chunk = read(size) as Buffer | null;
    if (chunk === null || meter.take(chunk)) return chunk;
    socket.destroy();
    return null;
  };
}

/** Refuses connections of one client id that follow each other too fast. */
export class ConnectRate {
  readonly #interval: number;
  readonly #now: () => number;
  readonly #last = new Map<string, number>();

  /** @param interval ms @param now monotonic ms */
  constructor(interval: number = COUNTS.connectIntervalMs, now: () => number = () => performance.now()) {
    this.#interval = interval;
    this.#now = now;
  }

  /** @returns false when it comes too early; a refused one does not count */
  take(clientId: string): boolean {
    const now = this.#now();
    const last = this.#last.get(clientId);
    if (last !== undefined && now - last < this.#interval) return false;
    this.#last.delete(clientId);
    this.#last.set(clientId, now);
    if (this.#last.size > REMEMBERED) this.#last.delete(this.#last.keys().next().value!);
    return true;
  }
}

/** Why a client id is refused. */
export function clientIdProblem(clientId: string): string | undefined {
  // An empty one gets a name from the broker.
  if (clientId === "") return undefined;
  return stringProblem(clientId, STRINGS.clientId);
}

/** Why a PUBLISH ends the connection. */
export function publishProblem(topic: string, qos: number, bytes: number): string | undefined {
  if (qos > 1) return "QoS 2 is not supported";
  if (bytes > COUNTS.messageBytes) return `a message has at most ${COUNTS.messageBytes} bytes, not ${bytes}`;
  return topicProblem(topic);
}

/** Why a subscription ends the connection. */
export function subscribeProblem(filter: string, qos: number): string | undefined {
  return qos > 1 ? "QoS 2 is not supported" : topicProblem(filter);
}

function topicProblem(topic: string): string | undefined {
  if (topic.split("/").length - 1 > COUNTS.topicSlashes)
    return `a topic has at most ${COUNTS.topicSlashes} slashes`;
  return stringProblem(topic, STRINGS.topic);
}
