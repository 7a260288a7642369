import type { OtaJob } from "../../src/control/job-document.js";
import { judgeReentry } from "../../src/control/reentry.js";
import type { PlatformImageState } from "../../src/slot/pal.js";
import { deepEqual, equal } from "../support/assert.js";
import { app } from "../support/fake-pal.js";
import { fileOf } from "../support/pal-rig.js";

const RUNNING = app("1.1.0", "22222222");
const MINE = "1.1.0+22222222";
const OTHER = "1.2.0+33333333";

interface Details {
  selfTest?: boolean;
  image?: string;
  updatedBy?: number;
  fileType?: number;
}

function job({ selfTest = false, image = "", updatedBy, fileType = 0 }: Details = {}): OtaJob {
  return {
    jobId: "j",
    executionNumber: 1,
    progress: { selfTest, image, updatedBy, payload: "" },
    protocols: ["MQTT"],
    files: [fileOf(new Uint8Array(16), { fileType })],
    document: "{}",
  };
}

interface Situation {
  onTrial?: boolean;
  accepted?: boolean;
  rolledBack?: boolean;
  /** What the boot loader says of the running image; default: it waits for a decision, or has one. */
  platform?: PlatformImageState;
  /** The porting layer has components. */
  components?: boolean;
}

/** What becomes of the job, in a word; and the code of the error if there is one. */
function judge(details: Details, situation: Situation): string[] {
  const { onTrial, accepted, rolledBack = false } = situation;
  const { platform = onTrial ? "pending-commit" : "valid" } = situation;
  const imageState = onTrial ? "testing" : accepted ? "accepted" : "unknown";
  const describe = situation.components ? () => RUNNING : undefined;
  const pal = { running: RUNNING, rolledBack, describe, getPlatformImageState: () => platform };
  const verdict = judgeReentry(job(details), pal, imageState);
  if (verdict === false) return ["offer"];
  if (verdict === true) return ["test"];
  if (!verdict) return [onTrial ? "trial" : "passed"];
  return [onTrial ? (details.selfTest ? "mismatch" : "withdrawn") : "failed", verdict.code];
}

