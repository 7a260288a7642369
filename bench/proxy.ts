/**
 * A TCP proxy that makes a link out of loopback: it delays what passes, loses MQTT messages of QoS 0, and counts
 * bytes.
 * @module
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { seeded } from "../test/support/virtual-clock.js";

export interface LinkSettings {
  /** Round trip it adds, milliseconds. */
  rtt: number;
  /** Share of QoS 0 messages that get lost in each direction; 0 for what is not MQTT. */
  loss: number;
}

export interface ProxyOptions extends LinkSettings {
  /** Where to. */
  host: string;
  port: number;
}

/** Cuts MQTT packets (3.1.1 §2.2) out of a stream of bytes. */
class Packets {
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Buffer, take: (packet: Buffer) => void): void {
    let bytes = this.#rest.length ? Buffer.concat([this.#rest, chunk]) : chunk;
    for (;;) {
      let length = 0;
      let at = 1;
      for (; at < 5 && at < bytes.length; at++) {
        length += (bytes[at] & 127) * 128 ** (at - 1);
        if (bytes[at] < 128) break;
      }
      if (at >= bytes.length || at + 1 + length > bytes.length) break;
      take(bytes.subarray(0, at + 1 + length));
      bytes = bytes.subarray(at + 1 + length);
    }
    this.#rest = bytes;
  }
}

export class LinkProxy {
  /** Bytes from the device, and to it. */
  upBytes = 0;
  downBytes = 0;
  rtt: number;
  loss: number;
  readonly #target: { host: string; port: number };
  readonly #random = seeded(1);
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  static async start(options: ProxyOptions): Promise<LinkProxy> {
    const proxy = new LinkProxy(options);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  private constructor({ host, port, rtt, loss }: ProxyOptions) {
    this.#target = { host, port };
    this.rtt = rtt;
    this.loss = loss;
    this.#server = createServer((device) => {
      const service = connect({ ...this.#target, noDelay: true });
      device.setNoDelay(true);
      this.#link(device, service, (bytes) => (this.upBytes += bytes));
      this.#link(service, device, (bytes) => (this.downBytes += bytes));
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  #link(from: Socket, to: Socket, count: (bytes: number) => void): void {
    this.#sockets.add(from);
    const packets = new Packets();
    const pass = (bytes: Buffer) => {
      count(bytes.length);
      if (this.rtt === 0) to.write(bytes);
      else setTimeout(() => to.write(bytes), this.rtt / 2);
    };
    from.on("data", (chunk: Buffer) => {
      if (this.loss === 0) return pass(chunk);
      packets.push(chunk, (packet) => {
        // PUBLISH of QoS 0
        if ((packet[0] & 0xf6) === 0x30 && this.#random() < this.loss) count(packet.length);
        else pass(packet);
      });
    });
    from.on("error", () => {});
    from.on("close", () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}
