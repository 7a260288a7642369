/**
 * Faults published for other implementations, tried on this one's parsers: each by its identifier.
 * @module
 */
import { decodeBase64 } from "../../src/base64.js";
import { decodeUtf8 } from "../../src/bytes.js";
import { type JobFile, parseJob } from "../../src/control/job-document.js";
import { OtaError } from "../../src/errors.js";
import type { Crypto } from "../../src/ports.js";
import { parseEcdsaSignature, parsePublicKey } from "../../src/slot/der.js";
import { checkStructure, parseHead } from "../../src/slot/esp-image.js";
import { TrustedKeys } from "../../src/slot/signature.js";
import { decodeMessage, FIELDS, FILE_ID, LENGTH, PAYLOAD } from "../../src/transfer/cbor.js";
import { C3 } from "../data/esp-image-heads.js";
import { DIGEST, EC_KEY } from "../data/signed.js";
import { deepEqual, equal, ok, throws } from "../support/assert.js";
import { ascii, concat, hex } from "../support/hex.js";

/** Says yes to every signature it is shown. */
const CREDULOUS: Crypto = {
  sha256() {
    throw new Error("nothing is hashed here");
  },
  verifyEcdsaP256: () => true,
  verifyRsa: () => true,
};

function signedBy(bytes: Uint8Array): JobFile {
  return {
    ...{ fileId: 0, fileSize: 1, fileType: 0, filePath: "", certFile: "k", streamName: "s", url: "" },
    signature: { algorithm: "sig-sha256-ecdsa", bytes },
  };
}

/** What a message decodes to; empty for a block, which is left in `fields`. */
const decode = (digits: string, fields = new Float64Array(FIELDS)) => decodeMessage(hex(digits), fields);
const refuse = { type: OtaError, code: "cbor-decode" };

describe("published faults: signatures", () => {
  const keys = new TrustedKeys({ k: EC_KEY });

  it("CVE-2022-21449 (Java): an ECDSA signature of r = s = 0 is not good for everything", () =>
    throws(() => keys.verify(CREDULOUS, hex(DIGEST), signedBy(hex("3006020100020100"))), {
      type: OtaError,
      code: "signature-check",
    }));

  it("Moddable's ECDSA: s = 0 hangs it, and does not reach it", () => {
    for (const digits of ["3006020101020100", "300702010102020000"])
      throws(() => keys.verify(CREDULOUS, hex(DIGEST), signedBy(hex(digits))), { code: "signature-check" });
  });
});

describe("published faults: lengths from the wire", () => {
  it("CVE-2018-16522 … 16528 (FreeRTOS, AWS connectivity): a length is checked against what there is", () => {
    throws(() => decode("a4 616600 616900 616c19 1000 6170591000 abcd"), refuse);
    throws(() => decode("a1 616f 7820 41"), refuse);
    throws(() => parseEcdsaSignature(hex("3044 0220 01")), { code: "signature-check" });
    throws(() => parsePublicKey(hex("3082ffff 30")), {
      message: /^DER is not valid: an element overruns its parent$/,
    });
    throws(() => decodeUtf8(hex("f0 9f")), { code: "bad-utf8" });
  });

  it("CVE-2026-54412 (MQTT-C): what is left of a message does not become negative", () => {
    throws(() => decode("a4 616600 616900 616c00 61705affffffff"), refuse);
    throws(() => parseEcdsaSignature(hex("3006 0205 010201 01")), { code: "signature-check" });
    // The first segment claims more than the file has left behind it.
    const head = hex(C3.head);
    throws(() => parseHead(head, 336), { code: "bad-image" });
  });

  it("CVE-2019-19307 (Mongoose): a length that overflows does not make a loop without end", () => {
    for (const length of ["1affffffff", "1b00000000ffffffff", "1b001fffffffffffff", "1bffffffffffffffff"]) {
      const string = `5${length[1]}${length.slice(2)}`;
      const array = `9${length[1]}${length.slice(2)}`;
      const map = `b${length[1]}${length.slice(2)}`;
      for (const value of [string, array, map])
        throws(() => decode(`a5 6178${value} 616600 616900 616c00 617040`), refuse);
      throws(() => decode(map), refuse);
    }
    const segments = hex(C3.head);
    // A segment of −8 bytes would lead back to its own header.
    segments.set(hex("f8ffffff"), 28);
    throws(() => checkStructure(() => segments, C3.size), { type: OtaError, code: "bad-image" });
  });

  it("Zephyr 2020 (NCC Group): a job document of any size is bounded before it is read", () => {
    const parsed = parseJob(new Uint8Array(1_000_000).fill(0x20));
    ok(
      parsed.kind === "invalid" &&
        parsed.error.message === "missing or invalid: job message of 1000000 bytes",
    );
    throws(() => decodeBase64("A".repeat(1_000_000), 512), { code: "bad-base64" });
  });
});

