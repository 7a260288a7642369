/**
 * boot.c: compiled with warnings as errors against the engine's real headers, then run in a real XS engine with a
 * stand-in for ESP-IDF, over the same flash file as the model of the boot loader.
 * @module
 */
import { execFileSync, spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DeviceFlash } from "../../hosts/emulated/device-flash.js";
import { NorFlash } from "../../hosts/emulated/nor-flash.js";
import type { Partition } from "../../hosts/formats/partition-table.js";
import { nodeCrypto } from "../../hosts/node/crypto.js";
import { FileStorage } from "../../hosts/node/file-storage.js";
import type { BootControl, Store } from "../../src/ports.js";
import { BOOT_SCENES, type BootScene, bootConformance, OLD_LOADER } from "../conformance/boot-control.js";
import { deepEqual, equal, ok, throws } from "../support/assert.js";
import { SCENE_SLOT_SIZE, SceneHarness, sceneDump } from "../support/boot-scene.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const STAND_IN = join(ROOT, "test/support/idf");
const XSNAP = join(ROOT, "node_modules/@agoric/xsnap");
const OBJECTS = join(XSNAP, "xsnap-native/xsnap/build/tmp/lin/release/xsnap-worker");
/** Parts of the engine's own program. */
const FOREIGN = new Set(["xsnap-worker.o", "textdecoder.o", "textencoder.o", "modBase64.o"]);
const FLAGS = ["-std=gnu17", "-Wall", "-Wextra", "-Werror", `-I${STAND_IN}`];
const INCLUDE = [`-I${join(XSNAP, "moddable/xs/includes")}`, "-include", "stddef.h"];
const RESTART = 99;
const DEEP_SLEEP = 8;
const CONSTANTS = ["chipRevision", "builtForRollback", "lacks", "bootLoader"];

const sha256 = () => nodeCrypto.sha256();

function gcc(...args: string[]): void {
  execFileSync("gcc", [...FLAGS, ...INCLUDE, ...args], { stdio: ["ignore", "ignore", "pipe"] });
}

/** machine.c's program, asked and answered without a turn of the event loop: what asks is `native` code. */
class Engine {
  /** Ends of named pipes. */
  readonly #requests: number;
  readonly #answers: number;

  /** @param pipes paths of two named pipes */
  constructor(program: string, pipes: readonly [string, string]) {
    execFileSync("mkfifo", [...pipes]);
    const [requests, answers] = pipes.map((path) => {
      // The first end of a pipe opens at once when it is both.
      const both = openSync(path, "r+");
      const ends = { read: openSync(path, "r"), write: openSync(path, "w") };
      closeSync(both);
      return ends;
    });
    this.#requests = requests!.write;
    this.#answers = answers!.read;
    spawn(program, { stdio: [requests!.read, answers!.write, "inherit"] });
    closeSync(requests!.read);
    closeSync(answers!.write);
  }

