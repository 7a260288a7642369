/**
 * boot.c: compiled with warnings as errors against the engine's real headers, then run in a real XS engine with a
 * stand-in for ESP-IDF, over the same flash file as the model of the boot loader.
 * @module
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { boot } from "../../hosts/emulated/boot-loader.js";
import { DeviceFlash, type DeviceOptions } from "../../hosts/emulated/device-flash.js";
import { buildFlashDump, slotTable } from "../../hosts/emulated/flash-dump.js";
import { NorFlash } from "../../hosts/emulated/nor-flash.js";
import { buildImage } from "../../hosts/formats/image-builder.js";
import { makeEntry, STATE_VALID } from "../../hosts/formats/otadata.js";
import type { Partition } from "../../hosts/formats/partition-table.js";
import { nodeCrypto } from "../../hosts/node/crypto.js";
import { FileStorage } from "../../hosts/node/file-storage.js";
import type { BootControl } from "../../src/ports.js";
import { type BootHarness, bootConformance } from "../conformance/boot-control.js";
import { deepEqual, equal, throws } from "../support/assert.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const STAND_IN = join(ROOT, "test/support/idf");
const XSNAP = join(ROOT, "node_modules/@agoric/xsnap");
const OBJECTS = join(XSNAP, "xsnap-native/xsnap/build/tmp/lin/release/xsnap-worker");
/** Parts of the engine's own program. */
const FOREIGN = new Set(["xsnap-worker.o", "textdecoder.o", "textencoder.o", "modBase64.o"]);
const FLAGS = ["-std=gnu17", "-Wall", "-Wextra", "-Werror", `-I${STAND_IN}`];
const INCLUDE = [`-I${join(XSNAP, "moddable/xs/includes")}`, "-include", "stddef.h"];
const SLOT_SIZE = 0x10000;
const RESTART = 99;

const sha256 = () => nodeCrypto.sha256();
const image = (version: string) =>
  buildImage({ chip: "esp32c3", projectName: "hook", version, size: 1024 }, sha256);

function gcc(...args: string[]): void {
  execFileSync("gcc", [...FLAGS, ...INCLUDE, ...args], { stdio: ["ignore", "ignore", "pipe"] });
}

