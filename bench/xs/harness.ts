/**
 * The agent inside a bare XS engine, between ports that cost next to nothing: what is metered is the agent's own
 * code, and with `config.socket` the device's MQTT connection over a socket that costs next to nothing as well. The
 * host's commands: "start", then "blocks n" as often as there are blocks, then "idle".
 * @module
 */
import { FlashPal, type MqttSubscription, OtaAgent, TrustedKeys } from "../../src/index.js";
import { type Broker, connectBroker, publication, Wire } from "./broker.js";
import { boot, crypto } from "./ports.js";

declare const gc: () => void;
declare global {
  /** Buffers made so far, where the host keeps account of them. */
  var buffers: WeakRef<ArrayBufferLike>[] | undefined;
}
declare const config: {
  fileSize: number;
  blockSize: number;
  head: number[];
  publicKey: number[];
  socket: boolean;
};

const THING = "thing-1";
const JOBS = `$aws/things/${THING}/jobs/`;

let now = 0;
const timers: { at: number; callback: () => void }[] = [];
const clock = {
  now: () => now,
  set(callback: () => void, ms: number) {
    const timer = { at: now + ms, callback };
    timers.push(timer);
    return timer;
  },
  clear(timer: unknown) {
    const at = timers.indexOf(timer as (typeof timers)[0]);
    if (at >= 0) timers.splice(at, 1);
  },
};

function settle(): void {
  for (let due = next(); due >= 0; due = next()) timers.splice(due, 1)[0].callback();
}

function next(): number {
  for (let i = 0; i < timers.length; i++) if (timers[i].at <= now) return i;
  return -1;
}

const subscriptions: MqttSubscription[] = [];
const mqtt = {
  connected: true,
  publish(topic: string, payload: Uint8Array, _qos: 0 | 1, done?: () => void) {
    if (done) clock.set(() => done(), 0);
    if (topic === `${JOBS}$next/get`) clock.set(() => answerJob(payload), 0);
    else if (topic.slice(-7) === "/update") clock.set(() => answerUpdate(topic), 0);
  },
  subscribe(subscription: MqttSubscription, done?: () => void) {
    subscriptions.push(subscription);
    if (done) clock.set(() => done(), 0);
  },
  unsubscribe(subscription: MqttSubscription) {
    subscriptions.splice(subscriptions.indexOf(subscription), 1);
  },
  addObserver() {},
  removeObserver() {},
};

function text(bytes: Uint8Array): string {
  return String.fromCharCode.apply(null, Array.from(bytes));
}

function bytes(value: string): Uint8Array {
  return Uint8Array.from(value, (character) => character.charCodeAt(0));
}

function matches(filter: string, topic: string): boolean {
  const levels = topic.split("/");
  return filter.split("/").every((level, i) => level === "#" || level === "+" || level === levels[i]);
}

function deliver(topic: string, payload: Uint8Array): void {
  if (broker) return broker.send(publication(bytes(topic), payload));
  for (const subscription of subscriptions.slice())
    if (matches(subscription.filter, topic)) {
      const buffer = subscription.buffer?.(topic, payload.length);
      if (buffer) buffer.set(payload);
      subscription.message(topic, buffer ? buffer.subarray(0, payload.length) : payload);
    }
}

function answerJob(payload: Uint8Array): void {
  const file = {
    ...{ filepath: "/", filesize: config.fileSize, fileid: 0, certfile: "signer" },
    "sig-sha256-ecdsa": "MAYCAQECAQE=",
  };
  const document = { afr_ota: { protocols: ["MQTT"], streamname: "AFR_OTA-XYZ", files: [file] } };
  const execution = {
    jobId: "job-1",
    status: "QUEUED",
    executionNumber: 1,
    versionNumber: 1,
    jobDocument: document,
  };
  const { clientToken } = JSON.parse(text(payload));
  deliver(`${JOBS}$next/get/accepted`, bytes(JSON.stringify({ clientToken, timestamp: 1, execution })));
}

const ACCEPTED = bytes('{"timestamp":1}');

/** Answered without a look at the request: reading it would be metered too. */
function answerUpdate(topic: string): void {
  if (broker) return deliver(`${topic}/accepted`, ACCEPTED);
  for (const { filter, message } of subscriptions)
    if (filter.slice(-8) === "update/+") message(`${topic}/accepted`, ACCEPTED);
}