  /** @returns what was printed, and the exit code */
  ask(...fields: readonly string[]): [text: string, code: number] {
    writeSync(this.#requests, fields.map((field) => `${field}\0`).join(""));
    const bytes = Buffer.alloc(4096);
    let answer = "";
    while (answer.split("\0").length < 3) {
      const length = readSync(this.#answers, bytes);
      if (length === 0) throw new Error("the engine has ended");
      answer += bytes.toString("utf8", 0, length);
    }
    const [text, code] = answer.split("\0");
    return [text!, Number(code)];
  }

  /** The program ends when nobody can ask any more. */
  close(): void {
    closeSync(this.#requests);
    closeSync(this.#answers);
  }
}

describe("boot hook in C", () => {
  let directory: string;
  let machine: Engine;
  const engines: Engine[] = [];
  let EspBootControl: {
    new (store: Store): BootControl & { readonly resetReason: string };
    begin(store: Store): boolean;
  };

  before(async () => {
    // By its address: the types of `native` are the SDK's, and not for Node.
    ({ EspBootControl } = await import(new URL("../../hosts/esp32/boot.ts", import.meta.url).href));
    directory = mkdtempSync(join(tmpdir(), "boot-hook-"));
    machine = build("machine");
  });

  /** Compiled once: what no flag of the build changes. */
  function compiled(source: string): string {
    const object = join(directory, source.replace(/c$/, "o"));
    if (!existsSync(object)) gcc("-c", join(STAND_IN, source), "-o", object);
    return object;
  }

  /** The engine with boot.c, compiled with these flags. */
  function build(name: string, ...flags: string[]): Engine {
    const program = join(directory, name);
    const objects = readdirSync(OBJECTS).filter((name) => name.endsWith(".o") && !FOREIGN.has(name));
    gcc(
      ...flags,
      join(ROOT, "hosts/esp32/boot.c"),
      ...["idf.c", "machine.c"].map(compiled),
      ...objects.map((name) => join(OBJECTS, name)),
      ...["-lm", "-lpthread", "-o", program],
    );
    const engine = new Engine(program, [`${program}-requests`, `${program}-answers`]);
    engines.push(engine);
    return engine;
  }

  after(() => {
    for (const engine of engines) engine.close();
    rmSync(directory, { recursive: true, force: true });
    Reflect.deleteProperty(globalThis, "native");
  });

  /** A device whose application side is boot.c, and whose boot loader is the model. */
  class Device extends SceneHarness {
    readonly store = new Map<string, string>();
    /** How often it has restarted by itself before the application began. */
    restarts = 0;
    resetReason = 3;
    /** Does something to the flash before each start. */
    beforeBoot = () => {};
    readonly #path: string;
    readonly #scene: BootScene;
    readonly #machine: Engine;

    constructor(scene: BootScene = { title: "" }, engine = machine) {
      const path = join(directory, `flash-${Math.random().toString(36).slice(2)}.bin`);
      const dump = sceneDump(scene, sha256);
      writeFileSync(path, dump);
      super(scene, new NorFlash(new FileStorage(path, () => dump)), sha256);
      this.#path = path;
      this.#scene = scene;
      this.#machine = engine;
    }

    /** Runs a script in the life of the running application. @returns its value; "restart" when the chip was reset */
    call(script: string): unknown {
      const { slots = 2, factory = false, encrypted = false } = this.#scene;
      const running = this.running.label === "factory" ? -1 : Number(this.running.label.slice(4));
      const numbers = [SCENE_SLOT_SIZE, slots, factory, encrypted, true, running, this.resetReason].map(
        (n) => `${Number(n)}`,
      );
      const [text, code] = this.#machine.ask(this.#path, ...numbers, script);
      if (code === RESTART) return "restart";
      if (code !== 0) throw new Error(text || `status ${code}`);
      return JSON.parse(text);
    }

    /** What the XS compiler makes of `native`, and a store. What never changes is asked for once. */
    connect(): Store {
      const call = (name: string) => () => {
        const hook = name.replace("xs_ota_", "");
        if (this.#constants.has(hook)) return this.#constants.get(hook);
        const result = this.call(`hook.${hook}()`);
        if (result === "restart") {
          this.restarts++;
          return this.reboot();
        }
        if (CONSTANTS.includes(hook)) this.#constants.set(hook, result);
        return result;
      };
      Object.assign(globalThis, { native: call });
      const { store } = this;
      return { get: (key) => store.get(key), set: (key, value) => void store.set(key, value) };
    }
    readonly #constants = new Map<string, unknown>();

    /** Spares it the proof. */
    knowing(known: "yes" | "no"): this {
      this.running = { label: "ota_0" } as Partition;
      this.store.set("rollback", `${this.call("hook.bootLoader()")} ${known}`);
      return this;
    }

    override reboot(): BootControl {
      this.beforeBoot();
      return super.reboot();
    }

    /** The application in the same life once more, as after a mere reading of its state. */
    again(): BootControl {
      return this.control();
    }

    /** Lets another partition run than the boot loader would have it. */
    pretend(label: string): void {
      this.running = { ...(this.running as Partition), label };
    }

    eraseOtadata(): void {
      new DeviceFlash(this.options).eraseEntries();
    }

    /** The same device with another boot loader. */
    reflashed(scene: BootScene, byte: number): Device {
      const next = new Device(scene);
      const bytes = readFileSync(this.#path);
      bytes[0x1000] = byte;
      writeFileSync(next.#path, bytes);
      for (const [key, value] of this.store) next.store.set(key, value);
      return next;
    }

    /** With the application's setup, as on the chip. */
    protected control(): BootControl {
      if (EspBootControl.begin(this.connect())) return this.last;
      return (this.last = new EspBootControl(this.connect()));
    }
    last!: BootControl;
  }

  it("tells states and reset reasons by ESP-IDF's numbers", () => {
    const control = (number: number) => {
      Object.assign(globalThis, { native: () => () => number });
      return new EspBootControl({ get: () => undefined, set: () => {} });
    };
    const states = [-1, 0, 1, 2, 3, 4, 5].map((number) => control(number).imageState());
    deepEqual(states, ["undefined", "new", "pending-verify", "valid", "invalid", "aborted", "undefined"]);
    deepEqual(
      [1, 3, 4, 6, 9, 99].map((number) => control(number).resetReason),
      [...["power-on", "software", "panic", "task-watchdog", "brownout", "unknown"]],
    );
    equal(control(0).resetReason, "unknown");
  });

  bootConformance(
    "over ESP-IDF's functions",
    (scene) => new Device(scene).knowing(scene.oldLoader ? "no" : "yes"),
    // The model alone looks at signatures.
    [...BOOT_SCENES.filter(({ secureBoot }) => !secureBoot), OLD_LOADER],
  );

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

  it("tells the chip's revision, which nobody knew before: an image for another was fetched, and did not boot", () => {
    equal(new Device().fresh().chipRevision, 101);
  });

  it("tells why the chip was reset", () => {
    const device = new Device();
    device.fresh();
    equal(device.call("hook.resetReason()"), 3);
  });

  describe("the proof that the boot loader rolls back", () => {
    const scenes: readonly BootScene[] = [
      { title: "two slots" },
      { title: "a factory application", factory: true },
      { title: "encrypted slots", encrypted: true },
    ];
    for (const scene of scenes)
      it(`costs one restart of a new device, and is remembered: ${scene.title}`, () => {
        const device = new Device(scene);
        equal(device.fresh().rollbackEnabled, true);
        equal(device.restarts, 1);
        for (let n = 0; n < 3; n++) equal(device.reboot().rollbackEnabled, true);
        equal(device.restarts, 1);
        equal(device.reboot().running.version, "1.0.0");
        equal(device.reboot().otherState(), "undefined", "the mark is nobody's verdict");
      });

    it("finds a boot loader without rollback before the first update, which cost a device before", () => {
      const device = new Device(OLD_LOADER);
      equal(device.fresh().rollbackEnabled, false);
      for (let n = 0; n < 3; n++) equal(device.reboot().rollbackEnabled, false);
      equal(device.restarts, 1);
      equal(device.reboot().running.version, "1.0.0");
    });

    it("is made anew for another boot loader, whatever otadata and store say of the one before", () => {
      for (const [before, after] of [
        [{ title: "" }, OLD_LOADER],
        [OLD_LOADER, { title: "" }],
      ]) {
        const device = new Device(before);
        device.fresh();
        const next = device.reflashed(after, 0x77);
        equal(next.fresh().rollbackEnabled, after !== OLD_LOADER);
        equal(next.restarts, 1);
      }
    });

    it("is found again in otadata when the store has forgotten it", () => {
      const device = new Device();
      device.fresh();
      device.store.clear();
      equal(device.reboot().rollbackEnabled, true);
      equal(device.restarts, 1);
    });

    it("is not begun, and nothing is claimed, without a store that keeps what it is told", () => {
      const device = new Device();
      device.store.set = () => device.store;
      equal(device.fresh().rollbackEnabled, false);
      equal(device.restarts, 0);
    });

    it("is given up when the mark does not stay, without restarting for ever", () => {
      const device = new Device();
      device.beforeBoot = () => device.eraseOtadata();
      equal(device.fresh().rollbackEnabled, false);
      equal(device.restarts, 2);
      equal(device.reboot().rollbackEnabled, false);
      equal(device.restarts, 2);
    });

    it("concludes nothing from a start out of deep sleep, which may pass the boot loader's choice by", () => {
      const device = new Device();
      device.resetReason = DEEP_SLEEP;
      equal(device.fresh().rollbackEnabled, false);
      equal(device.restarts, 0);
      device.resetReason = 3;
      equal(device.reboot().rollbackEnabled, true);
    });

    it("does not restart while an image is on trial: that it is pending says as much", () => {
      const device = onTrial();
      device.store.clear();
      const { restarts } = device;
      const control = device.again();
      deepEqual([control.rollbackEnabled, control.imageState()], [true, "pending-verify"]);
      equal(device.restarts, restarts);
      equal(device.store.size, 0, "not remembered");
    });

    it("knows without one when the application was not built for rollback", () => {
      const device = new Device({ title: "" }, build("without", "-DLACKING=0"));
      equal(device.fresh().rollbackEnabled, false);
      equal(device.restarts, 0);
    });
  });

  describe("what the build lacks", () => {
    it("is nothing with the package's sdkconfig", () => {
      deepEqual(new Device().fresh().notices, []);
    });

    [
      "CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE=y",
      "CONFIG_BOOTLOADER_SKIP_VALIDATE_ALWAYS=n",
      "CONFIG_BOOTLOADER_SKIP_VALIDATE_ON_POWER_ON=n",
      "CONFIG_BOOTLOADER_SKIP_VALIDATE_IN_DEEP_SLEEP=n",
      "CONFIG_ESP_SYSTEM_PANIC_PRINT_REBOOT=y",
      "CONFIG_ESP_INT_WDT=y",
      "CONFIG_ESP_TASK_WDT_EN=y",
      "CONFIG_ESP_TASK_WDT_INIT=y",
      "CONFIG_ESP_TASK_WDT_PANIC=y",
      "CONFIG_BOOTLOADER_WDT_ENABLE=y",
      "XS_MODS",
    ].forEach((name, bit) => {
      it(`is told: ${name}`, () => {
        const { notices = [] } = new Device(
          { title: "" },
          build(`lacking-${bit}`, `-DLACKING=${bit}`),
        ).fresh();
        equal(notices.length, 1);
        ok(notices[0].includes(name), notices[0]);
      });
    });
  });

  describe("what goes wrong", () => {
    it("flash that does not take the decision about an image: told, and guarded on", () => {
      for (const [act, what] of [
        ["markValid", "confirming the image"],
        ["markInvalid", "giving up the image"],
      ]) {
        const device = onTrial();
        const message = `${what} failed`;
        throws(() => device.call(`hook.flashFails(); hook.${act}()`), { message });
        const attempt = `try { hook.${act}() } catch {}`;
        equal(device.call(`hook.guard(1500); hook.flashFails(); ${attempt}; hook.watchdog()`), 1_500);
      }
    });

    it("flash that does not take the switch", () => {
      const device = new Device();
      device.fresh();
      device.install("2.0.0");
      throws(() => device.call("hook.flashFails(); hook.setBoot()"), {
        message: "setting the boot partition failed",
      });
    });

    it("flash that says it took an entry of otadata, and did not", () => {
      const device = new Device();
      device.fresh();
      throws(() => device.call("hook.flashIgnores(); hook.beginProof()"), {
        message: "does not hold what was written",
      });
    });

    it("a single slot: there is no other one", () => {
      const device = new Device({ title: "", slots: 1 }).knowing("yes");
      for (const call of ["otherState", "clearOther", "keepWayBack", "setBoot", "secure"])
        throws(() => device.call(`hook.${call}()`), { message: "no second OTA partition" });
    });
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

  it("keeps guarding when the image cannot be given up", () => {
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
    device.pretend("ota_0");
    throws(() => device.call("hook.markValid()"), { message: "another image" });
    throws(() => device.call("hook.markInvalid()"), { message: "another image" });
  });
});
