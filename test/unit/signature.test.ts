import { toHex } from "../../src/bytes.js";
import type { JobFile, SignatureAlgorithm } from "../../src/control/job-document.js";
import { OtaError } from "../../src/errors.js";
import type { Crypto, Hash } from "../../src/ports.js";
import { TrustedKeys } from "../../src/slot/signature.js";
import {
  DIGEST,
  EC_CERTIFICATE,
  EC_CERTIFICATE_SIGNATURE,
  EC_KEY,
  EC_KEY_SIGNATURE,
  P384_KEY,
  RSA_CERTIFICATE,
  RSA_CERTIFICATE_SIGNATURE,
  RSA_KEY,
} from "../data/signed.js";
import { deepEqual, equal, ok, throws } from "../support/assert.js";
import { ascii, concat, hex } from "../support/hex.js";

/** Writes down what it is asked, and answers as told: whether signatures are good is not this test's subject. */
class Recorder implements Crypto {
  readonly calls: string[] = [];
  constructor(readonly answer: (call: string) => boolean) {}

  sha256(): Hash {
    throw new Error("nothing is hashed here");
  }

  verifyEcdsaP256(publicKey: Uint8Array, digest: Uint8Array, r: Uint8Array, s: Uint8Array): boolean {
    return this.#record(["ecdsa", publicKey.length, toHex(digest), toHex(r), toHex(s)].join(" "));
  }

  verifyRsa(modulus: Uint8Array, exponent: Uint8Array, digest: Uint8Array, signature: Uint8Array): boolean {
    return this.#record(["rsa", modulus.length, toHex(exponent), toHex(digest), signature.length].join(" "));
  }

  #record(call: string): boolean {
    this.calls.push(call);
    return this.answer(call);
  }
}

const digest = hex(DIGEST);
const ecSignature = hex(EC_CERTIFICATE_SIGNATURE);
const rsaSignature = hex(RSA_CERTIFICATE_SIGNATURE);

function file(
  certFile: string,
  bytes?: Uint8Array,
  algorithm: SignatureAlgorithm = "sig-sha256-ecdsa",
): JobFile {
  return {
    ...{ fileId: 0, fileSize: 1, fileType: 0, filePath: "", streamName: "s", url: "" },
    certFile,
    signature: bytes && { algorithm, bytes },
  };
}

const yes = () => new Recorder(() => true);
const no = () => new Recorder(() => false);

describe("trusted keys", () => {
  const forms: [string, string | Uint8Array][] = [
    ["a certificate as PEM", EC_CERTIFICATE],
    ["a key as PEM", EC_KEY],
    ["PEM with text around it", `Subject: CN = signer\n${EC_KEY}\nthe end\n`],
    ["PEM with CR LF", EC_KEY.split("\n").join("\r\n")],
    ["the bytes of PEM", ascii(EC_KEY)],
    ["PEM that is indented (refused before)", EC_KEY.replace(/^/gm, "    ")],
    ["PEM with blanks behind its lines (refused before)", EC_KEY.replace(/$/gm, " \t")],
    ["PEM with \\n as two characters (refused before)", EC_KEY.replace(/\n/g, "\\n")],
    ["PEM with \\r\\n as four characters", EC_KEY.replace(/\n/g, "\\r\\n")],
    ["an RSA certificate", RSA_CERTIFICATE],
    ["an RSA key", RSA_KEY],
  ];
  for (const [name, key] of forms) it(`take ${name}`, () => ok(new TrustedKeys({ signer: key })));

  it("take DER and the bare point of the same key alike", () => {
    const der = hex(
      "3059301306072a8648ce3d020106082a8648ce3d030107034200" +
        "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296" +
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
    );
    for (const key of [der, der.slice(-65)])
      equal(new TrustedKeys({ signer: key }).require(file("signer", ecSignature)).length, 1);
  });

  const unusable: [string, unknown][] = [
    ["an empty text", ""],
    ["text that is no PEM", "signer.pem"],
    ["a private key", "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"],
    ["a private key of P-256", "-----BEGIN EC PRIVATE KEY-----\nMAA=\n-----END EC PRIVATE KEY-----\n"],
    ["a chain of certificates", EC_CERTIFICATE + RSA_CERTIFICATE],
    ["PEM without end", EC_KEY.slice(0, -20)],
    ["PEM that ends as something else", EC_KEY.replace("END PUBLIC", "END PRIVATE")],
    ["PEM with a foreign symbol", EC_KEY.replace("M", "*")],
    ["PEM that is cut inside", EC_KEY.replace("MFkw", "")],
    ["a key on another curve", P384_KEY],
    ["no bytes", hex("")],
    ["bytes that are no key", hex("30020500")],
    ["bytes that are no text", hex("ff00")],
    ["a point beside the curve", concat([4], new Uint8Array(64))],
    ["an empty list", []],
    ["a list with one bad key", [EC_KEY, P384_KEY]],
    ["a number", 7],
    ["null", null],
    ["undefined", undefined],
    ["an array of numbers", [4, 5]],
  ];
  for (const [name, key] of unusable)
    it(`refuse ${name}, naming the entry`, () =>
      throws(() => new TrustedKeys({ good: EC_KEY, "bad one": key as string }), {
        type: TypeError,
        message: 'trusted key "bad one"',
      }));

  it("refuse to be none", () => throws(() => new TrustedKeys({}), { type: TypeError }));
});

