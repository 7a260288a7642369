/**
 * Carries out what XS calls for, with ports of this process.
 * @module
 */
import type {
  BootControl,
  Crypto,
  Flash,
  Hash,
  HttpClient,
  HttpHandler,
  Log,
  LogLevel,
  MqttConnection,
  MqttSubscription,
  Store,
} from "../../src/ports.js";
import { Call, Command, Reader, toUtf8, Writer } from "./wire.js";

export interface HostPorts {
  readonly mqtt: MqttConnection;
  /** By index, as the runtime knows them. */
  readonly partitions: readonly Flash[];
  readonly boot: BootControl;
  readonly crypto: Crypto;
  readonly store: Store;
  readonly http: HttpClient;
  readonly log: Log;
  /** An event of the application. */
  onEvent(event: unknown): void;
}

const EMPTY = new Uint8Array(0);

export class XsCalls {
  readonly #ports: HostPorts;
  readonly #send: (command: number, ...fields: Uint8Array[]) => void;
  readonly #hashes = new Map<number, Hash>();
  readonly #subscriptions = new Map<number, MqttSubscription>();
  readonly #requests = new Map<number, () => void>();
  #lastHash = 0;
  #over = false;

  /** @param send gives XS a command, later */
  constructor(ports: HostPorts, send: (command: number, ...fields: Uint8Array[]) => void) {
    this.#ports = ports;
    this.#send = send;
  }

