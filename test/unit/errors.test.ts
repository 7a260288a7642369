import { hex32, OTA_ERROR_CODES, OtaError } from "../../src/errors.js";
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

  it("knows the phase a code usually arises in", () => {
    equal(new OtaError("downgrade", "").phase, "image");
  });

  it("gives the original agent's number", () => {
    equal(new OtaError("signature-check", "").value, 0xe3);
  });

  it("has a table of different codes, each with a number and a phase", () => {
    const rows = OTA_ERROR_CODES.trim().split("\n");
    for (const row of rows)
      ok(/^[a-z0-9-]+ [0-9a-f]{1,2} (init|job|image|transfer|verify|activate|self-test)$/.test(row), row);
    equal(new Set(rows.map((row) => row.split(" ")[0])).size, rows.length);
  });
});

describe("hex32", () => {
  it("pads to eight digits", () => equal(hex32(0x1a), "0x0000001a"));
  it("takes negative numbers as unsigned", () => equal(hex32(-1), "0xffffffff"));
});
