/**
 * One transfer in virtual time: this agent's download, or the policy of the original C agent, over the same
 * network, service and flash.
 * @module
 */
import { createHash, generateKeyPairSync } from "node:crypto";
import { FlashPartition } from "../hosts/emulated/flash-partition.js";
import { NorFlash } from "../hosts/emulated/nor-flash.js";
import { type CborMap, decodeCbor, encodeCbor } from "../service/cbor.js";
import { StreamService } from "../service/streams.js";
import type { JobFile } from "../src/control/job-document.js";
import { FileComplete, RequestJobDocument } from "../src/events.js";
import type { Crypto } from "../src/ports.js";
import { FlashPal } from "../src/slot/flash-pal.js";
import type { OtaPal } from "../src/slot/pal.js";
import { TrustedKeys } from "../src/slot/signature.js";
import { Download } from "../src/transfer/download.js";
import { StreamPlane } from "../src/transfer/stream.js";
import { seeded, VirtualClock, VirtualTime } from "../test/support/virtual-clock.js";
import { type Link, VirtualBroker } from "../test/support/virtual-network.js";
import { OriginalPolicy } from "./original.js";

export interface Scenario {
  link: Link;
  /** Bytes of the image. */
  fileSize: number;
  blockSize: number;
  /** NOR flash with typical timing; otherwise writing takes no time. */
  flash: boolean;
  seed: number;
  /** This agent, or the original with so many blocks a request. */
  policy: "ours" | number;
  streamName?: string;
  maxOutstandingBytes?: number;
  /** Bytes erased at a time, and what else spares the application. */
  eraseLength?: number;
  rateLimit?: number;
  blockIntervalMs?: number;
  /** The service sends the blocks of a request in random order. */
  shuffle?: boolean;
  /** The application, or the machine, does nothing else for `ms` milliseconds, `every` so many. */
  stall?: { ms: number; every: number };
  /** The round trip becomes this one and back again, `every` so many milliseconds. */
  jump?: { rtt: number; every: number };
  /** Gives the application a message each second. */
  messages?: boolean;
  /** The service does not repeat a request's token in its blocks. */
  noEcho?: boolean;
}

export interface Outcome {
  /** Until the last byte is written; NaN when the transfer failed. */
  seconds: number;
  requests: number;
  /** Blocks that came and were not needed. */
  surplus: number;
  /** Blocks the service sent beyond one each. */
  again: number;
  /** The longest one of the application's messages waited behind blocks, milliseconds. */
  messageDelay: number;
  upBytes: number;
  downBytes: number;
  /** The longest the processor was busy with flash in one turn, milliseconds, and the share of time it was. */
  longestStall: number;
  busyShare: number;
}

export const THING = "thing-1";
const STREAM = "AFR_OTA-XYZ";
const SLOT = 0x1f0000;
/** A well-formed one: SEQUENCE of two INTEGERs. */
const SIGNATURE = Uint8Array.of(0x30, 6, 2, 1, 1, 2, 1, 1);
/** Where the application gets its messages, and how often, milliseconds. */
const MESSAGES = "application/commands";
const MESSAGE_MS = 250;

const nodeCrypto: Crypto = {
  sha256: () => {
    const hash = createHash("sha256");
    return { update: (bytes) => void hash.update(bytes), digest: () => new Uint8Array(hash.digest()) };
  },
  verifyEcdsaP256: () => false,
  verifyRsa: () => false,
};

const publicKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({
  type: "spki",
  format: "pem",
}) as string;

export function jobFile(fileSize: number, streamName = STREAM): JobFile {
  return {
    fileId: 0,
    fileSize,
    fileType: 0,
    filePath: "/",
    certFile: "",
    signature: { algorithm: "sig-sha256-ecdsa", bytes: SIGNATURE },
    streamName,
    url: "",
  } as JobFile;
}

/** A destination that costs no time. */
function memoryPal(image: Uint8Array): Pick<OtaPal, "headLength" | "inspect" | "readBack" | "writeBlock"> {
  return {
    headLength: 288,
    inspect: () => undefined,
    readBack: (offset, into) => into.set(image.subarray(offset, offset + into.length)),
    writeBlock: (offset, data) => image.set(data, offset),
  };
}

