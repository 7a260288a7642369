/**
 * A TCP proxy that makes a link out of loopback: it delays what passes, carries it only so fast, in lumps, loses MQTT
 * messages of QoS 0 and lets them overtake each other, and counts bytes.
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
  /** Bytes a second towards the device; 0: as fast as it goes. */
  bandwidth?: number;
  /** With a bandwidth: bytes towards the device come in lumps of at most so many, each when the whole has been carried; 0: as they are. */
  lump?: number;
  /** Share of QoS 0 messages towards the device that 1 to 8 others overtake. */
  overtake?: number;
  /** QoS 0 messages towards the device that come closely one after the other, such as a request's blocks, arrive in any order. */
  shuffle?: boolean;
}

/** What is shuffled waits for more as long as more comes within so many milliseconds, and until it is a request's blocks. */
const SHUFFLED_MS = 10;
const SHUFFLED_MOST = 16;

/** No message waits longer to be overtaken, milliseconds. */
const OVERTAKEN_MS = 300;

export interface ProxyOptions extends LinkSettings {
  /** Where to. */
  host: string;
  port: number;
}

/** What a link does not do unless it is told to. */
export const PLAIN = { bandwidth: 0, lump: 0, overtake: 0, shuffle: false };

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

/** One direction of a connection: bytes in their order, each when the link has carried it. */
class Lane {
  readonly #settings: Required<LinkSettings>;
  /** Towards the device, where all the settings hold. */
  readonly #down: boolean;
  readonly #deliver: (bytes: Buffer) => void;
  /** What nobody has read yet, one chunk a write; and bytes on the way, with the time they are there. */
  readonly #unread: Buffer[] = [];
  readonly #way: [at: number, bytes: Buffer][] = [];
  #free = 0;
  #timer: NodeJS.Timeout | undefined;
  #lumpTimer: NodeJS.Timeout | undefined;

  constructor(settings: Required<LinkSettings>, down: boolean, deliver: (bytes: Buffer) => void) {
    this.#settings = settings;
    this.#down = down;
    this.#deliver = deliver;
  }

  send(bytes: Buffer): void {
    const { bandwidth, lump } = this.#settings;
    if (lump && bandwidth && this.#down) {
      this.#unread.push(bytes);
      // What is written in the same turn belongs together.
      if (!this.#lumpTimer) this.#lumpTimer = setTimeout(() => this.#lump(lump, bandwidth), 0);
      return;
    }
    const now = performance.now();
    if (bandwidth && this.#down) this.#free = Math.max(now, this.#free) + (bytes.length * 1000) / bandwidth;
    this.#carry(Math.max(now, this.#free), bytes);
  }

  /** As a sender does that reads what there is, at most so much, waits for as long as that takes, and writes it. */
  #lump(most: number, bandwidth: number): void {
    const unread = Buffer.concat(this.#unread.splice(0));
    const bytes = unread.subarray(0, most);
    if (unread.length > most) this.#unread.push(unread.subarray(most));
    this.#lumpTimer = setTimeout(
      () => {
        this.#carry(performance.now(), bytes);
        this.#lumpTimer = undefined;
        if (this.#unread.length) this.#lump(most, bandwidth);
      },
      (bytes.length * 1000) / bandwidth,
    );
  }

  #carry(at: number, bytes: Buffer): void {
    this.#way.push([at + this.#settings.rtt / 2, bytes]);
    this.#arrive();
  }

  #arrive(): void {
    const now = performance.now();
    while (this.#way.length && this.#way[0][0] <= now) this.#deliver(this.#way.shift()![1]);
    clearTimeout(this.#timer);
    if (this.#way.length) this.#timer = setTimeout(() => this.#arrive(), this.#way[0][0] - now);
  }
}

export class LinkProxy {
  /** Bytes from the device, and to it. */
  upBytes = 0;
  downBytes = 0;
  /** May be changed at any time. */
  readonly settings: Required<LinkSettings>;
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

  private constructor({ host, port, ...link }: ProxyOptions) {
    this.#target = { host, port };
    this.settings = { ...PLAIN, ...link };
    this.#server = createServer((device) => {
      const service = connect({ ...this.#target, noDelay: true });
      device.setNoDelay(true);
      this.#link(device, service, false, (bytes) => (this.upBytes += bytes));
      this.#link(service, device, true, (bytes) => (this.downBytes += bytes));
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  #link(from: Socket, to: Socket, down: boolean, count: (bytes: number) => void): void {
    this.#sockets.add(from);
    const { settings } = this;
    const packets = new Packets();
    const lane = new Lane(settings, down, (bytes) => void to.write(bytes));
    const overtaken = new Set<{ left: number; release: () => void }>();
    const pass = (packet: Buffer) => {
      lane.send(packet);
      for (const late of [...overtaken]) if (--late.left <= 0) late.release();
    };
    const hold = (packet: Buffer) => {
      const timer = setTimeout(() => late.release(), OVERTAKEN_MS);
      const late = {
        left: 1 + Math.floor(this.#random() * 8),
        release: () => {
          clearTimeout(timer);
          if (overtaken.delete(late)) lane.send(packet);
        },
      };
      overtaken.add(late);
    };
    const mixed: Buffer[] = [];
    let mixTimer: NodeJS.Timeout | undefined;
    const release = () => {
      while (mixed.length) lane.send(mixed.splice(Math.floor(this.#random() * mixed.length), 1)[0]);
    };
    const mix = (packet: Buffer) => {
      mixed.push(packet);
      clearTimeout(mixTimer);
      if (mixed.length >= SHUFFLED_MOST) release();
      else mixTimer = setTimeout(release, SHUFFLED_MS);
    };
    from.on("data", (chunk: Buffer) => {
      count(chunk.length);
      const { loss } = settings;
      const overtake = down ? settings.overtake : 0;
      const shuffle = down && settings.shuffle;
      if (loss + overtake === 0 && !shuffle) return lane.send(chunk);
      packets.push(chunk, (packet) => {
        // PUBLISH of QoS 0
        const free = (packet[0] & 0xf6) === 0x30;
        if (free && this.#random() < loss) return;
        if (free && shuffle) mix(packet);
        else if (free && this.#random() < overtake) hold(packet);
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
