/**
 * The parsers of the agent and its hosts, one command each: entry point of a bundle for XS. The first byte of a command
 * says which; the rest is what came from the wire.
 * @module
 */
import { ModdableHttpClient } from "../../hosts/moddable/http-client.js";
import { HttpConnection } from "../../hosts/moddable/http-connection.js";
import { MqttClient, type MqttClientOptions } from "../../hosts/mqtt/mqtt-client.js";
import { EcmaMqttConnection } from "../../hosts/mqtt/mqtt-connection.js";
import type { SocketOptions } from "../../hosts/mqtt/socket.js";
import { parseJob, parseReply } from "../../src/control/job-document.js";
import { parseEcdsaSignature, parsePublicKey } from "../../src/slot/der.js";
import { checkStructure, HEAD_LENGTH, parseHead } from "../../src/slot/esp-image.js";
import { decodeMessage, FIELDS } from "../../src/transfer/cbor.js";
import { isUrl, parseContentRange, resolveUrl, retryAfter } from "../../src/transfer/http-fields.js";

declare const gc: () => void;

const fields = new Float64Array(FIELDS);

/** A network that has all of `bytes` at once; `run` lets a client have them. */
function network(bytes: Uint8Array) {
  const tasks: (() => void)[] = [];
  let callbacks: SocketOptions | undefined;
  let at = 0;
  let open = true;
  const socket = class {
    format = "buffer";
    constructor(options: SocketOptions) {
      callbacks = options;
    }
    read(into?: Uint8Array): number | undefined {
      if (!into) return bytes[at++];
      into.set(bytes.subarray(at, (at += into.length)));
      return undefined;
    }
    write(): number {
      return 1000;
    }
    close(): void {
      open = false;
    }
  };
  const dns = class {
    resolve({ onResolved }: { onResolved: (host: string, address: string) => void }) {
      onResolved("h", "192.0.2.1");
    }
  };
  // What waits longer never happens here.
  const set = (task: () => void, ms: number) => (ms === 0 ? tasks.push(task) : 0);
  return {
    clock: { now: () => 0, set, clear: () => undefined },
    options: { dns: { io: dns as never }, socket: { io: socket as never } },
    run(): void {
      const settle = () => {
        for (let task = tasks.shift(); task; task = tasks.shift()) task();
      };
      settle();
      callbacks?.onWritable(1000);
      for (let left = bytes.length; open && left > 0; left = bytes.length - at) {
        callbacks?.onReadable(Math.min(left, 1460));
        settle();
        if (bytes.length - at === left) break;
      }
      if (open) callbacks?.onError();
      settle();
    },
  };
}

/** Packets, as the connection makes of it what a broker sends. */
function readPackets(bytes: Uint8Array): string {
  const { clock, options, run } = network(bytes);
  class Client extends MqttClient {
    constructor(given: MqttClientOptions) {
      super({ ...given, clock });
    }
  }
  const connection = new EcmaMqttConnection({
    ...{ Client, client: { host: "h", ...options }, clock, random: () => 0.5 },
  });
  let count = 0;
  connection.subscribe({ filter: "#", qos: 1, message: () => count++ });
  run();
  connection.close();
  return `${count} messages`;
}

/** A response, as the client of the chip makes of it what a server sends. */
function readResponse(bytes: Uint8Array): string {
  const { clock, options, run } = network(bytes);
  const http = new ModdableHttpClient({ Client: HttpConnection, clock, network: () => options });
  const buffer = new Uint8Array(1024);
  let result = "open";
  http.get("http://h/f", new Map(), {
    headers(status, received) {
      result = `${status} ${resolveUrl("http://h/f", received.get("location") ?? "")}`;
      return true;
    },
    buffer: () => buffer,
    data: () => true,
    done: (error) => void (result += ` ${error?.message ?? "whole"}`),
  });
  run();
  return result;
}

const text = (bytes: Uint8Array) => {
  let all = "";
  for (let at = 0; at < bytes.length; at += 64)
    all += String.fromCharCode.apply(null, bytes.subarray(at, at + 64) as unknown as number[]);
  return all;
};

const PARSERS: Record<string, (bytes: Uint8Array) => string> = {
  j: (bytes) => parseJob(bytes).kind,
  r: (bytes) => parseReply(bytes).message,
  c: (bytes) => decodeMessage(bytes, fields),
  s: (bytes) => String(parseEcdsaSignature(bytes).length),
  k: (bytes) => parsePublicKey(bytes).algorithm,
  i(bytes) {
    const { version } = parseHead(bytes.subarray(0, HEAD_LENGTH), bytes.length);
    checkStructure((at, length) => bytes.subarray(at, at + length), bytes.length);
    return version;
  },
  h: readResponse,
  m: readPackets,
  f(bytes) {
    const value = text(bytes);
    return `${parseContentRange(value)?.first} ${retryAfter(new Map([["retry-after", value]]))} ${isUrl(value)} ${resolveUrl("https://h/f", value)?.length}`;
  },
  "": () => "",
};

function handleCommand(message: ArrayBuffer): { result: ArrayBuffer } {
  const bytes = new Uint8Array(message);
  let outcome: string;
  try {
    outcome = PARSERS[String.fromCharCode(bytes[0] ?? 0)]?.(bytes.subarray(1)) ?? "";
  } catch (error) {
    outcome = `refused: ${(error as Error).message}`;
  }
  if (bytes.length === 1 && bytes[0] === 0x67) gc();
  const short = outcome.slice(0, 80);
  const result = new Uint8Array(short.length);
  for (let n = 0; n < short.length; n++) result[n] = short.charCodeAt(n);
  return { result: result.buffer };
}

Object.assign(globalThis, { handleCommand });
