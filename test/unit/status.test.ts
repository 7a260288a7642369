import { newActiveJob } from "../../src/control/offer.js";
import * as status from "../../src/control/status.js";
import { OtaError, type OtaErrorCode, type OtaPhase } from "../../src/errors.js";
import type { AppDescription } from "../../src/ports.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { app, FakePal } from "../support/fake-pal.js";
import { fileOf } from "../support/pal-rig.js";
import { VirtualClock } from "../support/virtual-clock.js";

const failed = (code: OtaErrorCode, phase: OtaPhase, message = "why") =>
  status.failed(new OtaError(code, message, phase));

interface Situation {
  /** What the file says of itself. */
  image?: AppDescription;
  running?: AppDescription;
  updatedBy?: number;
  fileType?: number;
}

function active({ image, running, updatedBy, fileType = 0 }: Situation) {
  const job = {
    ...{ jobId: "j", executionNumber: 1, protocols: [], document: "{}" },
    progress: { selfTest: false, updatedBy, image: "", payload: "" },
    files: [fileOf(new Uint8Array(16), { fileType })],
  };
  const pal = new FakePal(new VirtualClock());
  pal.running = running;
  return Object.assign(newActiveJob(job, pal, []), { app: image });
}

describe("status details: what back ends of the original read", () => {
  it("receive counts blocks", () => {
    deepEqual(status.receiving(64, 384), { receive: "64/384" });
  });

  it("self_test comes with the version that performs the update, as 8 hexadecimal digits", () => {
    const { self_test, updatedBy } = status.selfTest(
      "ready",
      active({ image: app("1.0.2"), running: app("1.0.1") }),
    );
    deepEqual({ self_test, updatedBy }, { self_test: "ready", updatedBy: "0x01000001" });
  });

  it("accepted has two spaces before each version, zeros included", () => {
    const { reason, updatedBy } = status.accepted(active({ image: app("1.0.0"), updatedBy: 0x00090000 }));
    deepEqual({ reason, updatedBy }, { reason: "accepted  v1.0.0", updatedBy: "  v0.9.0" });
  });

  it("accepted names version 0.0.0 when the version before the update is unknown", () => {
    equal(status.accepted(active({ image: app("1.0.0") }))["updatedBy"], "  v0.0.0");
  });

  it("accepted stands for a file that is no firmware by its type", () => {
    deepEqual(status.accepted(active({ fileType: 7, updatedBy: 0x00090000 })), {
      reason: "accepted  v0.0.7",
      updatedBy: "  v0.0.0",
    });
  });

  const REASONS: [OtaErrorCode, OtaPhase, string][] = [
    ["user-abort", "transfer", "aborted: 0x00000013"],
    ["data-protocol", "job", "aborted: 0x0000000d"],
    ["no-progress", "transfer", "aborted: 0x0000000e"],
    ["file-too-large", "transfer", "aborted: 0xe5000000"],
    ["same-version", "image", "rejected: 0x00000010"],
    ["downgrade", "self-test", "rejected: 0x0000000f"],
    ["image-state-mismatch", "self-test", "rejected: 0x00000011"],
    ["self-test-rejected", "self-test", "rejected: 0x00000000"],
    ["commit-failed", "self-test", "rejected: 0xeb000000"],
    ["job-parser", "job", "0x0000000c: 0x00000004"],
    ["bad-base64", "job", "0x0000000c: 0x00000004"],
    ["signature-check", "verify", "0x000000e3: 0x00000000"],
    ["bad-signer", "verify", "0x000000e7: 0x00000000"],
    ["flash-write", "transfer", "0x000000e0: 0x00000000"],
  ];
  for (const [code, phase, reason] of REASONS)
    it(`${code} while in ${phase} is "${reason}"`, () => {
      equal(failed(code, phase)["reason"], reason);
    });
});

describe("status details: what a person wants to know", () => {
  it("a failure has a code and a sentence", () => {
    const { code, message } = failed("wrong-chip", "image", "the image is for chip 0, this is chip 5");
    deepEqual({ code, message }, { code: "wrong-chip", message: "the image is for chip 0, this is chip 5" });
  });

  it("a sentence is no longer than the service takes", () => {
    equal(failed("bad-image", "image", "x".repeat(5000))["message"].length, 1024);
  });

  it("an image is named by version and build", () => {
    const job = active({ image: app("2.0.0", "abcd0123"), running: app("1.0.0") });
    equal(status.selfTest("active", job)["image"], "2.0.0+abcd0123");
    equal(status.accepted(job)["image"], "2.0.0+abcd0123");
  });
});

describe("status details: version check of a job by another agent", () => {
  it("nothing speaks against a later version, or against an unknown one before", () => {
    equal(status.versionConflict(0x01000000, "1.0.1"), undefined);
    equal(status.versionConflict(undefined, "1.0.1"), undefined);
  });

  it("the same version is refused", () => {
    equal(status.versionConflict(0x01000001, "1.0.1")?.code, "same-version");
  });

  it("an older version is refused", () => {
    equal(status.versionConflict(0x01000002, "1.0.1")?.code, "downgrade");
  });

  it("every value fits the service's limit for a detail", () => {
    const job = active({ image: app("v".repeat(31)), running: app("w".repeat(31)) });
    for (const value of Object.values(status.selfTest("ready", job)))
      ok(value.length <= 1024 && value.length > 0, value);
  });
});