describe("boot hook in C", function () {
  this.timeout(120_000);
  let directory: string;
  let machine: string;
  let EspBootControl: new () => BootControl & { readonly resetReason: string };

  before(async () => {
    // By its address: the types of `native` are the SDK's, and not for Node.
    ({ EspBootControl } = await import(new URL("../../hosts/esp32/boot.ts", import.meta.url).href));
    directory = mkdtempSync(join(tmpdir(), "boot-hook-"));
    machine = join(directory, "machine");
    const objects = readdirSync(OBJECTS).filter((name) => name.endsWith(".o") && !FOREIGN.has(name));
    gcc(
      join(ROOT, "hosts/esp32/boot.c"),
      join(STAND_IN, "idf.c"),
      join(STAND_IN, "machine.c"),
      ...objects.map((name) => join(OBJECTS, name)),
      ...["-lm", "-lpthread", "-o", machine],
    );
  });
  after(() => {
    rmSync(directory, { recursive: true, force: true });
    Reflect.deleteProperty(globalThis, "native");
  });

  /** A device whose application side is boot.c, and whose boot loader is the model. */
  class Device implements BootHarness {
    readonly #path = join(directory, `flash-${Math.random().toString(36).slice(2)}.bin`);
    readonly #options: DeviceOptions;
    running: Partition | undefined;

    constructor() {
      const dump = buildFlashDump({
        flashSize: 0x50000,
        table: slotTable({ slotSize: SLOT_SIZE }),
        otadata: [makeEntry(1, STATE_VALID)],
        content: { ota_0: image("1.0.0") },
      });
      writeFileSync(this.#path, dump);
      const flash = new NorFlash(new FileStorage(this.#path, () => dump));
      this.#options = { flash, target: { chipId: 5 }, sha256, rollback: true };
    }

    /** Runs a script in the life of the running application. @returns its value; "restart" when the chip was reset */
    call(script: string): unknown {
      const slot = this.running?.label === "ota_1" ? "1" : "0";
      const { status, stdout, stderr } = spawnSync(machine, [this.#path, String(SLOT_SIZE), slot, script], {
        encoding: "utf8",
      });
      if (status === RESTART) return "restart";
      if (status !== 0) throw new Error(stderr.trim() || `status ${status}`);
      return JSON.parse(stdout);
    }

    fresh(): BootControl {
      return this.reboot();
    }

    reboot(): BootControl {
      this.running = boot(this.#options);
      // What the XS compiler makes of `native`.
      const call = (name: string) => () => this.call(`hook.${name.replace("xs_ota_", "")}()`);
      Object.assign(globalThis, { native: call });
      return new EspBootControl();
    }

    install(version: string): void {
      const flash = this.#other();
      flash.eraseBlock(0, SLOT_SIZE / 4096);
      flash.write(image(version), 0);
    }

    spoil(): void {
      this.#other().eraseBlock(0, 1);
    }

    #other() {
      const device = new DeviceFlash(this.#options);
      const other = device.slots.find(({ label }) => label !== this.running?.label);
      return device.open(other as Partition);
    }
  }

  it("compiles for a boot loader without rollback, and says so", () => {
    gcc("-DWITHOUT_ROLLBACK", "-fsyntax-only", join(ROOT, "hosts/esp32/boot.c"));
  });

  it("tells states and reset reasons by ESP-IDF's numbers", () => {
    const control = (number: number) => {
      Object.assign(globalThis, { native: () => () => number });
      return new EspBootControl();
    };
    const states = [-1, 0, 1, 2, 3, 4, 5].map((number) => control(number).imageState());
    deepEqual(states, ["undefined", "new", "pending-verify", "valid", "invalid", "aborted", "undefined"]);
    deepEqual(
      [1, 3, 4, 6, 9, 99].map((number) => control(number).resetReason),
      [...["power-on", "software", "panic", "task-watchdog", "brownout", "unknown"]],
    );
    equal(control(0).resetReason, "unknown");
  });

  bootConformance("over ESP-IDF's functions", () => new Device());

  /** A device with version 2.0.0 on trial. */
  function onTrial(): Device {
    const device = new Device();
    const control = device.fresh();
    device.install("2.0.0");
    control.setBoot();
    equal(device.reboot().imageState(), "pending-verify");
    return device;
  }

  it("restarts the chip", () => {
    const device = new Device();
    device.fresh();
    equal(device.call("hook.restart()"), "restart");
  });

  it("tells why the chip was reset", () => {
    const device = new Device();
    device.fresh();
    equal(device.call("hook.resetReason()"), 3);
  });

  it("notices a boot loader that does not know of rollback: it leaves a new image new", () => {
    const device = new Device();
    const control = device.fresh();
    device.install("2.0.0");
    control.setBoot();
    // Such a boot loader starts the other slot and leaves otadata as it is.
    device.running = { ...(device.running as Partition), label: "ota_1" };
    equal(device.call("hook.rollbackEnabled()"), false);
  });

  it("guards an image on trial until it is confirmed", () => {
    const device = onTrial();
    equal(device.call("hook.guard(); hook.watchdog()"), 300_000);
    equal(device.call("hook.guard(1500); hook.watchdog()"), 1_500);
    equal(device.call("hook.guard(); hook.guard(2500); hook.watchdog()"), 2_500);
    equal(device.call("hook.guard(1500); hook.markValid(); hook.watchdog()"), -1);
  });

  it("guards an image on trial until it is given up", () => {
    equal(onTrial().call("hook.guard(1500); hook.markInvalid(); hook.watchdog()"), -1);
  });

  it("restarts, and so rolls back, when nobody decides", () => {
    const device = onTrial();
    equal(device.call("hook.guard(1500); hook.letTimePass()"), "restart");
    equal(device.reboot().running.version, "1.0.0");
  });

  it("keeps guarding when the image can not be given up", () => {
    const device = onTrial();
    device.spoil();
    equal(device.call("hook.guard(1500); try { hook.markInvalid() } catch {} hook.watchdog()"), 1_500);
  });

  it("does not guard an image that is not on trial", () => {
    const device = new Device();
    device.fresh();
    equal(device.call("hook.guard(1500); hook.watchdog()"), -1);
  });

  it("refuses an impossible time", () => {
    const device = onTrial();
    for (const ms of ["0", "-1", "NaN", "1e13"])
      throws(() => device.call(`hook.guard(${ms})`), { message: "watchdog" });
  });

  it("does not decide about an image that otadata does not name", () => {
    const device = onTrial();
    // The boot loader has fallen back: ota_0 runs, though otadata names ota_1.
    device.running = { ...(device.running as Partition), label: "ota_0" };
    throws(() => device.call("hook.markValid()"), { message: "another image" });
    throws(() => device.call("hook.markInvalid()"), { message: "another image" });
  });
});
