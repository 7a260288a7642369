/**
 * What every `BootControl` has to do. A port's author calls `bootConformance` with a harness around his device:
 * real, or a model.
 * @module
 */
import type { BootControl } from "../../src/ports.js";
import { equal, throws } from "../support/assert.js";

/** What a device is like. */
export interface BootScene {
  readonly title: string;
  /** OTA slots; default 2. */
  readonly slots?: number;
  /** The first image is a factory application. */
  readonly factory?: boolean;
  /** Flash encryption is on. */
  readonly encrypted?: boolean;
  /** Secure Boot v2 is on. */
  readonly secureBoot?: boolean;
  /** The boot loader has no rollback, though the application was built for it. */
  readonly oldLoader?: boolean;
}

export const BOOT_SCENES: readonly BootScene[] = Object.freeze([
  { title: "two slots" },
  { title: "three slots", slots: 3 },
  { title: "a factory application and two slots", factory: true },
  { title: "a factory application and three slots", factory: true, slots: 3 },
  { title: "encrypted slots", encrypted: true },
  { title: "an encrypted factory application", encrypted: true, factory: true },
  { title: "Secure Boot v2", secureBoot: true },
]);

export const OLD_LOADER: BootScene = Object.freeze({ title: "an old boot loader", oldLoader: true });

export interface BootHarness {
  /** A device that has just booted its first image, version "1.0.0", for good. */
  fresh(): BootControl;
  /** Puts a bootable image of that version into the slot an update is written to, as an update does. */
  install(version: string): void;
  /** Destroys every image but the one that runs. */
  spoil(): void;
  /** Destroys the image that runs; it goes on running until `reboot`. */
  spoilRunning(): void;
  /**
   * Makes both entries of `otadata` name another slot than the running one, an older one for good and a newer one that was
   * given up, and reboots. The image in that slot is none.
   */
  strand(): BootControl;
  /** Restarts the device, as by `restart` or by a reset; the boot control of the life that begins. */
  reboot(): BootControl;
}

/** @param scenes those the device can be in */
export function bootConformance(
  title: string,
  create: (scene: BootScene) => BootHarness,
  scenes: readonly BootScene[] = [...BOOT_SCENES, OLD_LOADER],
): void {
  describe(title, () => {
    for (const scene of scenes)
      if (scene.oldLoader) describe(scene.title, () => oldLoader(() => create(scene)));
      else describe(scene.title, () => rollback(scene, () => create(scene)));
  });
}

/** A boot loader without rollback, as devices in the field may have it. */
function oldLoader(create: () => BootHarness): void {
  let harness: BootHarness;
  let boot: BootControl;
  beforeEach(() => {
    harness = create();
    boot = harness.fresh();
    harness.install("2.0.0");
    boot.setBoot();
    boot = harness.reboot();
  });

  it("leaves a new image new, whatever happens to it", () => {
    for (let n = 0; n < 3; n++) {
      equal(boot.running.version, "2.0.0");
      equal(boot.imageState(), "new");
      equal(boot.rollbackEnabled, false);
      boot = harness.reboot();
    }
  });

  it("keeps an image that was confirmed", () => {
    boot.markValid();
    equal(boot.imageState(), "valid");
    equal(harness.reboot().imageState(), "valid");
  });

  it("goes back all the same when the image was given up by itself", () => {
    boot.markInvalid();
    equal(harness.reboot().running.version, "1.0.0");
  });
}

