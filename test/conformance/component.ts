/**
 * What a component of a product has to do, whatever its places lie on: for whoever ports `Components`, or writes an `OtaPal`
 * of his own for files beside the firmware. The device has one component and runs firmware that is accepted.
 * @module
 */
import type { OpenComponent } from "../../src/components/options.js";
import type { JobFile } from "../../src/control/job-document.js";
import type { OtaError } from "../../src/errors.js";
import type { OtaPal, Received } from "../../src/slot/pal.js";
import { deepEqual, equal, ok, throws } from "../support/assert.js";

/** One life of a device, between two starts. */
export interface ComponentLife {
  readonly pal: OtaPal;
  /** What the application opens. */
  open(): OpenComponent | undefined;
}

export interface ComponentFile {
  readonly file: JobFile;
  readonly bytes: Uint8Array;
}

export interface ComponentHarness {
  /** A device that has never had the component. */
  fresh(): ComponentLife;
  /** The device starts anew, by a restart or because the power came back. */
  restart(): ComponentLife;
  /** Lets time pass until whatever was asked for has been answered. */
  settle(): void;
  /** A file of the component in this version, with this content, signed with a key the device trusts. */
  file(version: string, content: Uint8Array): ComponentFile;
}

/** Bytes that are given at a time, as by a data plane. */
const BLOCK = 1024;
/** Content that goes over several sectors, and ends within one. */
const LENGTH = 6000;