describe("published faults: CBOR", () => {
  it("tinycbor #156, #258, #283: depth has a limit, whatever nests", () => {
    const block = "616600 616900 616c00 617040";
    for (const [opening, closing] of [
      ["81", ""],
      ["9f", "ff"],
      ["a16161", ""],
      ["bf6161", "ff"],
      ["c1", ""],
      ["d8ff", ""],
      ["82", "00"],
    ]) {
      const nested = (depth: number) =>
        `a5 6178 ${opening.repeat(depth)} 00 ${closing.repeat(depth)} ${block}`;
      equal(decode(nested(8)), "");
      for (const depth of [9, 10, 2000]) throws(() => decode(nested(depth)), refuse);
      throws(() => decode(`a5 6178 ${opening.repeat(2000)}`), refuse);
    }
  });

  it("tinycbor #258: a break is never taken for a value, nor missed", () => {
    for (const value of ["ff", "81ff", "a1ff00", "a100ff", "c1ff", "5fffff", "9fff ff"])
      throws(() => decode(`a5 6178 ${value} 616600 616900 616c00 617040`), refuse);
  });
});

describe("published faults: names", () => {
  it("CVE-2019-17210 (Mbed MQTT): no name from outside decides the shape of a topic", () => {
    const job = (jobId: string, streamname: string) =>
      parseJob(
        ascii(
          JSON.stringify({
            execution: {
              jobId,
              jobDocument: {
                afr_ota: { protocols: ["MQTT"], streamname, files: [{ filesize: 1, fileid: 0 }] },
              },
            },
          }),
        ),
      ).kind;
    equal(job("a", "b"), "ota");
    for (const name of [
      "a/b",
      "+",
      "#",
      "$next/get",
      "a\0",
      "a\n",
      "é",
      " a",
      "x".repeat(129),
      "../a",
      "a%2fb",
    ]) {
      equal(job(name, "b"), "invalid");
      equal(job("a", name), "invalid");
    }
  });
});

describe("published faults: the original OTA agent", () => {
  it("the length l is told apart from the length of the payload", () => {
    const fields = new Float64Array(FIELDS);
    equal(decodeMessage(concat(hex("a4 616600 616900 616c191000 61704a"), ascii("ten bytes!")), fields), "");
    deepEqual([fields[LENGTH], fields[PAYLOAD]], [4096, 10]);
  });

  it("the file id is given, not only read", () => {
    const fields = new Float64Array(FIELDS);
    equal(decode("a4 616607 616900 616c01 61704100", fields), "");
    equal(fields[FILE_ID], 7);
  });

  it("a job without signature does not get the one of the job before", () => {
    const message = (signature: object) =>
      JSON.stringify({
        execution: {
          jobId: "a",
          jobDocument: {
            afr_ota: {
              protocols: ["MQTT"],
              streamname: "s",
              files: [{ filesize: 1, fileid: 0, ...signature }],
            },
          },
        },
      });
    const signatureOf = (text: string) => {
      const parsed = parseJob(ascii(text));
      return parsed.kind === "ota" ? parsed.job.files[0].signature : null;
    };
    ok(signatureOf(message({ "sig-sha256-ecdsa": "MAYCAQECAQE=" })));
    equal(signatureOf(message({})), undefined);
  });
});
