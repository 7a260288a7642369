/**
 * Signatures, keys and certificates. DER has one form for each value: what is taken must be what comes out when
 * it is written again.
 * @module
 */
import { decodeBase64 } from "../../../src/base64.js";
import { toHex } from "../../../src/bytes.js";
import { type PublicKey, parseEcdsaSignature, parsePublicKey } from "../../../src/slot/der.js";
import { TrustedKeys } from "../../../src/slot/signature.js";
import * as signed from "../../data/signed.js";
import { ascii, concat, hex } from "../../support/hex.js";
import type { Random } from "../random.js";
import { type FuzzTarget, must, outcome, TAKEN } from "../target.js";

const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const SCALARS = [
  ...["00", "01", "7f", "0080", "80", "0000", "0001", "ff", ""],
  ...[N - 1n, N, N + 1n].flatMap((value) => [value.toString(16), `00${value.toString(16)}`]),
].map(hex);

function element(random: Random, tag: number, content: Uint8Array): Uint8Array {
  const length = random.oneIn(40) ? content.length + random.below(5) - 2 : content.length;
  let head: number[];
  if (random.oneIn(40))
    head = random.pick([[0x80], [0x81, length], [0x82, length >> 8, length], [0x83, 0, 0, length], [0xff]]);
  else head = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return concat([random.oneIn(40) ? random.next() & 255 : tag], Uint8Array.from(head), content);
}

function generateSignature(random: Random): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let n = random.oneIn(20) ? random.below(4) : 2; n > 0; n--) {
    const scalar = random.oneIn(2)
      ? random.pick(SCALARS)
      : random.bytes(random.oneIn(3) ? random.below(40) : 32);
    const padded = scalar[0]! > 127 && !random.oneIn(10) ? concat([0], scalar) : scalar;
    parts.push(element(random, 2, padded));
  }
  const whole = element(random, 0x30, concat(...parts));
  return random.oneIn(30) ? concat(whole, random.bytes(1)) : whole;
}

function integer(bytes: Uint8Array): number[] {
  let from = 0;
  while (bytes[from] === 0) from++;
  const digits = [...bytes.subarray(from)];
  if (digits[0]! > 127) digits.unshift(0);
  return [2, digits.length, ...digits];
}

export const ecdsaSignature: FuzzTarget = {
  name: "der-signature",
  corpus: [
    hex(signed.EC_CERTIFICATE_SIGNATURE),
    hex(signed.EC_KEY_SIGNATURE),
    hex("3006020101020101"),
    hex("3006020100020100"),
  ],
  dictionary: [...SCALARS, hex("0201"), hex("30"), hex("8100"), hex("820000")],
  maxLength: 600,
  generate: generateSignature,
  run: (input) =>
    outcome(
      () => parseEcdsaSignature(input),
      ["signature-check"],
      ([r, s]) => {
        for (const half of [r!, s!]) {
          must(half.length === 32, "r and s have 32 bytes");
          const value = BigInt(`0x${toHex(half)}`);
          must(value > 0n && value < N, "r and s are from 1 to n − 1");
        }
        const body = [...integer(r!), ...integer(s!)];
        must(toHex(input) === toHex(Uint8Array.from([0x30, body.length, ...body])), "DER has one form");
      },
    ),
};

function checkKey(key: PublicKey): void {
  if (key.algorithm === "sig-sha256-ecdsa") must(key.point.length === 65 && key.point[0] === 4, "a point");
  else {
    const { modulus, exponent } = key;
    must(
      modulus.length >= 256 && modulus.length <= 512 && modulus[0] !== 0,
      "a modulus of 2048 to 4096 bits",
    );
    must(exponent.length > 0 && exponent.length <= 4 && exponent[0] !== 0, "an exponent of 32 bits at most");
    must(modulus.at(-1)! % 2 === 1 && exponent.at(-1)! % 2 === 1, "both are odd");
  }
}

const PEMS = [
  signed.EC_CERTIFICATE,
  signed.EC_KEY,
  signed.RSA_CERTIFICATE,
  signed.RSA_KEY,
  signed.EC_KEY_COMPRESSED,
  signed.P384_KEY,
];
const KEYS = PEMS.map((pem) => decodeBase64(pem.split("-----")[2]!, 4096));

export const publicKey: FuzzTarget = {
  name: "der-key",
  corpus: KEYS,
  dictionary: [
    "06072a8648ce3d0201",
    "06082a8648ce3d030107",
    "06092a864886f70d010101",
    "0500",
    "0203010001",
    "3000",
    "a003020102",
  ].map(hex),
  run: (input) => outcome(() => parsePublicKey(input), ["signature-check", "bad-key"], checkKey),
};

export const trustedKeys: FuzzTarget = {
  name: "trusted-keys",
  corpus: [...PEMS.map(ascii), ...KEYS, KEYS[1]!.slice(-65)],
  dictionary: ["-----BEGIN ", "-----END ", "CERTIFICATE-----", "PUBLIC KEY-----", "\r\n", "=", "PRIVATE"].map(
    ascii,
  ),
  weight: 0.5,
  run(input) {
    try {
      new TrustedKeys({ key: input });
    } catch (error) {
      if (error instanceof TypeError && error.message.startsWith('trusted key "key": '))
        return error.message.replace(/\d+/g, "#").slice(0, 80);
      throw error;
    }
    return TAKEN;
  },
};