const sectors = Math.ceil(config.fileSize / 4096) + 8;
const slot = {
  eraseBlock() {},
  // Not erased; nothing longer, as the engine meters a fill by its length.
  read: (buffer: Uint8Array) => {
    buffer[0] = 0;
  },
  write() {},
  status: () => ({ size: sectors * 4096, blocks: sectors, blockLength: 4096 }),
  close() {},
};

const { blockSize } = config;
/** {f: 0, i: …, l: …, p: …} of a full block, its index as two bytes. */
const message = new Uint8Array(20 + blockSize);
message.set([0xa4, 0x61, 0x66, 0, 0x61, 0x69, 0x19, 0, 0, 0x61, 0x6c, 0x19, blockSize >> 8, blockSize & 255]);
message.set([0x61, 0x70, 0x59, blockSize >> 8, blockSize & 255], 14);
message.set(config.head, 19);
const whole = message.subarray(0, 19 + blockSize);
let filled: Uint8Array | undefined;
let sent = 0;
let state = "";
let agent: OtaAgent | undefined;
let broker: Broker | undefined;

/** A block as a PUBLISH packet: the message is the end of it. */
const packet = publication(bytes(`$aws/things/${THING}/streams/AFR_OTA-XYZ/data/cbor`), whole);
const indexAt = packet.length - whole.length + 7;
const wire = new Wire();
const places = [new Uint8Array(2), new Uint8Array(indexAt - 7 - 5), new Uint8Array(whole.length)];

function socketBlock(live: boolean): void {
  now += 4;
  packet[indexAt] = sent >> 8;
  packet[indexAt + 1] = sent & 255;
  if (live) {
    (broker as Broker).send(packet);
    return settle();
  }
  // What the socket and the clock do of this for the harness alone.
  wire.push(packet);
  for (let n = 0; n < 3; n++) wire.read();
  for (const place of places) wire.read(place);
  next();
}

function block(live: boolean): void {
  if (config.socket) return socketBlock(live);
  now += 4;
  if (live) {
    for (const subscription of subscriptions)
      if (subscription.filter.slice(-9) === "data/cbor") {
        const buffer = subscription.buffer?.("", whole.length) as Uint8Array;
        // The engine meters a copy by its length: the buffer keeps all but the index from block to block.
        if (buffer !== filled) buffer.set(whole);
        filled = buffer;
        buffer[7] = sent >> 8;
        buffer[8] = sent & 255;
        subscription.message("", buffer.subarray(0, whole.length));
        break;
      }
    settle();
  } else {
    // What the engine does of this for the harness alone.
    for (const subscription of subscriptions) if (subscription.filter.slice(-9) === "data/cbor") break;
    next();
    message[7] = sent >> 8;
    message[8] = sent & 255;
    whole.subarray(0, 10);
  }
}

function perform(command: string): void {
  const [verb, count] = command.split(" ");
  switch (verb) {
    case "make":
      make();
      break;
    case "start":
      for (let i = 0; i < 20; i++) {
        now += 1;
        settle();
      }
      break;
    case "blocks":
      for (let i = 0; i < Number(count); i++) {
        block(true);
        sent++;
      }
      break;
    case "empty":
      for (let i = 0; i < Number(count); i++) block(false);
      break;
    case "gc":
      gc();
  }
}

function make(): void {
  const pal = new FlashPal({
    ...{ slot, boot, crypto, clock, eraseLength: 65536 },
    trustedKeys: new TrustedKeys({ signer: Uint8Array.from(config.publicKey) }),
  });
  if (config.socket)
    broker = connectBroker(clock, (topicBytes, payload) => {
      const topic = text(topicBytes);
      const copy = payload.slice();
      if (topic === `${JOBS}$next/get`) clock.set(() => answerJob(copy), 0);
      else if (topic.slice(-7) === "/update") clock.set(() => answerUpdate(topic), 0);
    });
  agent = new OtaAgent({
    ...{ thingName: THING, mqtt: broker?.mqtt ?? mqtt, pal, clock, random: () => 0.5 },
    onEvent: (event: { type: string; error?: Error }) => {
      state = event.error ? `${event.type}: ${event.error.message}` : event.type;
    },
  });
  agent.init();
}

Object.assign(globalThis, {
  handleCommand(command: ArrayBuffer) {
    perform(text(new Uint8Array(command)));
    const processed = agent?.statistics?.packetsProcessed;
    let held = 0;
    for (const buffer of globalThis.buffers ?? []) held += buffer.deref()?.byteLength ?? 0;
    return { result: bytes(JSON.stringify({ state, processed, held })).buffer };
  },
});
