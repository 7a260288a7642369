/**
 * The MQTT data plane: AWS IoT MQTT-based file delivery, CBOR flavour (AWS IoT developer guide).
 * @module
 */
import { DataBlock, decodeRejection, encodeGetStream } from "./cbor.js";
import type { BlockSink, DataPlane } from "./data-plane.js";
import { OtaError } from "./errors.js";
import type { JobFile } from "./job-document.js";
import type { MqttConnection, MqttObserver, MqttSubscription } from "./ports.js";

/** Most payload bytes the service sends for one request. */
const ANSWER_SET = 131_072;
/** Largest file of a stream: 98304 blocks of 256 bytes. */
const MAX_FILE = 25_165_824;
/** Longest GetStream request without its bitmap: map, five keys, head of the bitmap, four numbers. */
const REQUEST_OVERHEAD = 40;

export interface StreamPlaneOptions {
  mqtt: MqttConnection;
  /** Name of the thing, as in the topics. */
  thingName: string;
}

/** Everything about the file being delivered; replaced as a whole. */
interface Session {
  readonly sink: BlockSink;
  readonly file: JobFile;
  readonly blockSize: number;
  readonly blocks: number;
  readonly topics: readonly MqttSubscription[];
}

export class StreamPlane implements DataPlane, MqttObserver {
  readonly protocol = "MQTT";
  readonly reliable = false;
  readonly #mqtt: MqttConnection;
  readonly #thingName: string;
  readonly #block = new DataBlock();
  #session: Session | undefined;
  /** Stream that was not there, or not as the job has it, when asked last: a fresh job document was no help. */
  #gone = "";

  constructor({ mqtt, thingName }: StreamPlaneOptions) {
    this.#mqtt = mqtt;
    this.#thingName = thingName;
  }

  get maxBlocks(): number {
    return Math.max(1, Math.floor(ANSWER_SET / (this.#session?.blockSize ?? ANSWER_SET)));
  }

  usable(file: JobFile): boolean {
    return /^[a-zA-Z0-9_-]{1,128}$/.test(file.streamName) && file.fileSize <= MAX_FILE;
  }

  open(file: JobFile, blockSize: number, sink: BlockSink): void {
    this.close();
    const mqtt = this.#mqtt;
    const topic = (operation: string, message: MqttSubscription["message"]): MqttSubscription => ({
      filter: this.#topic(file, operation),
      qos: 0,
      buffer: (_topic, byteLength) => sink.buffer(byteLength),
      message,
    });
    const topics = [
      topic("data", (_topic, payload) => this.#data(payload)),
      topic("rejected", (_topic, payload) => this.#rejected(payload)),
    ];
    const blocks = Math.ceil(file.fileSize / blockSize);
    const session: Session = { sink, file, blockSize, blocks, topics };
    this.#session = session;
    mqtt.addObserver(this);
    for (const topic of topics)
      mqtt.subscribe(topic, (error) => {
        if (this.#session !== session) return;
        if (error)
          sink.refused(new OtaError("stream-refused", `subscription refused: ${error.message}`), "final");
      });
    // No need to wait for the answers: the broker handles what it gets in order (MQTT 3.1.1 §4.6).
    if (mqtt.connected) sink.ready();
  }

  request(first: number, bitmap: Uint8Array, count: number): boolean {
    const session = this.#session;
    if (!session || !this.#mqtt.connected) return false;
    const { file, blockSize } = session;
    const { fileId } = file;
    const payload = encodeGetStream(new Uint8Array(REQUEST_OVERHEAD + bitmap.length), {
      fileId,
      blockSize,
      offset: first,
      bitmap,
      count,
    });
    this.#mqtt.publish(this.#topic(file, "get"), payload, 0);
    return true;
  }

  close(): void {
    const session = this.#session;
    if (!session) return;
    this.#session = undefined;
    this.#mqtt.removeObserver(this);
    for (const topic of session.topics) this.#mqtt.unsubscribe(topic);
  }

  online(): void {
    this.#session?.sink.ready();
  }

  offline(): void {
    this.#session?.sink.waiting();
  }

  #topic(file: JobFile, operation: string): string {
    return `$aws/things/${this.#thingName}/streams/${file.streamName}/${operation}/cbor`;
  }

  #data(message: Uint8Array): void {
    const { sink, file, blockSize, blocks } = this.#session as Session;
    const block = this.#block;
    try {
      block.decode(message);
    } catch (error) {
      return sink.bad((error as Error).message);
    }
    const { index, offset, byteLength } = block;
    if (block.fileId !== file.fileId) return sink.bad("foreign file");
    if (index >= blocks) return sink.bad("block beyond the file");
    const expected = index === blocks - 1 ? file.fileSize - index * blockSize : blockSize;
    if (byteLength !== expected || block.length !== expected) return sink.bad("wrong length");
    this.#gone = "";
    sink.block(index, message.subarray(offset, offset + byteLength));
  }

  #rejected(message: Uint8Array): void {
    const { sink, file } = this.#session as Session;
    let code: string;
    let text: string;
    try {
      ({ code, message: text } = decodeRejection(message));
    } catch (error) {
      return sink.bad((error as Error).message);
    }
    let remedy: "retry" | "refresh" | "final" = "retry";
    if (/^(ResourceNotFound|ETagMismatch|VersionMismatch)$/.test(code)) {
      // The job may have another stream by now. If not, nothing will bring the file back.
      remedy = this.#gone === file.streamName ? "final" : "refresh";
      this.#gone = file.streamName;
    } else if (/^(Invalid|Unauthorized)|(OutOfBounds|LimitExceeded)$/.test(code)) remedy = "final";
    sink.refused(new OtaError("stream-refused", `the stream service said ${code}: ${text}`), remedy);
  }
}