describe("after a restart: the truth table", () => {
  const READY: Details = { selfTest: true };
  /** Platform pending, job in self-test, image of the job, accepted in this life, other slot given up; verdict. */
  const ROWS: [boolean, Details, boolean, boolean, string[]][] = [
    // Nothing of ours: an offer, whatever the other slot's fate.
    [false, {}, false, false, ["offer"]],
    [false, {}, false, true, ["offer"]],
    [false, {}, true, false, ["offer"]],
    [false, {}, true, true, ["offer"]],
    // On trial, and the job is another one: it is left alone, the image is given up.
    [true, {}, false, false, ["withdrawn", "image-state-mismatch"]],
    [true, {}, false, true, ["withdrawn", "image-state-mismatch"]],
    // On trial, and this is its job.
    [true, { ...READY, image: MINE }, false, false, ["trial"]],
    [true, { ...READY, image: MINE }, false, true, ["trial"]],
    // On trial, and the job installed another image.
    [true, { ...READY, image: OTHER }, false, false, ["mismatch", "image-state-mismatch"]],
    [true, { ...READY, image: OTHER }, false, true, ["mismatch", "image-state-mismatch"]],
    // Accepted in this life or an earlier one: only the status is missing.
    [false, { ...READY, image: MINE }, false, false, ["passed"]],
    [false, { ...READY, image: MINE }, false, true, ["passed"]],
    [false, { ...READY, image: MINE }, true, false, ["passed"]],
    [false, { ...READY, image: MINE }, true, true, ["passed"]],
    // Another image runs: it was given up, or the power went before the switch.
    [false, { ...READY, image: OTHER }, false, true, ["failed", "rolled-back"]],
    [false, { ...READY, image: OTHER }, true, true, ["failed", "rolled-back"]],
    [false, { ...READY, image: OTHER }, false, false, ["offer"]],
    [false, { ...READY, image: OTHER }, true, false, ["offer"]],
    // Installed by another agent, which gives no image's name.
    [false, READY, false, false, ["failed", "image-state-mismatch"]],
    [false, READY, false, true, ["failed", "rolled-back"]],
    [false, READY, true, false, ["passed"]],
    [true, READY, false, false, ["trial"]],
    [true, { ...READY, updatedBy: 0x01000000 }, false, false, ["trial"]],
    [true, { ...READY, updatedBy: 0x01010000 }, false, false, ["mismatch", "same-version"]],
    [true, { ...READY, updatedBy: 0x01020000 }, false, false, ["mismatch", "downgrade"]],
  ];
  for (const [onTrial, details, accepted, rolledBack, verdict] of ROWS) {
    const words = [
      onTrial ? "on trial" : "not on trial",
      details.selfTest ? "job in self-test" : "job not in self-test",
      ...(details.image ? [details.image === MINE ? "its image runs" : "another image runs"] : []),
      ...(details.updatedBy === undefined ? [] : [`updated by ${details.updatedBy.toString(16)}`]),
      ...(accepted ? ["accepted in this life"] : []),
      ...(rolledBack ? ["the other slot given up"] : []),
    ];
    it(`${words.join(", ")}: ${verdict.join(" ")}`, () => {
      deepEqual(judge(details, { onTrial, accepted, rolledBack }), verdict);
    });
  }

  it("the image's name decides, not its version: an older one on trial is its job's", () => {
    deepEqual(judge({ selfTest: true, image: MINE, updatedBy: 0x09000000 }, { onTrial: true }), ["trial"]);
  });

  it("the same version in another build is another image", () => {
    const image = "1.1.0+44444444";
    deepEqual(judge({ selfTest: true, image }, { onTrial: true }), ["mismatch", "image-state-mismatch"]);
    deepEqual(judge({ selfTest: true, image }, { rolledBack: true }), ["failed", "rolled-back"]);
  });

  describe("what the boot loader says goes before the name", () => {
    const mine: Details = { selfTest: true, image: MINE };

    for (const rolledBack of [false, true])
      it(`an image that was given up is not accepted, the other slot ${rolledBack ? "given up, too" : "good"}: reported as accepted before`, () => {
        deepEqual(judge(mine, { platform: "invalid", rolledBack }), ["failed", "rolled-back"]);
      });

    it("an image nobody has decided about has to prove itself: reported as accepted before", () => {
      deepEqual(judge(mine, { platform: "unknown" }), ["test"]);
    });

    it("one that was accepted in this life need not do so twice", () => {
      deepEqual(judge(mine, { platform: "unknown", accepted: true }), ["passed"]);
    });

    it("of components without firmware it says nothing: those in use had to prove themselves once more", () => {
      for (const platform of ["unknown", "invalid", "valid"] as const)
        deepEqual(judge({ ...mine, fileType: 2 }, { platform, components: true }), ["passed"]);
      deepEqual(judge({ ...mine, fileType: 2 }, { onTrial: true, components: true }), ["trial"]);
    });

    it("of another image's job it says nothing", () => {
      for (const platform of ["invalid", "unknown"] as const)
        deepEqual(judge({ selfTest: true, image: OTHER }, { platform }), ["offer"]);
    });
  });

  it("a file that is no firmware is never on trial", () => {
    deepEqual(judge({ selfTest: true, fileType: 2 }, {}), ["offer"]);
    deepEqual(judge({ selfTest: true, fileType: 2, image: OTHER }, { rolledBack: true }), ["offer"]);
  });

  it("where no application runs there is nothing to be on trial", () => {
    const pal = { running: undefined, rolledBack: false, getPlatformImageState: () => "valid" as const };
    equal(judgeReentry(job({ selfTest: true }), pal, "unknown"), false);
  });
});
