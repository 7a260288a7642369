import { hex32, OTA_ERROR_WORDS, OtaError } from "../../src/errors.js";
import { deepEqual, equal, ok } from "../support/assert.js";

describe("OtaError", () => {
  it("carries code, phase and a readable message", () => {
    const error = new OtaError("downgrade", "version 1.0.0 is older than 2.0.0", "transfer");
    ok(error instanceof Error);
    deepEqual(
      [error.code, error.phase, error.message],
      ["downgrade", "transfer", "version 1.0.0 is older than 2.0.0"],
    );
  });

  it("gives the original agent's number as eight hexadecimal digits", () => {
    equal(new OtaError("signature-check", "", "verify").word, "0x000000e3");
  });

  it("keeps its table of numbers frozen", () => {
    ok(Object.isFrozen(OTA_ERROR_WORDS));
  });
});

describe("hex32", () => {
  it("pads to eight digits", () => equal(hex32(0x1a), "0x0000001a"));
  it("takes negative numbers as unsigned", () => equal(hex32(-1), "0xffffffff"));
});