function rollback(scene: BootScene, create: () => BootHarness): void {
  const { factory = false, slots = 2 } = scene;
  /** State of the image the device came with, and of the slot it leaves when the first update runs. */
  const FIRST = factory ? "undefined" : "valid";
  const BEHIND = factory || slots > 2 ? "undefined" : "valid";
  let harness: BootHarness;
  let boot: BootControl;
  beforeEach(() => {
    harness = create();
    boot = harness.fresh();
  });

  /** Version 2.0.0 has been installed and runs on trial. */
  function onTrial(): void {
    harness.install("2.0.0");
    boot.setBoot();
    boot = harness.reboot();
    equal(boot.running.version, "2.0.0");
    equal(boot.imageState(), "pending-verify");
  }

  it("describes the running image", () => {
    const { version, projectName, secureVersion, buildId } = boot.running;
    equal(version, "1.0.0");
    equal(typeof projectName, "string");
    equal(secureVersion, 0);
    equal(/^[0-9a-f]{8}$/.test(buildId), true);
    equal(boot.rollbackEnabled, true);
    equal(boot.imageState(), FIRST);
    equal(boot.otherState(), "undefined");
  });

  it("boots the running image until told otherwise", () => {
    harness.install("2.0.0");
    equal(harness.reboot().running.version, "1.0.0");
  });

  it("secures what was confirmed: it boots as before, and the next update has its way back", () => {
    onTrial();
    boot.markValid();
    boot = harness.reboot();
    boot.secure?.();
    boot.secure?.();
    for (let n = 0; n < 2; n++) {
      boot = harness.reboot();
      equal(boot.running.version, "2.0.0");
      equal(boot.imageState(), "valid");
    }
    harness.install("3.0.0");
    boot.keepWayBack();
    boot.clearOther();
    boot.setBoot();
    equal(harness.reboot().running.version, "3.0.0");
    equal(harness.reboot().running.version, "2.0.0");
  });

  it("secures what was given up: it stays so", () => {
    onTrial();
    boot = harness.reboot();
    equal(boot.running.version, "1.0.0");
    const verdict = boot.otherState();
    for (let n = 0; n < 2; n++) {
      boot.secure?.();
      equal(boot.otherState(), verdict);
      boot = harness.reboot();
      equal(boot.running.version, "1.0.0");
    }
  });

  it("boots the other image on trial", () => {
    onTrial();
    equal(boot.otherState(), BEHIND);
  });

  it("calls the image that is to boot new", () => {
    harness.install("2.0.0");
    boot.setBoot();
    equal(boot.otherState(), "new");
    equal(boot.imageState(), FIRST);
  });

  it("keeps an image that was confirmed", () => {
    onTrial();
    boot.markValid();
    equal(boot.imageState(), "valid");
    boot = harness.reboot();
    equal(boot.running.version, "2.0.0");
    equal(boot.imageState(), "valid");
  });

  it("confirms an image twice without harm", () => {
    onTrial();
    boot.markValid();
    boot.markValid();
    equal(harness.reboot().imageState(), "valid");
  });

  it("goes back when the image was not confirmed", () => {
    onTrial();
    boot = harness.reboot();
    equal(boot.running.version, "1.0.0");
    equal(boot.imageState(), FIRST);
    equal(boot.otherState(), "aborted");
  });

  it("goes back when the image was given up", () => {
    onTrial();
    boot.markInvalid();
    boot = harness.reboot();
    equal(boot.running.version, "1.0.0");
    equal(boot.otherState(), "invalid");
  });

  it("does not give up an image when there is none to go back to", () => {
    onTrial();
    harness.spoil();
    throws(() => boot.markInvalid());
    equal(boot.imageState(), "pending-verify");
  });

  it("does not boot an image that is none", () => {
    harness.install("2.0.0");
    harness.spoil();
    throws(() => boot.setBoot());
    equal(harness.reboot().running.version, "1.0.0");
  });

  it("forgets an earlier verdict, and only that", () => {
    onTrial();
    boot = harness.reboot();
    equal(boot.otherState(), "aborted");
    boot.clearOther();
    equal(boot.otherState(), "undefined");
    equal(boot.imageState(), FIRST);
    boot.clearOther();
    boot = harness.reboot();
    equal(boot.running.version, "1.0.0");
    equal(boot.imageState(), FIRST);
  });

  it("takes an update again after a rollback", () => {
    onTrial();
    boot = harness.reboot();
    boot.clearOther();
    harness.install("3.0.0");
    boot.setBoot();
    boot = harness.reboot();
    equal(boot.running.version, "3.0.0");
    equal(boot.imageState(), "pending-verify");
    boot.markValid();
    equal(harness.reboot().running.version, "3.0.0");
  });

  it("updates back and forth", () => {
    for (let version = 2; version < 6; version++) {
      harness.install(`${version}.0.0`);
      boot.setBoot();
      boot = harness.reboot();
      equal(boot.running.version, `${version}.0.0`);
      boot.markValid();
    }
  });

  /** Updates once more, with an image that does not confirm itself: what runs now has to come back. */
  function failAndComeBack(version: string): void {
    const { running } = boot;
    boot.keepWayBack();
    boot.clearOther();
    equal(boot.otherState(), "undefined");
    harness.install(version);
    equal(harness.reboot().running.version, running.version, "nothing boots before it is chosen");
    boot.setBoot();
    boot = harness.reboot();
    equal(boot.running.version, version);
    equal(boot.imageState(), "pending-verify");
    boot = harness.reboot();
    equal(boot.running.version, running.version);
    equal(boot.otherState(), "aborted");
  }

  /** And with one that does. */
  function update(version: string): void {
    boot.keepWayBack();
    boot.clearOther();
    harness.install(version);
    boot.setBoot();
    boot = harness.reboot();
    boot.markValid();
    boot = harness.reboot();
    equal(boot.running.version, version);
    equal(boot.imageState(), "valid");
  }

  it("has a way back from the start", () => {
    boot.keepWayBack();
    equal(boot.imageState(), FIRST);
    failAndComeBack("3.0.0");
    failAndComeBack("4.0.0");
    update("5.0.0");
  });

  it("grants no way back to an image that is not confirmed", () => {
    onTrial();
    throws(() => boot.keepWayBack());
    equal(harness.reboot().running.version, "1.0.0");
  });

  it("finds the way back after a fallback: the slot that otadata names is damaged", () => {
    onTrial();
    boot.markValid();
    harness.spoilRunning();
    boot = harness.reboot();
    equal(boot.running.version, "1.0.0");
    failAndComeBack("3.0.0");
    failAndComeBack("4.0.0");
    update("5.0.0");
  });

  it("finds the way back when both entries name a slot that does not run", () => {
    boot = harness.strand();
    equal(boot.running.version, "1.0.0");
    failAndComeBack("2.0.0");
    failAndComeBack("3.0.0");
    update("4.0.0");
  });
}
