/**
 * What every `BootControl` has to do. A port's author calls `bootConformance` with a harness around his device:
 * real, or a model.
 * @module
 */
import type { BootControl } from "../../src/ports.js";
import { equal, throws } from "../support/assert.js";

export interface BootHarness {
  /** A device with two slots that has just booted its first image, version "1.0.0", for good ("valid"). */
  fresh(): BootControl;
  /** Puts a bootable image of that version into the other slot, as an update does. */
  install(version: string): void;
  /** Destroys the image in the other slot. */
  spoil(): void;
  /** Restarts the device, as by `restart` or by a reset; the boot control of the life that begins. */
  reboot(): BootControl;
}

export function bootConformance(title: string, create: () => BootHarness): void {
  describe(title, () => {
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
      equal(boot.imageState(), "valid");
      equal(boot.otherState(), "undefined");
    });

    it("boots the running image until told otherwise", () => {
      harness.install("2.0.0");
      equal(harness.reboot().running.version, "1.0.0");
    });

    it("boots the other image on trial", () => {
      onTrial();
      equal(boot.otherState(), "valid");
    });

    it("calls the image that is to boot new", () => {
      harness.install("2.0.0");
      boot.setBoot();
      equal(boot.otherState(), "new");
      equal(boot.imageState(), "valid");
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
      equal(boot.imageState(), "valid");
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
      equal(boot.imageState(), "valid");
      boot.clearOther();
      boot = harness.reboot();
      equal(boot.running.version, "1.0.0");
      equal(boot.imageState(), "valid");
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
  });
}
