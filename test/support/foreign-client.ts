/**
 * A device that shares no code with this project: it speaks MQTT through the mqtt package and CBOR through cborg,
 * and does what AWS's developer guide says about Jobs and MQTT-based file delivery.
 * @module
 */
import { decode, encode } from "cborg";
import mqtt from "mqtt";

// biome-ignore lint/suspicious/noExplicitAny: JSON of any shape
type Json = any;

interface Message {
  topic: string;
  payload: Buffer;
}

/** How long an answer may take, in ms. */
const PATIENCE = 10_000;

export class ForeignClient {
  readonly #client: mqtt.MqttClient;
  readonly #prefix: string;
  readonly #messages: Message[] = [];
  readonly #waiting = new Set<() => void>();

  static async connect(url: string, thingName: string): Promise<ForeignClient> {
    const client = await mqtt.connectAsync(url, { clientId: thingName, reconnectPeriod: 0 });
    const device = new ForeignClient(client, thingName);
    await client.subscribeAsync(
      ["jobs/notify", "jobs/notify-next"].map((topic) => device.#prefix + topic),
      { qos: 1 },
    );
    return device;
  }

  private constructor(client: mqtt.MqttClient, thingName: string) {
    this.#client = client;
    this.#prefix = `$aws/things/${thingName}/`;
    client.on("message", (topic, payload) => {
      this.#messages.push({ topic: topic.slice(this.#prefix.length), payload });
      for (const wake of this.#waiting) wake();
    });
  }

  async subscribe(...topics: string[]): Promise<void> {
    await this.#client.subscribeAsync(
      topics.map((topic) => this.#prefix + topic),
      { qos: 1 },
    );
  }

  async send(topic: string, payload: Buffer | string): Promise<void> {
    await this.#client.publishAsync(this.#prefix + topic, payload, { qos: 1 });
  }

  /** Waits for a message on one of `topics`, and takes it. */
  async receive(...topics: string[]): Promise<Message> {
    const deadline = Date.now() + PATIENCE;
    for (;;) {
      const index = this.#messages.findIndex(({ topic }) => topics.includes(topic));
      if (index >= 0) return this.#messages.splice(index, 1)[0];
      const left = deadline - Date.now();
      if (left <= 0) {
        const seen = this.#messages.map(({ topic }) => topic).join(", ");
        throw new Error(`nothing on ${topics.join(" or ")}; messages: ${seen}`);
      }
      await new Promise<void>((resolve) => {
        const wake = () => {
          clearTimeout(timer);
          this.#waiting.delete(wake);
          resolve();
        };
        const timer = setTimeout(wake, left);
        this.#waiting.add(wake);
      });
    }
  }

  async receiveJson(topic: string): Promise<Json> {
    return JSON.parse((await this.receive(topic)).payload.toString());
  }

  /** A Jobs operation with its answer, accepted or rejected. */
  async job(operation: string, request: object): Promise<{ accepted?: Json; rejected?: Json }> {
    const topic = `jobs/${operation}`;
    await this.subscribe(`${topic}/accepted`, `${topic}/rejected`);
    await this.send(topic, JSON.stringify(request));
    const answer = await this.receive(`${topic}/accepted`, `${topic}/rejected`);
    const body = JSON.parse(answer.payload.toString());
    return answer.topic.endsWith("accepted") ? { accepted: body } : { rejected: body };
  }

  /** Subscribes to the answers of a stream. */
  async openStream(streamId: string, format: "json" | "cbor"): Promise<void> {
    const answers = ["data", "description", "rejected"];
    await this.subscribe(...answers.map((answer) => `streams/${streamId}/${answer}/${format}`));
  }

  async ask(streamId: string, operation: "get" | "describe", format: "json" | "cbor", request: object) {
    const payload = format === "cbor" ? Buffer.from(encode(request)) : JSON.stringify(request);
    await this.send(`streams/${streamId}/${operation}/${format}`, payload);
  }

  async answer(streamId: string, kind: string, format: "json" | "cbor"): Promise<Json> {
    const { payload } = await this.receive(`streams/${streamId}/${kind}/${format}`);
    return format === "cbor" ? decode(payload) : JSON.parse(payload.toString());
  }

  /** Downloads a file as the guide describes it: a bitmap of what is missing, one request after the other. */
  async download(streamId: string, format: "json" | "cbor", size: number, block: number): Promise<Buffer> {
    const blocks = Math.ceil(size / block);
    const missing = new Set(Array.from({ length: blocks }, (_, i) => i));
    const file = Buffer.alloc(size);
    await this.openStream(streamId, format);
    while (missing.size > 0) {
      const first = Math.min(...missing);
      const wanted = [...missing].filter((index) => index < first + 64).slice(0, (128 * 1024) / block);
      const bitmap = Buffer.alloc(8);
      for (const index of wanted) bitmap[(index - first) >> 3] |= 1 << ((index - first) & 7);
      const b = format === "cbor" ? bitmap : `0x${bitmap.toString("hex")}`;
      await this.ask(streamId, "get", format, { f: 0, l: block, o: first, n: wanted.length, b });
      for (let i = 0; i < wanted.length; i++) {
        const answer = await this.answer(streamId, "data", format);
        const payload = format === "cbor" ? Buffer.from(answer.p) : Buffer.from(answer.p, "base64");
        if (payload.length !== answer.l) throw new Error("a block's length is not what it says");
        payload.copy(file, answer.i * block);
        missing.delete(answer.i);
      }
    }
    return file;
  }

  /** Messages not waited for. */
  get unread(): string[] {
    return this.#messages.map(({ topic }) => topic);
  }

  async close(): Promise<void> {
    await this.#client.endAsync(true);
  }
}
