/**
 * Trusted keys with the real cryptography of the Node host: vectors of OpenSSL, fresh keys, damage of all kinds.
 * @module
 */
import { throws } from "node:assert/strict";
import { createHash, createSign, generateKeyPairSync, type KeyObject } from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import fc from "fast-check";
import { nodeCrypto } from "../../hosts/node/crypto.js";
import type { JobFile, SignatureAlgorithm } from "../../src/control/job-document.js";
import { OtaError } from "../../src/errors.js";
import { parseEcdsaSignature } from "../../src/slot/der.js";
import { TrustedKeys } from "../../src/slot/signature.js";
import * as vectors from "../data/signed.js";

const bytes = (digits: string) => new Uint8Array(Buffer.from(digits.replace(/\s/g, ""), "hex"));
const digest = bytes(vectors.DIGEST);

function file(certFile: string, signature: Uint8Array, algorithm: SignatureAlgorithm): JobFile {
  return {
    ...{ fileId: 0, fileSize: 1, fileType: 0, filePath: "", streamName: "s", url: "" },
    certFile,
    signature: { algorithm, bytes: signature },
  };
}

const check = (code: string) => (error: unknown) => error instanceof OtaError && error.code === code;
const pem = (key: KeyObject) => key.export({ type: "spki", format: "pem" }) as string;

describe("signatures made by OpenSSL", () => {
  const keys = new TrustedKeys({
    "ec certificate": vectors.EC_CERTIFICATE,
    "ec key": vectors.EC_KEY,
    "rsa certificate": vectors.RSA_CERTIFICATE,
    "rsa key": vectors.RSA_KEY,
  });
  const good: [string, string, SignatureAlgorithm][] = [
    ["ec certificate", vectors.EC_CERTIFICATE_SIGNATURE, "sig-sha256-ecdsa"],
    ["ec key", vectors.EC_KEY_SIGNATURE, "sig-sha256-ecdsa"],
    ["rsa certificate", vectors.RSA_CERTIFICATE_SIGNATURE, "sig-sha256-rsa"],
    ["rsa key", vectors.RSA_KEY_SIGNATURE, "sig-sha256-rsa"],
  ];
  for (const [name, signature, algorithm] of good) {
    const signed = file(name, bytes(signature), algorithm);

    it(`${name}: is good`, () => keys.verify(nodeCrypto, digest, signed));

    it(`${name}: is not good for another file`, () => {
      const other = digest.slice();
      other[31] ^= 1;
      throws(() => keys.verify(nodeCrypto, other, signed), check("signature-check"));
    });

    it(`${name}: is not good with any bit changed`, () => {
      const original = bytes(signature);
      // Every bit of ECDSA; one of every byte of RSA.
      const step = algorithm === "sig-sha256-ecdsa" ? 1 : 9;
      for (let bit = 0; bit < original.length * 8; bit += step) {
        const damaged = original.slice();
        damaged[bit >> 3] ^= 1 << (bit & 7);
        throws(
          () => keys.verify(nodeCrypto, digest, file(name, damaged, algorithm)),
          check("signature-check"),
        );
      }
    });
  }

  it("is not good under another trusted name", () =>
    throws(
      () =>
        keys.verify(
          nodeCrypto,
          digest,
          file("ec key", bytes(vectors.EC_CERTIFICATE_SIGNATURE), "sig-sha256-ecdsa"),
        ),
      check("signature-check"),
    ));

  it("is good under an entry that holds both the old and the new key", () => {
    const rotating = new TrustedKeys({ signer: [vectors.EC_CERTIFICATE, vectors.EC_KEY] });
    for (const signature of [vectors.EC_CERTIFICATE_SIGNATURE, vectors.EC_KEY_SIGNATURE])
      rotating.verify(nodeCrypto, digest, file("signer", bytes(signature), "sig-sha256-ecdsa"));
  });
});

