/**
 * A whole update in virtual time over a slow link, onto NOR flash with typical timing: the image, packed, or as a delta;
 * from the first request to the verified image. What the processor does takes no time here.
 * @module
 */
import { createHash, generateKeyPairSync } from "node:crypto";
import { FlashPartition } from "../hosts/emulated/flash-partition.js";
import { NorFlash } from "../hosts/emulated/nor-flash.js";
import { StreamService } from "../service/streams.js";
import { FileComplete } from "../src/events.js";
import { jsDecoder } from "../src/payload/js-decoder.js";
import { StagedPal } from "../src/payload/staged-pal.js";
import type { Crypto } from "../src/ports.js";
import { parseHead } from "../src/slot/esp-image.js";
import { TrustedKeys } from "../src/slot/signature.js";
import { Download } from "../src/transfer/download.js";
import { StreamPlane } from "../src/transfer/stream.js";
import { FakeBoot } from "../test/support/pal-rig.js";
import { seeded, VirtualClock, VirtualTime } from "../test/support/virtual-clock.js";
import { VirtualBroker } from "../test/support/virtual-network.js";
import { jobFile, THING } from "./virtual.js";

const SLOT = 0x1f0000;
const RTT = 300;
const BLOCK = 1024;
/** Virtual milliseconds after which it has failed. */
const PATIENCE = 7_200_000;

/** Every signature is good: its check is native, and not what is measured. */
const crypto: Crypto = {
  sha256: () => {
    const hash = createHash("sha256");
    return { update: (bytes) => void hash.update(bytes), digest: () => new Uint8Array(hash.digest()) };
  },
  verifyEcdsaP256: () => true,
  verifyRsa: () => false,
};

const publicKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({
  type: "spki",
  format: "pem",
}) as string;

export interface Update {
  readonly base: Uint8Array;
  readonly image: Uint8Array;
  /** What is fetched: the image itself, or a payload. */
  readonly file: Uint8Array;
  readonly variant: "" | ";packed" | "delta";
  /** Bytes a second. */
  readonly bandwidth: number;
}

export interface Seconds {
  readonly fetch: number;
  /** Applying, and reading the image back. */
  readonly rest: number;
}

/** @throws Error when the update fails */
export function update({ base, image, file, variant, bandwidth }: Update): Seconds {
  const time = new VirtualTime();
  const clock = new VirtualClock(time);
  const random = seeded(1);
  const broker = new VirtualBroker(time, random);
  const chip = new NorFlash(2 * SLOT);
  const slot = new FlashPartition(chip, { offset: 0, size: SLOT });
  const running = new FlashPartition(chip, { offset: SLOT, size: SLOT });
  // An older image lies there.
  slot.write(new Uint8Array(SLOT), 0);
  running.write(base, 0);
  chip.onBusy = (ms) => clock.busy(ms);
  const boot = new FakeBoot();
  boot.running = parseHead(base, base.length);
  const path = variant === "delta" ? `;base=${boot.running.buildId}` : variant;
  const plan = { ...jobFile(file.length), filePath: `/d${path}` };
  const stream = plan.streamName as string;
  const service = new StreamService({
    clock: new VirtualClock(time),
    publish: (topic, payload, qos) => broker.publish(topic, payload, qos),
  });
  service.create(stream, [
    { fileId: 0, byteLength: file.length, read: (offset, length) => file.subarray(offset, offset + length) },
  ]);
  broker.onMessage = (topic, payload) => void service.handle(topic, payload);
  const mqtt = broker.connect(clock, { rtt: RTT, bandwidth });
  const pal = new StagedPal({
    ...{ slot, running, boot, crypto, clock, decoder: jsDecoder, packed: true },
    ...{ trustedKeys: new TrustedKeys({ "": publicKey }), allowDowngrade: true },
  });
  let fetched = Number.NaN;
  let ended = Number.NaN;
  let failure: Error | undefined;
  pal.rank([plan]);
  pal.createFile(plan, (error, received) => {
    failure = error;
    if (error) return;
    const options = {
      ...{ clock, random, blockSize: BLOCK, maxBlockSize: BLOCK },
      ...{ maxOutstandingBytes: 65_536, noProgressTimeoutMs: 300_000 },
    };
    new Download(options, {
      ...{ file: plan, planes: [new StreamPlane({ mqtt, thingName: THING })], pal, received },
      ...{ rttHint: RTT, rateHint: bandwidth },
      onHead: () => {},
      onProgress: () => {},
      tell: (event, error) => {
        failure = error;
        if (event !== FileComplete) return;
        fetched = clock.now();
        pal.closeFile((problem) => {
          failure = problem;
          ended = clock.now();
        });
      },
    }).start();
  });
  time.runUntilDone(() => !!failure || !Number.isNaN(ended), PATIENCE);
  if (failure ?? Number.isNaN(ended)) throw failure ?? new Error("the update does not end");
  const made = new Uint8Array(image.length);
  slot.read(made, 0);
  if (Buffer.compare(made, image)) throw new Error("the slot holds another image");
  return { fetch: fetched / 1000, rest: (ended - fetched) / 1000 };
}
