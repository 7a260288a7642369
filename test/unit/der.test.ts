import { decodeBase64 } from "../../src/base64.js";
import { equalBytes, toHex } from "../../src/bytes.js";
import { OtaError } from "../../src/errors.js";
import { parseEcdsaSignature, parsePoint, parsePublicKey } from "../../src/slot/der.js";
import {
  EC_CERTIFICATE,
  EC_CERTIFICATE_SIGNATURE,
  EC_KEY,
  EC_KEY_COMPRESSED,
  ED25519_KEY,
  P384_KEY,
  RSA_CERTIFICATE,
  RSA_KEY,
  SHORT_RSA_KEY,
} from "../data/signed.js";
import { deepEqual, equal, ok, throws } from "../support/assert.js";
import { concat, hex } from "../support/hex.js";

const N = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
const N_MINUS_1 = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550";
const NO_DER = /^DER is not valid: /;
// What is wrong with it.
const MISSING = "an element is missing";
const OTHER = "another element than expected";
const END = "an element overruns its parent";
const FORM = "a length is not in its shortest form";
const NEGATIVE = "a number is negative or empty";
const ZERO = "a number has a zero too many";
const RANGE = "r or s is not from 1 to n - 1";
const one = `${"00".repeat(31)}01`;

/** DER of one element, its length in the shortest form. */
function der(tag: number, ...content: Uint8Array[]): Uint8Array {
  const body = concat(...content);
  const { length } = body;
  const head = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return concat([tag, ...head], body);
}
const signature = (r: string, s: string) => der(0x30, hex(r), hex(s));

describe("DER: ECDSA signature", () => {
  it("reads one made by OpenSSL", () => {
    const [r, s] = parseEcdsaSignature(hex(EC_CERTIFICATE_SIGNATURE));
    equal(r.length, 32);
    equal(s.length, 32);
    const whole = EC_CERTIFICATE_SIGNATURE.split(/\s/).join("");
    ok(whole.includes(toHex(r)) && whole.endsWith(toHex(s)));
  });

  it("fills up short numbers", () =>
    deepEqual(parseEcdsaSignature(signature("020101", "02020080")), [hex(one), hex(`${"00".repeat(31)}80`)]));

  it("takes n − 1, the largest", () =>
    deepEqual(parseEcdsaSignature(signature(`022100${N_MINUS_1}`, "020101"))[0], hex(N_MINUS_1)));

  const malformed: [string, string, Uint8Array][] = [
    ["nothing", MISSING, hex("")],
    ["an empty sequence", MISSING, hex("3000")],
    ["CVE-2022-21449: r = s = 0", RANGE, signature("020100", "020100")],
    ["r = 0", RANGE, signature("020100", "020101")],
    ["s = 0", RANGE, signature("020101", "020100")],
    ["r = n", RANGE, signature(`022100${N}`, "020101")],
    ["s = n", RANGE, signature("020101", `022100${N}`)],
    ["r = n, s = n", RANGE, signature(`022100${N}`, `022100${N}`)],
    ["r = 2^256 − 1", RANGE, signature(`022100${"ff".repeat(32)}`, "020101")],
    ["r of 33 bytes", RANGE, signature(`022101${"00".repeat(32)}`, "020101")],
    ["r of 1000 bytes", RANGE, signature(`028203e8${"7f".repeat(1000)}`, "020101")],
    ["a negative r", NEGATIVE, signature("0201ff", "020101")],
    ["a negative s of 32 bytes", NEGATIVE, signature("020101", `0220${N_MINUS_1}`)],
    ["an empty r", NEGATIVE, signature("0200", "020101")],
    ["r with a leading zero too many", ZERO, signature("02020001", "020101")],
    ["zero in two bytes", ZERO, signature("02020000", "020101")],
    ["s missing", MISSING, der(0x30, hex("020101"))],
    ["three numbers", OTHER, der(0x30, hex("020101020101020101"))],
    ["trailing bytes", OTHER, concat(signature("020101", "020101"), [0])],
    ["trailing bytes within", OTHER, der(0x30, hex("02010102010100"))],
    ["a set", OTHER, der(0x31, hex("020101020101"))],
    ["a primitive sequence", OTHER, der(0x10, hex("020101020101"))],
    ["r as octet string", OTHER, signature("040101", "020101")],
    ["r as enumerated", OTHER, signature("0a0101", "020101")],
    ["a constructed integer", OTHER, signature("2203020101", "020101")],
    ["the long form for a short length", FORM, hex("308106020101020101")],
    ["the long form with a leading zero", FORM, hex("30820006020101020101")],
    ["the long form within", FORM, hex("30070281010102 0101")],
    ["an indefinite length", FORM, hex("30800201010201010000")],
    ["a length of three bytes", FORM, hex("3083000006020101020101")],
    ["a length of 126 bytes", END, hex("30fe06020101020101")],
    ["a reserved length", END, hex("30ff06020101020101")],
    ["a length beyond the end", END, hex("3007020101020101")],
    ["a length beyond the end within", END, hex("3006020101020201")],
    ["a length of 65535", END, hex("3082ffff020101020101")],
    ["a tag alone", END, hex("30")],
    ["a cut long form", END, hex("3081")],
    ["a cut long form of two", END, hex("308201")],
    ["r and s bare, as of other formats", OTHER, hex(`${one}${one}`)],
  ];
  for (const [name, why, bytes] of malformed)
    it(`refuses ${name}`, () =>
      throws(() => parseEcdsaSignature(bytes), {
        ...{ type: OtaError, code: "signature-check" },
        message: new RegExp(`^DER is not valid: ${why}$`),
      }));

  it("refuses every cut of a good one", () => {
    const whole = hex(EC_CERTIFICATE_SIGNATURE);
    for (let length = 0; length < whole.length; length++)
      throws(() => parseEcdsaSignature(whole.slice(0, length)), { message: NO_DER });
  });
});

