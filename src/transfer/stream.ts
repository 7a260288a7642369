/**
 * The MQTT data plane: AWS IoT MQTT-based file delivery, CBOR flavour (AWS IoT developer guide).
 * @module
 */

import type { JobFile } from "../control/job-document.js";
import { OtaError } from "../errors.js";
import type { MqttConnection, MqttObserver, MqttSubscription } from "../ports.js";
import {
  decodeMessage,
  encodeGetStream,
  FIELDS,
  FILE_ID,
  INDEX,
  LENGTH,
  PAYLOAD,
  START,
  TOKEN,
  TOKEN_ZERO,
} from "./cbor.js";
import type { BlockSink, DataPlane } from "./data-plane.js";
import { TOKENS } from "./window.js";

/** Most payload bytes the service sends for one request. */
const ANSWER_SET = 131_072;
/** Largest file of a stream: 98304 blocks of 256 bytes. */
const MAX_FILE = 25_165_824;

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
  readonly topics: readonly MqttSubscription[];
}

export class StreamPlane implements DataPlane, MqttObserver {
  readonly protocol = "MQTT";
  readonly reliable = false;
  readonly maxFileSize = MAX_FILE;
  maxBlocks = 1;
  readonly #mqtt: MqttConnection;
  readonly #thingName: string;
  readonly #fields = new Float64Array(FIELDS);
  #session: Session | undefined;
  /** Stream that was not there, or not as the job has it, when asked last: a fresh job document was no help. */
  #gone = "";

  constructor({ mqtt, thingName }: StreamPlaneOptions) {
    this.#mqtt = mqtt;
    this.#thingName = thingName;
  }

  usable(file: JobFile): boolean {
    return file.streamName !== "" && file.fileSize <= MAX_FILE;
  }

  open(file: JobFile, blockSize: number, sink: BlockSink): void {
    this.close();
    const mqtt = this.#mqtt;
    const topics = ["data", "rejected"].map(
      (operation): MqttSubscription => ({
        filter: this.#topic(file, operation),
        qos: 0,
        buffer: (_topic, byteLength) => sink.buffer(byteLength),
        message: (_topic, payload) => this.#message(payload),
      }),
    );
    const session: Session = { sink, file, blockSize, topics };
    this.#session = session;
    this.maxBlocks = (ANSWER_SET / blockSize) | 0;
    mqtt.addObserver(this);
    for (const topic of topics)
      mqtt.subscribe(topic, (error) => {
        if (error && this.#session === session)
          sink.refused(new OtaError("stream-refused", `subscription refused: ${error.message}`), "final");
      });
    // No need to wait for the answers: the broker handles what it gets in order (MQTT 3.1.1 §4.6).
    if (mqtt.connected) sink.ready();
  }

  request(first: number, bitmap: Uint8Array, count: number, token: number): boolean {
    const session = this.#session;
    if (!session || !this.#mqtt.connected) return false;
    const { file, blockSize } = session;
    const payload = encodeGetStream(file.fileId, blockSize, first, bitmap, count, token);
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

  #message(message: Uint8Array): void {
    const { sink, file, blockSize } = this.#session as Session;
    const fields = this.#fields;
    let refusal: string;
    try {
      refusal = decodeMessage(message, fields);
    } catch (error) {
      return sink.bad((error as Error).message);
    }
    const token = fields[TOKEN] && this.#token(message);
    if (refusal) return this.#refused(refusal);
    const index = fields[INDEX];
    const length = fields[PAYLOAD];
    const rest = file.fileSize - index * blockSize;
    if (fields[FILE_ID] !== file.fileId) return sink.bad("a block of another file");
    if (rest <= 0 || length !== (rest < blockSize ? rest : blockSize) || length !== fields[LENGTH])
      return sink.bad(`block ${index} came with ${length} bytes`, true);
    this.#gone = "";
    const start = fields[START + PAYLOAD];
    sink.block(index, message.subarray(start, start + length), token);
  }

  /** The token of the request a message answers; 0 when it is none of ours. */
  #token(message: Uint8Array): number {
    const fields = this.#fields;
    const token = fields[TOKEN] === 1 ? message[fields[START + TOKEN]] - TOKEN_ZERO : 0;
    fields[TOKEN] = 0;
    return token > 0 && token < TOKENS ? token : 0;
  }

  #refused(refusal: string): void {
    const { sink, file } = this.#session as Session;
    let remedy: "retry" | "refresh" | "final" = "retry";
    if (/^(ResourceNotFound|ETagMismatch|VersionMismatch):/.test(refusal)) {
      // The job may have another stream by now. If not, nothing will bring the file back.
      remedy = this.#gone === file.streamName ? "final" : "refresh";
      this.#gone = file.streamName;
    } else if (/^Invalid|^Unauthorized|^\w*(OutOfBounds|LimitExceeded):/.test(refusal)) remedy = "final";
    sink.refused(new OtaError("stream-refused", `the stream service said ${refusal}`), remedy);
  }
}