export function simulate(scenario: Scenario): Outcome {
  const { link, fileSize, blockSize, seed, policy, streamName = STREAM } = scenario;
  const time = new VirtualTime();
  const random = seeded(seed);
  const clock = new VirtualClock(time);
  const broker = new VirtualBroker(time, random);
  let served = 0;
  let answers: (() => void)[] = [];
  const service = new StreamService({
    clock: new VirtualClock(time),
    publish: (topic, payload, qos) => {
      served++;
      answers.push(() => broker.publish(topic, payload, qos));
    },
  });
  const image = new Uint8Array(fileSize);
  for (let i = 0; i < fileSize; i += 4) image[i] = (random() * 256) | 0;
  service.create(streamName, [
    { fileId: 0, byteLength: fileSize, read: (offset, length) => image.subarray(offset, offset + length) },
  ]);
  broker.onMessage = (topic, payload) => {
    service.handle(topic, scenario.noEcho ? withoutToken(payload) : payload);
    if (scenario.shuffle) shuffle(answers, random);
    for (const answer of answers) answer();
    answers = [];
  };
  const mqtt = broker.connect(clock, { ...link, loss: 0 });

  let received = new Uint8Array(fileSize);
  let pal = memoryPal(received) as OtaPal;
  let slot: FlashPartition | undefined;
  let turn = -1;
  let stall = 0;
  let longestStall = 0;
  let busy = 0;
  if (scenario.flash) {
    const chip = new NorFlash(SLOT);
    slot = new FlashPartition(chip, { offset: 0, size: SLOT });
    // An older image lies there.
    for (let at = 0; at < SLOT; at += 4096) slot.write(new Uint8Array(4096), at);
    chip.onBusy = (ms) => {
      if (time.now > turn) stall = 0;
      turn = time.now;
      stall += ms;
      longestStall = Math.max(longestStall, stall);
      busy += ms;
      clock.busy(ms);
    };
    const keys = new TrustedKeys({ "": publicKey });
    const { eraseLength } = scenario;
    pal = new FlashPal({ slot, crypto: nodeCrypto, clock, trustedKeys: keys, eraseLength });
  }
  const file = jobFile(fileSize, streamName);
  let start = 0;
  let end = Number.NaN;
  let over = false;
  let requests = 0;
  let surplus = 0;
  let download: Download | undefined;
  const finish = (failed: boolean) => {
    over = true;
    if (!failed) end = clock.now();
  };
  if (scenario.stall) {
    clock.timersFirst = true;
    const { ms, every } = scenario.stall;
    const block = () => {
      clock.set(block, every);
      clock.busy(ms);
    };
    clock.set(block, every);
  }
  if (scenario.jump) {
    const { rtt, every } = scenario.jump;
    let far = false;
    const jump = () => {
      far = !far;
      mqtt.link = far ? { ...link, rtt } : link;
      time.at(time.now + every, jump);
    };
    time.at(every, jump);
  }
  let messageDelay = 0;
  if (scenario.messages) {
    const note = (_topic: string, payload: Uint8Array) => {
      const sent = Number(Buffer.from(payload).toString());
      messageDelay = Math.max(messageDelay, clock.now() - sent - mqtt.link.rtt / 2);
    };
    mqtt.subscribe({ filter: MESSAGES, qos: 1, message: note });
    const send = () => {
      broker.publish(MESSAGES, Buffer.from(String(time.now)), 1);
      if (!over) time.at(time.now + MESSAGE_MS, send);
    };
    time.at(MESSAGE_MS, send);
  }
  const begin = (received: Parameters<Parameters<OtaPal["createFile"]>[1]>[1]) => {
    start = clock.now();
    busy = longestStall = 0;
    mqtt.link = link;
    if (policy !== "ours") {
      const original = new OriginalPolicy(
        { mqtt, clock, file, blockSize, blocksPerRequest: policy, thing: THING },
        {
          write: (offset, data) => pal.writeBlock(offset, data),
          done: (failed) => {
            ({ requests, surplus } = original);
            finish(failed);
          },
        },
      );
      original.start();
      return;
    }
    const options = {
      ...{ clock, random, blockSize, maxBlockSize: blockSize, noProgressTimeoutMs: 300_000 },
      maxOutstandingBytes: scenario.maxOutstandingBytes ?? 524_288,
      rateLimit: scenario.rateLimit,
      blockIntervalMs: scenario.blockIntervalMs,
    };
    download = new Download(options, {
      ...{ file, planes: [new StreamPlane({ mqtt, thingName: THING })], pal, received },
      rttHint: link.rtt,
      rateHint: link.bandwidth,
      onHead: () => {},
      onProgress: () => {},
      tell: (event) => {
        if (event !== RequestJobDocument) finish(event !== FileComplete);
      },
    });
    download.start();
  };
  if (slot) pal.createFile(file, (error, received) => (error ? finish(true) : begin(received)));
  else begin({ has: () => false, byteLength: 0 });
  time.runUntilDone(() => over, 7_200_000);
  time.run(100);
  if (slot && over && !Number.isNaN(end)) {
    received = new Uint8Array(fileSize);
    slot.read(received, 0);
  }
  if (!Number.isNaN(end) && Buffer.compare(received, image) !== 0)
    throw new Error("the image on flash is not the one that was sent");
  const statistics = download?.statistics;
  return {
    seconds: (end - start) / 1000,
    requests: statistics?.requests ?? requests,
    surplus: statistics?.packetsDropped ?? surplus,
    again: served - Math.ceil(fileSize / blockSize),
    messageDelay,
    upBytes: mqtt.up.bytes,
    downBytes: mqtt.down.bytes,
    longestStall,
    busyShare: busy / (end - start),
  };
}

/** A GetStream request as a service reads it that knows no token. */
function withoutToken(payload: Uint8Array): Uint8Array {
  const { c: _, ...request } = decodeCbor(payload) as CborMap;
  return encodeCbor(request);
}

function shuffle<T>(values: T[], random: () => number): void {
  for (let i = values.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [values[i], values[j]] = [values[j], values[i]];
  }
}

/** No transfer can take less: link or flash, whichever is slower, and one round trip. Seconds. */
export function bound({ link, fileSize, flash }: Scenario): number {
  const wire = link.bandwidth ? fileSize / link.bandwidth : 0;
  const chip = flash ? Math.ceil(fileSize / 65536) * 0.15 + Math.ceil(fileSize / 256) * 0.0004 : 0;
  return Math.max(wire, chip) + link.rtt / 1000;
}