function fromPem(pem: string): Uint8Array {
  return decodeBase64(pem.split("-----")[2], 4096);
}
const ecKey = fromPem(EC_KEY);
const point = ecKey.subarray(ecKey.length - 65);
const EC_ALGORITHM = hex("301306072a8648ce3d020106082a8648ce3d030107");
const RSA_ALGORITHM = hex("300d06092a864886f70d0101010500");
const bits = (bytes: Uint8Array) => der(0x03, hex("00"), bytes);
/** SubjectPublicKeyInfo of an RSA key whose modulus and exponent are given as INTEGER contents. */
const rsaInfo = (modulus: Uint8Array, exponent: Uint8Array) =>
  der(0x30, RSA_ALGORITHM, bits(der(0x30, der(0x02, modulus), der(0x02, exponent))));
const modulus = (length: number, last = 1) => {
  const bytes = new Uint8Array(length + 1).fill(0xc5);
  bytes[0] = 0;
  bytes[length] = last;
  return bytes;
};

describe("DER: public keys", () => {
  it("reads a P-256 key", () => deepEqual(parsePublicKey(ecKey), { algorithm: "sig-sha256-ecdsa", point }));

  it("reads the P-256 key of a certificate", () => {
    const key = parsePublicKey(fromPem(EC_CERTIFICATE));
    ok(key.algorithm === "sig-sha256-ecdsa" && key.point.length === 65);
  });

  it("reads an RSA-3072 key", () => {
    const key = parsePublicKey(fromPem(RSA_KEY));
    ok(key.algorithm === "sig-sha256-rsa" && key.modulus.length === 384 && key.modulus[0] > 0x7f);
    deepEqual(key.exponent, hex("010001"));
  });

  it("reads the RSA-2048 key of a certificate", () => {
    const key = parsePublicKey(fromPem(RSA_CERTIFICATE));
    ok(key.algorithm === "sig-sha256-rsa" && key.modulus.length === 256);
  });

  it("reads an RSA-4096 key", () => {
    const key = parsePublicKey(rsaInfo(modulus(512), hex("03")));
    ok(key.algorithm === "sig-sha256-rsa" && key.modulus.length === 512);
  });

  it("reads a certificate of version 1", () => {
    const name = hex("3000");
    const tbs = der(0x30, hex("020101"), name, name, name, name, ecKey);
    deepEqual(parsePublicKey(der(0x30, tbs, name, bits(hex("00")))), parsePublicKey(ecKey));
  });

  it("takes a length in its shortest form only", () => {
    const name = hex("3000");
    for (const [length, short, long] of [
      [127, "7f", "817f"],
      [128, "8180", "820080"],
      [255, "81ff", "8200ff"],
      [256, "820100", "83000100"],
    ] as const) {
      const subject = der(0x30, new Uint8Array(length - 102 - (length > 230 ? 1 : 0)));
      const tbs = concat(hex("020101"), name, name, name, subject, ecKey);
      equal(tbs.length, length);
      const certificate = (head: string) => der(0x30, concat([0x30], hex(head), tbs), name, bits(hex("00")));
      deepEqual(parsePublicKey(certificate(short)), parsePublicKey(ecKey));
      throws(() => parsePublicKey(certificate(long)), { message: NO_DER });
    }
  });

  it("keeps the key when the bytes it came from change", () => {
    const source = ecKey.slice();
    const key = parsePublicKey(source);
    source.fill(0);
    ok(key.algorithm === "sig-sha256-ecdsa" && equalBytes(key.point, point));
  });

  const unusable: [string, Uint8Array][] = [
    ["a compressed point", fromPem(EC_KEY_COMPRESSED)],
    ["a key on P-384", fromPem(P384_KEY)],
    ["an Ed25519 key", fromPem(ED25519_KEY)],
    ["an RSA-1024 key", fromPem(SHORT_RSA_KEY)],
    ["an RSA modulus of 513 bytes", rsaInfo(modulus(513), hex("010001"))],
    ["an even RSA modulus", rsaInfo(modulus(256, 2), hex("010001"))],
    ["an RSA modulus of 0", rsaInfo(hex("00"), hex("010001"))],
    ["an RSA exponent of 0", rsaInfo(modulus(256), hex("00"))],
    ["an RSA exponent of 1", rsaInfo(modulus(256), hex("01"))],
    ["an even RSA exponent", rsaInfo(modulus(256), hex("010000"))],
    ["RSA without parameters", der(0x30, hex("300b06092a864886f70d010101"), bits(hex("3000")))],
    [
      "RSA with a NULL that holds something",
      der(0x30, hex("300e06092a864886f70d010101050100"), bits(hex("3000"))),
    ],
    ["an RSA exponent of 5 bytes", rsaInfo(modulus(256), hex("0100000001"))],
  ];
  for (const [name, bytes] of unusable)
    it(`refuses ${name}`, () => throws(() => parsePublicKey(bytes), { type: OtaError, code: "bad-key" }));

  const malformed: [string, Uint8Array][] = [
    ["nothing", hex("")],
    ["an empty sequence", hex("3000")],
    ["trailing bytes", concat(ecKey, [0])],
    ["a cut key", ecKey.slice(0, -1)],
    ["a third element", der(0x30, EC_ALGORITHM, bits(point), hex("0500"))],
    ["no key", der(0x30, EC_ALGORITHM)],
    ["a key of part of a byte", der(0x30, EC_ALGORITHM, der(0x03, hex("01"), point))],
    ["an empty bit string", der(0x30, EC_ALGORITHM, hex("0300"))],
    ["a key that is an octet string", der(0x30, EC_ALGORITHM, der(0x04, point))],
    ["a negative RSA modulus", rsaInfo(modulus(256).subarray(1), hex("010001"))],
    ["an RSA modulus that is not minimal", rsaInfo(concat([0], modulus(256)), hex("010001"))],
    [
      "an RSA key with a third number",
      der(0x30, RSA_ALGORITHM, bits(der(0x30, der(0x02, modulus(256)), hex("020103020103")))),
    ],
    ["a certificate without signature", der(0x30, der(0x30, hex("020101")), hex("3000"))],
    [
      "a certificate without key",
      der(0x30, der(0x30, hex("0201013000300030003000")), hex("3000"), bits(hex("00"))),
    ],
    [
      "a certificate request",
      der(0x30, der(0x30, hex("020100"), hex("3000"), ecKey), hex("3000"), bits(hex("00"))),
    ],
  ];
  for (const [name, bytes] of malformed)
    it(`refuses ${name}`, () => throws(() => parsePublicKey(bytes), { type: OtaError, message: NO_DER }));

  it("refuses a key that leads beyond its certificate", () => {
    const name = hex("3000");
    const longer = ecKey.slice();
    longer[1] += 1;
    const certificate = (key: Uint8Array) =>
      der(0x30, der(0x30, hex("020101"), name, name, name, name, key), name, bits(hex("00")));
    deepEqual(parsePublicKey(certificate(ecKey)), parsePublicKey(ecKey));
    throws(() => parsePublicKey(certificate(longer)), { type: OtaError, message: NO_DER });
  });

  it("refuses every cut of a certificate", () => {
    const whole = fromPem(EC_CERTIFICATE);
    for (let length = 0; length < whole.length; length++)
      throws(() => parsePublicKey(whole.slice(0, length)), { type: OtaError });
  });
});