  /** Ends what XS has begun. Further calls come to nothing. */
  release(): void {
    this.#over = true;
    for (const subscription of this.#subscriptions.values()) this.#ports.mqtt.unsubscribe(subscription);
    for (const cancel of this.#requests.values()) cancel();
    this.#subscriptions.clear();
    this.#requests.clear();
  }

  /** Answers a call; never throws. */
  answer(message: Uint8Array): Uint8Array {
    try {
      const result = this.#over ? EMPTY : this.#perform(new Reader(message));
      return new Writer(1 + result.length).u8(0).bytes(result).finish();
    } catch (cause) {
      const { name, message: text } = cause as Error;
      const bytes = toUtf8(`${name}\n${text}`);
      return new Writer(1 + bytes.length).u8(1).bytes(bytes).finish();
    }
  }

  #perform(fields: Reader): Uint8Array {
    const { log, onEvent, mqtt, store, crypto } = this.#ports;
    const code = fields.u8();
    switch (code) {
      case Call.log:
        log(fields.text() as LogLevel, fields.rest());
        return EMPTY;
      case Call.event:
        onEvent(JSON.parse(fields.rest()));
        return EMPTY;
      case Call.flashRead: {
        const flash = this.#partition(fields.u8());
        const offset = fields.u32();
        const buffer = new Uint8Array(fields.u32());
        flash.read(buffer, offset);
        return buffer;
      }
      case Call.flashWrite: {
        const flash = this.#partition(fields.u8());
        const offset = fields.u32();
        flash.write(fields.bytes(), offset);
        return EMPTY;
      }
      case Call.flashErase:
        this.#partition(fields.u8()).eraseBlock(fields.u32(), fields.u32());
        return EMPTY;
      case Call.flashStatus:
        return json(this.#partition(fields.u8()).status());
      case Call.boot:
        return json(this.#boot(fields.rest() as keyof BootControl));
      case Call.hashNew:
        this.#hashes.set(++this.#lastHash, crypto.sha256());
        return new Writer(4).u32(this.#lastHash).finish();
      case Call.hashUpdate:
        this.#hashes.get(fields.u32())?.update(fields.bytes());
        return EMPTY;
      case Call.hashDigest: {
        const id = fields.u32();
        const hash = this.#hashes.get(id);
        this.#hashes.delete(id);
        if (!hash) throw new Error("the hash is spent");
        return hash.digest();
      }
      case Call.verifyEcdsa: {
        const [key, digest, r, s] = [65, 32, 32, 32].map((length) => fields.bytes(length));
        return Uint8Array.of(Number(crypto.verifyEcdsaP256(key!, digest!, r!, s!)));
      }
      case Call.verifyRsa: {
        const modulus = fields.bytes(fields.u16());
        const exponent = fields.bytes(fields.u16());
        return Uint8Array.of(Number(crypto.verifyRsa(modulus, exponent, fields.bytes(32), fields.bytes())));
      }
      case Call.storeGet: {
        const value = store.get(fields.text());
        return value === undefined ? Uint8Array.of(0) : Uint8Array.of(1, ...toUtf8(value));
      }
      case Call.storeSet:
        store.set(fields.text(), fields.rest());
        return EMPTY;
      case Call.publish:
        this.#publish(fields);
        return EMPTY;
      case Call.subscribe:
        this.#subscribe(fields);
        return EMPTY;
      case Call.unsubscribe: {
        const id = fields.u32();
        const subscription = this.#subscriptions.get(id);
        this.#subscriptions.delete(id);
        if (subscription) mqtt.unsubscribe(subscription);
        return EMPTY;
      }
      case Call.http:
        this.#request(fields);
        return EMPTY;
      case Call.httpCancel: {
        const id = fields.u32();
        this.#requests.get(id)?.();
        this.#requests.delete(id);
        return EMPTY;
      }
      default:
        throw new Error(`unknown call ${code}`);
    }
  }

  #partition(index: number): Flash {
    const flash = this.#ports.partitions[index];
    if (!flash) throw new Error(`no partition ${index}`);
    return flash;
  }

  #boot(name: keyof BootControl): unknown {
    const { boot } = this.#ports;
    const member = boot[name];
    return typeof member === "function" ? ((member as () => unknown).call(boot) ?? null) : (member ?? null);
  }

  #publish(fields: Reader): void {
    const id = u32(fields.u32());
    const qos = fields.u8() as 0 | 1;
    const topic = fields.text();
    const payload = fields.bytes().slice();
    const done = id.some((byte) => byte !== 0)
      ? (error?: Error) => this.#send(Command.published, id, errorText(error))
      : undefined;
    this.#ports.mqtt.publish(topic, payload, qos, done);
  }

  #subscribe(fields: Reader): void {
    const number = fields.u32();
    const id = u32(number);
    const qos = fields.u8() as 0 | 1;
    const subscription: MqttSubscription = {
      filter: fields.rest(),
      qos,
      message: (topic, payload) => {
        const name = toUtf8(topic);
        this.#send(Command.message, id, new Writer(2).u16(name.length).finish(), name, payload);
      },
    };
    this.#subscriptions.set(number, subscription);
    this.#ports.mqtt.subscribe(subscription, (error) => this.#send(Command.subscribed, id, errorText(error)));
  }

  #request(fields: Reader): void {
    const number = fields.u32();
    const id = u32(number);
    const { method, url, headers, body } = JSON.parse(fields.rest()) as {
      method?: "POST" | "PUT";
      url: string;
      headers: [string, string][];
      body?: number[];
    };
    const { http } = this.#ports;
    const buffer = new Uint8Array(16_384);
    const handler: HttpHandler = {
      headers: (status, names) => {
        this.#send(Command.httpHeaders, id, new Writer(2).u16(status).finish(), json([...names]));
        return true;
      },
      buffer: () => buffer,
      data: (length) => {
        this.#send(Command.httpData, id, buffer.subarray(0, length));
        return true;
      },
      done: (error) => {
        this.#requests.delete(number);
        this.#send(Command.httpDone, id, errorText(error));
      },
    };
    const cancel =
      method && http.send
        ? http.send(method, url, new Map(headers), Uint8Array.from(body ?? []), handler)
        : http.get(url, new Map(headers), handler);
    this.#requests.set(number, cancel);
  }
}

function u32(value: number): Uint8Array {
  return new Writer(4).u32(value).finish();
}

function json(value: unknown): Uint8Array {
  return toUtf8(JSON.stringify(value));
}

function errorText(error: Error | undefined): Uint8Array {
  return error ? toUtf8(error.message || error.name) : EMPTY;
}
