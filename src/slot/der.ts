/**
 * The DER (X.690) this agent needs, read strictly: signatures of ECDSA, public keys, certificates. What an
 * attacker sends is checked here, before any cryptographic library sees it.
 * @module
 */
import { toHex } from "../bytes.js";
import { OtaError, type OtaErrorCode } from "../errors.js";

/** A public key, and the algorithm of the signatures it can check. */
export type PublicKey =
  /** 65 bytes: an uncompressed point on P-256. */
  | { readonly algorithm: "sig-sha256-ecdsa"; readonly point: Uint8Array }
  /** Big-endian, without leading zeros. */
  | { readonly algorithm: "sig-sha256-rsa"; readonly modulus: Uint8Array; readonly exponent: Uint8Array };

/** `[0]`, the version of a certificate. */
const VERSION = 0xa0;

/** Tags, of elements in a row: SEQUENCE; two INTEGER; SEQUENCE and BIT STRING. */
const SEQUENCE = Object.freeze([0x30]);
const INTEGERS = Object.freeze([0x02, 0x02]);
const KEY_INFO = Object.freeze([0x30, 0x03]);

/** AlgorithmIdentifier of id-ecPublicKey on secp256r1 (RFC 5480) and of rsaEncryption (RFC 3279), with the NULL. */
const P256 = "06072a8648ce3d020106082a8648ce3d030107";
const RSA = "06092a864886f70d0101010500";
/** How an AlgorithmIdentifier of any curve begins. */
const EC = "06072a8648ce3d0201";

/** P-256 (FIPS 186-4 D.1.2.3): prime of the field, b, order of the group. */
const P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;
const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** Modulus of RSA-2048 … RSA-4096, in bytes. */
const MIN_MODULUS = 256;
const MAX_MODULUS = 512;
/** Most elements in a row: a TBSCertificate has ten (RFC 5280 §4.1). */
const MAX_ELEMENTS = 16;
/** Longest public exponent, in bytes. */
const MAX_EXPONENT = 4;

/** @throws OtaError "bad-key" or `code` */
export function fail(why: string, code: OtaErrorCode = "bad-key"): never {
  throw new OtaError(code, why);
}

/** Whoever configures a key sees the text alone; the code is for signatures, which come from anywhere. */
function invalid(why: string): never {
  fail(`DER is not valid: ${why}`, "signature-check");
}

/** The number that big-endian bytes stand for; 0 for none. */
export function toBigInt(bytes: Uint8Array): bigint {
  return BigInt(`0x0${toHex(bytes)}`);
}

/**
 * The contents of the elements that `der` consists of.
 * @param tags what they must be, in this order; without it they may be anything
 */
function elements(der: Uint8Array, tags?: readonly number[]): Uint8Array[] {
  const contents: Uint8Array[] = [];
  let at = 0;
  while (at < der.length) {
    const { length: n } = contents;
    if (tags && der[at] !== tags[n]) invalid("another element than expected");
    if (n === MAX_ELEMENTS) invalid("too many elements");
    const form = der[++at];
    let length = form < 0x80 ? form : 0;
    for (let rest = form - 0x80; rest > 0; rest--) length = (length << 8) | der[++at];
    at++;
    const end = at + length;
    if (!(end <= der.length)) invalid("an element overruns its parent");
    // Nothing here takes over two bytes of length.
    if (form !== (length > 0xff ? 0x82 : length > 0x7f ? 0x81 : length))
      invalid("a length is not in its shortest form");
    contents.push(der.subarray(at, end));
    at = end;
  }
  if (tags && contents.length !== tags.length) invalid("an element is missing");
  return contents;
}

/** An INTEGER that is not negative, in as few bytes as can be: without its leading zero, none are left of 0. */
function unsigned(bytes: Uint8Array): Uint8Array {
  const zero = bytes[0] === 0;
  if (!(bytes[0] < 0x80)) invalid("a number is negative or empty");
  if (zero && bytes[1] < 0x80) invalid("a number has a zero too many");
  return zero ? bytes.subarray(1) : bytes;
}

/** The two numbers of a sequence. */
function numbers(der: Uint8Array): Uint8Array[] {
  return elements(elements(der, SEQUENCE)[0], INTEGERS).map(unsigned);
}

/** One half of a signature: 32 bytes. */
function scalar(bytes: Uint8Array): Uint8Array {
  const value = toBigInt(bytes);
  if (!value || value >= N) invalid("r or s is not from 1 to n - 1");
  const padded = new Uint8Array(32);
  padded.set(bytes, 32 - bytes.length);
  return padded;
}

/**
 * Reads an ECDSA-Sig-Value (RFC 3279 §2.2.3) for P-256.
 * @returns r and s, 32 bytes each, from 1 to n − 1: 0 would pass or hang libraries that do not look
 * @throws OtaError "signature-check"
 */
export function parseEcdsaSignature(der: Uint8Array): Uint8Array[] {
  return numbers(der).map(scalar);
}

/**
 * Checks an uncompressed point of P-256 (SEC 1 §3.2.2): 0x04, x, y, on the curve. P-256 has no other subgroup.
 * @throws OtaError "bad-key"
 */
export function parsePoint(point: Uint8Array): PublicKey {
  const x = toBigInt(point.subarray(1, 33));
  const y = toBigInt(point.subarray(33));
  if (point.length !== 65 || point[0] !== 4 || x >= P || y >= P || (y * y - x * x * x + 3n * x - B) % P)
    fail("key is no uncompressed point on P-256");
  return { algorithm: "sig-sha256-ecdsa", point: point.slice() };
}

function parseRsaKey(der: Uint8Array): PublicKey {
  const [modulus, exponent] = numbers(der);
  const { length } = modulus;
  const value = Number(toBigInt(exponent));
  if (
    length < MIN_MODULUS ||
    length > MAX_MODULUS ||
    modulus[length - 1] % 2 === 0 ||
    exponent.length > MAX_EXPONENT ||
    value < 3 ||
    value % 2 === 0
  )
    fail("RSA key must have 2048 to 4096 bits and an odd exponent");
  return { algorithm: "sig-sha256-rsa", modulus: modulus.slice(), exponent: exponent.slice() };
}

/**
 * Reads the public key of a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) or of an X.509 certificate. Of a certificate
 * nothing else is looked at: neither its issuer's signature nor its validity; to be configured as trusted is what
 * makes it so.
 * @throws OtaError "bad-key"; "signature-check" when it is no DER
 */
export function parsePublicKey(der: Uint8Array): PublicKey {
  let info = elements(der, SEQUENCE)[0];
  // Certificate: tbsCertificate, signatureAlgorithm, signature; the key comes behind serial number, signature,
  // issuer, validity, subject (RFC 5280 §4.1).
  const [body, , signature] = elements(info);
  if (signature) info = elements(body)[body[0] === VERSION ? 6 : 5] ?? invalid("the certificate has no key");
  const [algorithm, bits] = elements(info, KEY_INFO);
  if (bits[0] !== 0) invalid("the key is no whole number of bytes");
  const key = bits.subarray(1);
  const name = toHex(algorithm);
  if (name === P256) return parsePoint(key);
  if (name !== RSA)
    fail(name.startsWith(EC) ? "key is on another curve than P-256" : "key is neither P-256 nor RSA");
  return parseRsaKey(key);
}