describe("DER: points", () => {
  const changed = (at: number, value: number) => {
    const bytes = point.slice();
    bytes[at] = value;
    return bytes;
  };
  const p = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
  // x = 0 has a point: y is a square root of b.
  const rootOfB = "66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4";

  it("takes the generator", () =>
    equal(
      parsePoint(
        hex(
          "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296" +
            "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
        ),
      ).algorithm,
      "sig-sha256-ecdsa",
    ));

  it("takes the point with x = 0", () => ok(parsePoint(hex(`04${"00".repeat(32)}${rootOfB}`))));

  const others: [string, Uint8Array][] = [
    ["nothing", hex("")],
    ["64 bytes", point.slice(1)],
    ["66 bytes", concat(point, [0])],
    ["the point at infinity", hex("00")],
    ["0, 0", hex(`04${"00".repeat(64)}`)],
    ["another first byte", changed(0, 6)],
    ["a point beside the curve", changed(64, point[64] ^ 1)],
    ["an x that is p", hex(`04${p}${rootOfB}`)],
    ["a y beyond p", hex(`04${"00".repeat(32)}${"ff".repeat(32)}`)],
  ];
  for (const [name, bytes] of others)
    it(`refuses ${name}`, () => throws(() => parsePoint(bytes), { type: OtaError, code: "bad-key" }));
});