/** @param create a harness; each test makes one */
export function componentConformance(title: string, create: () => ComponentHarness): void {
  describe(title, () => {
    let device: ComponentHarness;
    let life: ComponentLife;
    const first = content(1);
    const second = content(2);

    beforeEach(() => {
      device = create();
      life = device.fresh();
    });

    const wait = <Result>(action: (done: (error?: OtaError, result?: Result) => void) => void) => {
      const answers: { error: OtaError | undefined; result: Result | undefined }[] = [];
      action((error, result) => void answers.push({ error, result }));
      equal(answers.length, 0, "a callback came within the call that asked for it");
      device.settle();
      equal(answers.length, 1, "callbacks");
      const [{ error, result }] = answers;
      if (error) throw error;
      return result as Result;
    };

    /** Fetches a file; `until` blocks of it. @returns how many were missing */
    const fetch = ({ file, bytes }: ComponentFile, until = Number.POSITIVE_INFINITY) => {
      const { pal } = life;
      pal.plan?.([file]);
      const received = wait<Received>((done) => pal.createFile(file, done));
      pal.inspect(file, bytes.slice(0, pal.headLength));
      let missing = 0;
      for (let at = 0; at < bytes.length && missing < until; at += BLOCK) {
        const block = bytes.slice(at, at + BLOCK);
        if (received.has(at, block.length)) continue;
        pal.writeBlock(at, block);
        missing++;
      }
      return missing;
    };

    /** Up to the restart that begins the trial. */
    const install = (file: ComponentFile) => {
      fetch(file);
      wait<Received>((done) => life.pal.closeFile(done));
      life.pal.activate((error) => {
        if (error) throw error;
      });
      device.settle();
      life = device.restart();
    };

    const update = (file: ComponentFile) => {
      install(file);
      life.pal.setPlatformImageState("accepted");
    };

    /** The whole content, as an application reads it. */
    const read = () => {
      const component = life.open();
      if (!component) return undefined;
      const bytes = new Uint8Array(component.byteLength);
      for (let at = 0; at < bytes.length; at += 1000) component.read(at, bytes.subarray(at, at + 1000));
      return { version: component.header.version, bytes };
    };
    const isFirst = () => deepEqual(read(), { version: "1.0.0", bytes: first });
    const isSecond = () => deepEqual(read(), { version: "1.1.0", bytes: second });
    const codeOf = (action: () => void) => {
      try {
        action();
      } catch (error) {
        return (error as OtaError).code;
      }
      return undefined;
    };

    it("is not there before its first update", () => {
      equal(life.open(), undefined);
      life = device.restart();
      equal(life.open(), undefined);
    });

    it("is on trial after the restart, and stays once it is accepted", () => {
      install(device.file("1.0.0", first));
      equal(life.pal.getPlatformImageState(), "pending-commit");
      isFirst();
      life.pal.setPlatformImageState("accepted");
      equal(life.pal.getPlatformImageState(), "valid");
      for (let n = 0; n < 2; n++) {
        isFirst();
        life = device.restart();
      }
    });

    it("goes back when nobody accepts it, and says so", () => {
      update(device.file("1.0.0", first));
      install(device.file("1.1.0", second));
      isSecond();
      life = device.restart();
      isFirst();
      ok(life.pal.rolledBack, "rolledBack is not told");
      life = device.restart();
      isFirst();
    });

    it("goes back when it is rejected", () => {
      update(device.file("1.0.0", first));
      install(device.file("1.1.0", second));
      life.pal.setPlatformImageState("rejected");
      isFirst();
      life = device.restart();
      isFirst();
    });

    it("is read within its bounds alone, and as what it was opened as while the next one comes in", () => {
      update(device.file("1.0.0", first));
      const component = life.open();
      if (!component) throw new Error("it is not there");
      for (const [offset, length] of [
        [LENGTH, 1],
        [LENGTH - 1, 2],
        [-1, 1],
        [0, LENGTH + 1],
      ] as const)
        throws(() => component.read(offset, new Uint8Array(length)), { type: RangeError });
      const next = device.file("1.1.0", second);
      fetch(next);
      const bytes = new Uint8Array(LENGTH);
      component.read(0, bytes);
      deepEqual(bytes, first);
      isFirst();
    });

    it("stays as it is when an update is interrupted, which then goes on", () => {
      update(device.file("1.0.0", first));
      const next = device.file("1.1.0", second);
      const whole = Math.ceil(next.bytes.length / BLOCK);
      for (const blocks of [1, whole - 1]) {
        fetch(next, blocks);
        life = device.restart();
        isFirst();
      }
      update(next);
      isSecond();
    });

    it("is proven by what its place gives back: a wrong signature, or wrong bytes, take no effect", () => {
      update(device.file("1.0.0", first));
      const next = device.file("1.1.0", second);
      const spoiled = next.bytes.slice();
      spoiled[spoiled.length - 1] ^= 1;
      fetch({ ...next, bytes: spoiled });
      equal(
        codeOf(() => wait<Received>((done) => life.pal.closeFile(done))),
        "signature-check",
      );
      life.pal.abort(true);
      isFirst();
      life = device.restart();
      isFirst();
    });

    it("refuses what is not newer, and what is none, before anything is written", () => {
      update(device.file("1.1.0", second));
      for (const [version, code] of [
        ["1.1.0", "same-version"],
        ["1.0.0", "downgrade"],
      ] as const) {
        const { file, bytes } = device.file(version, first);
        life.pal.plan?.([file]);
        wait<Received>((done) => life.pal.createFile(file, done));
        equal(
          codeOf(() => life.pal.inspect(file, bytes.slice(0, life.pal.headLength))),
          code,
        );
        life.pal.abort(false);
      }
      const { file, bytes } = device.file("2.0.0", first);
      life.pal.plan?.([file]);
      wait<Received>((done) => life.pal.createFile(file, done));
      const none = bytes.slice(0, life.pal.headLength).fill(0);
      equal(
        codeOf(() => life.pal.inspect(file, none)),
        "bad-image",
      );
      life.pal.abort(false);
      isSecond();
    });
  });
}

function content(seed: number): Uint8Array {
  const bytes = new Uint8Array(LENGTH);
  for (let n = 0; n < LENGTH; n++) bytes[n] = (n * 31 + (n >> 8) * 7 + seed * 101) & 0xff;
  return bytes;
}