describe("signature: which key", () => {
  const keys = new TrustedKeys({ "ec.pem": EC_CERTIFICATE, "rsa.pem": RSA_CERTIFICATE });

  it("a file without signature is refused", () =>
    throws(() => keys.verify(yes(), digest, file("ec.pem")), {
      type: OtaError,
      code: "signature-missing",
      message: "not signed",
    }));

  it("an algorithm that is not supported is named", () =>
    throws(() => keys.verify(yes(), digest, { ...file("ec.pem"), unknownSignature: "sig-sha1-rsa" }), {
      code: "signature-missing",
      message: "sig-sha1-rsa is not supported",
    }));

  for (const name of ["", "other.pem", "EC.PEM", "ec.pem ", "__proto__", "constructor"])
    it(`a certfile "${name}" that nobody configured is refused`, () => {
      const crypto = yes();
      throws(() => keys.verify(crypto, digest, file(name, ecSignature)), {
        type: OtaError,
        code: "bad-signer",
      });
      equal(crypto.calls.length, 0);
    });

  it("a key of another algorithm is refused", () => {
    throws(() => keys.verify(yes(), digest, file("rsa.pem", ecSignature)), { code: "bad-signer" });
    throws(() => keys.verify(yes(), digest, file("ec.pem", rsaSignature, "sig-sha256-rsa")), {
      code: "bad-signer",
    });
  });

  it('the entry "" stands for names without entry, and only for them', () => {
    const withDefault = new TrustedKeys({ "": EC_KEY, "rsa.pem": RSA_CERTIFICATE });
    for (const name of ["", "any.pem", "__proto__"])
      withDefault.verify(yes(), digest, file(name, ecSignature));
    throws(() => withDefault.verify(yes(), digest, file("rsa.pem", ecSignature)), { code: "bad-signer" });
  });

  it("is told before the download", () => {
    equal(keys.require(file("ec.pem", ecSignature)).length, 1);
    throws(() => keys.require(file("ec.pem")), { code: "signature-missing" });
    throws(() => keys.require(file("other.pem", ecSignature)), { code: "bad-signer" });
  });
});

describe("signature: ECDSA", () => {
  const keys = new TrustedKeys({ signer: [EC_CERTIFICATE, EC_KEY, RSA_CERTIFICATE] });
  const signed = file("signer", ecSignature);

  it("hands key, digest, r and s to the library", () => {
    const crypto = yes();
    keys.verify(crypto, digest, signed);
    const [kind, length, seen, r, s] = crypto.calls[0].split(" ");
    deepEqual([kind, length, seen], ["ecdsa", "65", DIGEST]);
    const whole = toHex(ecSignature);
    ok(r.length === 64 && s.length === 64 && whole.includes(r) && whole.endsWith(s));
  });

  it("is refused when no key of the entry made it", () => {
    const crypto = no();
    throws(() => keys.verify(crypto, digest, signed), { type: OtaError, code: "signature-check" });
    equal(crypto.calls.length, 2);
  });

  it("is good when any key of the entry made it", () => {
    let calls = 0;
    keys.verify(new Recorder(() => ++calls === 2), digest, signed);
    equal(calls, 2);
  });

  const hostile: [string, string][] = [
    ["CVE-2022-21449, r = s = 0", "3006020100020100"],
    ["s = 0, which hangs a library that inverts it", "3006020101020100"],
    ["trailing bytes", `${toHex(hex(EC_KEY_SIGNATURE))}00`],
    ["nothing", ""],
    ["r and s bare", "01".repeat(64)],
  ];
  for (const [name, bytes] of hostile)
    it(`does not reach the library: ${name}`, () => {
      const crypto = yes();
      throws(() => keys.verify(crypto, digest, file("signer", hex(bytes))), {
        type: OtaError,
        code: "signature-check",
      });
      equal(crypto.calls.length, 0);
    });

  it("passes on what the library throws", () => {
    const broken = new Recorder(() => {
      throw new RangeError("out of memory");
    });
    throws(() => keys.verify(broken, digest, signed), { type: RangeError });
  });
});

describe("signature: RSA", () => {
  const keys = new TrustedKeys({ signer: [RSA_CERTIFICATE, RSA_KEY] });
  const signed = (bytes: Uint8Array) => file("signer", bytes, "sig-sha256-rsa");

  it("hands key, digest and signature to the library, and only to keys of its length", () => {
    const crypto = no();
    throws(() => keys.verify(crypto, digest, signed(rsaSignature)), { code: "signature-check" });
    deepEqual(crypto.calls, [`rsa 256 010001 ${DIGEST} 256`]);
  });

  it("is good when the library says so", () => keys.verify(yes(), digest, signed(rsaSignature)));

  for (const length of [0, 1, 255, 257, 383, 385, 512])
    it(`of ${length} bytes fits no key`, () => {
      const crypto = yes();
      throws(() => keys.verify(crypto, digest, signed(new Uint8Array(length))), { code: "signature-check" });
      equal(crypto.calls.length, 0);
    });

  it("must be less than the modulus", () => {
    const [key] = keys.require(signed(rsaSignature));
    ok(key.algorithm === "sig-sha256-rsa");
    const above = key.modulus.slice();
    above[0] = 0xff;
    for (const bytes of [key.modulus, above, new Uint8Array(256).fill(0xff)]) {
      const crypto = yes();
      throws(() => keys.verify(crypto, digest, signed(bytes)), { code: "signature-check" });
      equal(crypto.calls.length, 0);
    }
    const below = key.modulus.slice();
    below[255] -= 1;
    keys.verify(yes(), digest, signed(below));
  });
});
