/** Files, time and the bad network of the Node host. */
import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FlashPartition } from "../../hosts/emulated/flash-partition.js";
import { NorFlash } from "../../hosts/emulated/nor-flash.js";
import { nodeClock } from "../../hosts/node/clock.js";
import { FileStorage } from "../../hosts/node/file-storage.js";
import { FileStore } from "../../hosts/node/file-store.js";
import { Guard, GuardedClock } from "../../hosts/node/guard.js";
import { LossyMqtt } from "../../hosts/node/lossy-mqtt.js";
import type { MqttConnection, MqttSubscription } from "../../src/ports.js";
import { flashConformance } from "../conformance/flash.js";
import { VirtualClock } from "../support/virtual-clock.js";

const SIZE = 64 * 4096;

describe("the Node host", () => {
  let directory: string;
  const storages: FileStorage[] = [];
  before(() => {
    directory = mkdtempSync(join(tmpdir(), "node-host-"));
  });
  after(() => {
    for (const storage of storages) storage.close();
    rmSync(directory, { recursive: true });
  });

  const open = (name: string) => {
    const storage = new FileStorage(join(directory, name), () => new Uint8Array(SIZE).fill(0xff));
    storages.push(storage);
    return storage;
  };

  let chip: NorFlash | undefined;
  flashConformance("flash in a file", () => {
    chip ??= new NorFlash(open("conformance.bin"));
    return new FlashPartition(chip, { offset: 0, size: SIZE });
  });

  describe("FileStorage", () => {
    it("has every write in the file when the call returns", () => {
      const flash = new NorFlash(open("through.bin"));
      flash.write(5000, Uint8Array.of(1, 2, 3));
      const file = readFileSync(join(directory, "through.bin"));
      deepStrictEqual([...file.subarray(4999, 5004)], [0xff, 1, 2, 3, 0xff]);
    });

    it("reads what was written, wherever it was kept, and has it all in the file", () => {
      const storage = open("parts.bin");
      const expected = new Uint8Array(SIZE).fill(0xff);
      let seed = 1;
      const random = (below: number) => (seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0) % below;
      for (let n = 0; n < 400; n++) {
        const offset = random(SIZE);
        const length = Math.min(SIZE - offset, 1 + random(n % 10 ? 5000 : 70_000));
        if (n % 3) {
          const bytes = new Uint8Array(length);
          storage.read(offset, bytes);
          ok(
            bytes.every((byte, i) => byte === expected[offset + i]),
            `read ${n}`,
          );
        } else {
          const bytes = Uint8Array.from({ length }, () => random(256));
          storage.write(offset, bytes);
          expected.set(bytes, offset);
        }
      }
      ok(readFileSync(join(directory, "parts.bin")).equals(expected));
    });

    it("finds what an earlier process left", () => {
      new NorFlash(open("again.bin")).write(0, Uint8Array.of(0x55));
      const bytes = new Uint8Array(1);
      new NorFlash(open("again.bin")).read(0, bytes);
      strictEqual(bytes[0], 0x55);
    });
  });

  describe("FileStore", () => {
    it("keeps values over processes", () => {
      const path = join(directory, "store.json");
      const store = new FileStore(path);
      strictEqual(store.get("key"), undefined);
      store.set("key", "value");
      store.set("__proto__", "just a key");
      const again = new FileStore(path);
      deepStrictEqual([again.get("key"), again.get("__proto__")], ["value", "just a key"]);
      ok(!existsSync(`${path}.new`));
    });

    it("refuses a file that is damaged", () => {
      const path = join(directory, "damaged.json");
      writeFileSync(path, "{");
      throws(() => new FileStore(path), SyntaxError);
    });
  });

  describe("Guard", () => {
    it("ends the life with the exception that leaves a callback", async () => {
      const errors: string[] = [];
      const guard = new Guard((error) => errors.push(error.message));
      const clock = new GuardedClock(nodeClock, guard);
      let ran = 0;
      clock.set(() => {
        throw new Error("first");
      }, 0);
      clock.set(() => ran++, 5);
      await new Promise((resolve) => setTimeout(resolve, 20));
      deepStrictEqual([errors, ran], [["first"], 0]);
    });

    it("clears timers that nobody waits for any more", async () => {
      let ran = 0;
      const clock = new GuardedClock(nodeClock, new Guard(() => {}));
      clock.set(() => ran++, 1);
      clock.clearAll();
      await new Promise((resolve) => setTimeout(resolve, 10));
      strictEqual(ran, 0);
    });
  });

  describe("LossyMqtt", () => {
    const sent: string[] = [];
    let inner: MqttSubscription | undefined;
    const mqtt: MqttConnection = {
      connected: true,
      publish: (topic) => void sent.push(topic),
      subscribe: (subscription) => {
        inner = subscription;
      },
      unsubscribe: () => {
        inner = undefined;
      },
      addObserver: () => {},
      removeObserver: () => {},
    };
    /** Loses every second affected message. */
    const lossy = (clock: VirtualClock, loss = 0.5) => {
      let count = 0;
      sent.length = 0;
      return new LossyMqtt(mqtt, {
        ...{ loss, delayMs: 50, clock },
        affects: (topic) => topic.startsWith("data"),
        random: () => (count++ % 2 ? 0.9 : 0.1),
      });
    };

    it("loses and delays what is published on the topics it affects", () => {
      const clock = new VirtualClock();
      const link = lossy(clock);
      for (const topic of ["data/1", "other", "data/2"]) link.publish(topic, Uint8Array.of(1), 0);
      deepStrictEqual(sent, ["other"]);
      clock.time.run(50);
      deepStrictEqual([sent, link.lost], [["other", "data/2"], 1]);
    });

    it("tells the sender of a lost message that it was written", () => {
      const clock = new VirtualClock();
      let written = false;
      lossy(clock).publish("data", Uint8Array.of(1), 0, () => {
        written = true;
      });
      strictEqual(written, false);
      clock.time.run(1);
      strictEqual(written, true);
    });

    it("loses and delays what arrives, keeps its bytes, and forgets it after unsubscribing", () => {
      const clock = new VirtualClock();
      const link = lossy(clock);
      const got: number[] = [];
      const subscription: MqttSubscription = {
        filter: "#",
        qos: 0,
        message: (_topic, payload) => got.push(payload[0]!),
      };
      link.subscribe(subscription);
      const arrives = (topic: string, value: number) => {
        const payload = Uint8Array.of(value);
        inner?.message(topic, payload);
        payload[0] = 0; // valid during the call only
      };
      for (const [topic, value] of [
        ["data", 1],
        ["other", 2],
        ["data", 3],
      ] as const)
        arrives(topic, value);
      deepStrictEqual(got, [2]);
      clock.time.run(50);
      deepStrictEqual(got, [2, 3]);
      arrives("data", 4);
      arrives("data", 5);
      link.unsubscribe(subscription);
      clock.time.run(50);
      deepStrictEqual(got, [2, 3]);
    });
  });
});