describe("signatures by fresh keys", () => {
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const keys = new TrustedKeys({ ec: pem(ec.publicKey), rsa: pem(rsa.publicKey) });
  const data = fc.uint8Array({ maxLength: 200 });
  const sha256 = (message: Uint8Array) => new Uint8Array(createHash("sha256").update(message).digest());
  const sign = (key: KeyObject, message: Uint8Array) =>
    new Uint8Array(createSign("sha256").update(message).sign(key));

  it("are good, and for nothing else", () =>
    fc.assert(
      fc.property(data, data, (message, other) => {
        for (const [name, key, algorithm] of [
          ["ec", ec.privateKey, "sig-sha256-ecdsa"],
          ["rsa", rsa.privateKey, "sig-sha256-rsa"],
        ] as const) {
          const signed = file(name, sign(key, message), algorithm);
          keys.verify(nodeCrypto, sha256(message), signed);
          if (Buffer.compare(message, other) !== 0)
            throws(() => keys.verify(nodeCrypto, sha256(other), signed), check("signature-check"));
        }
      }),
      { numRuns: 50 },
    ));

  it("RSA: PSS padding, SHA-1 and a digest without DigestInfo are not good", () => {
    const message = Buffer.from("message");
    const others = [
      createSign("sha256").update(message).sign({ key: rsa.privateKey, padding: 6 }),
      createSign("sha1").update(message).sign(rsa.privateKey),
      createSign("sha512").update(message).sign(rsa.privateKey),
    ];
    for (const signature of others)
      throws(
        () =>
          keys.verify(nodeCrypto, sha256(message), file("rsa", new Uint8Array(signature), "sig-sha256-rsa")),
        check("signature-check"),
      );
  });
});

describe("DER signatures against noble", () => {
  const scalar = fc.oneof(
    fc.bigInt({ min: 0n, max: 2n ** 264n }),
    fc.bigInt({ min: 0n, max: 300n }),
    fc.bigInt({ min: p256.Point.Fn.ORDER - 2n, max: p256.Point.Fn.ORDER + 2n }),
  );

  function integer(value: bigint): Buffer {
    let digits = value.toString(16);
    if (digits.length % 2) digits = `0${digits}`;
    if (parseInt(digits.slice(0, 2), 16) > 127) digits = `00${digits}`;
    return Buffer.concat([Buffer.from([2, digits.length / 2]), Buffer.from(digits, "hex")]);
  }

  it("r and s are taken from 1 to n − 1 and nowhere else", () =>
    fc.assert(
      fc.property(scalar, scalar, (r, s) => {
        const body = Buffer.concat([integer(r), integer(s)]);
        const der = Buffer.concat([Buffer.from([0x30, body.length]), body]);
        const inRange = (value: bigint) => value > 0n && value < p256.Point.Fn.ORDER;
        if (!inRange(r) || !inRange(s)) {
          throws(() => parseEcdsaSignature(der), check("signature-check"));
          throws(() => p256.Signature.fromBytes(der, "der"));
          return;
        }
        const [parsedR, parsedS] = parseEcdsaSignature(der);
        const oracle = p256.Signature.fromBytes(der, "der");
        for (const [mine, other, value] of [
          [parsedR, oracle.r, r],
          [parsedS, oracle.s, s],
        ] as const)
          if (BigInt(`0x${Buffer.from(mine).toString("hex")}`) !== value || other !== value)
            throw new Error("differ");
      }),
      { numRuns: 1000 },
    ));

  it("whatever is taken, noble takes", () => {
    const base = bytes(vectors.EC_KEY_SIGNATURE);
    const change = fc.tuple(fc.nat(base.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { maxLength: 3 }), (changes) => {
        const der = base.slice();
        for (const [at, value] of changes) der[at] = value;
        try {
          parseEcdsaSignature(der);
        } catch (error) {
          if (check("signature-check")(error)) return;
          throw error;
        }
        p256.Signature.fromBytes(der, "der");
      }),
      { numRuns: 5000 },
    );
  });
});
