/**
 * The DER (X.690) this agent needs, read strictly: signatures of ECDSA, public keys, certificates. What an
 * attacker sends is checked here, before any cryptographic library sees it.
 * @module
 */
import { toHex } from "./bytes.js";
import { OtaError, type OtaErrorCode } from "./errors.js";

/** A public key, and the algorithm of the signatures it can check. */
export type PublicKey =
  /** 65 bytes: an uncompressed point on P-256. */
  | { readonly algorithm: "sig-sha256-ecdsa"; readonly point: Uint8Array }
  /** Big-endian, without leading zeros. */
  | { readonly algorithm: "sig-sha256-rsa"; readonly modulus: Uint8Array; readonly exponent: Uint8Array };

const INTEGER = 0x02;
const BIT_STRING = 0x03;
const NULL = 0x05;
const OBJECT_IDENTIFIER = 0x06;
const SEQUENCE = 0x30;
/** `[0]`, the version of a certificate. */
const VERSION = 0xa0;

/** Object identifiers: id-ecPublicKey and secp256r1 (RFC 5480), rsaEncryption (RFC 3279). */
const EC = "2a8648ce3d0201";
const P256 = "2a8648ce3d030107";
const RSA = "2a864886f70d010101";

/** P-256 (FIPS 186-4 D.1.2.3): prime of the field, b, order of the group. */
const P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;
const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** Modulus of RSA-2048 … RSA-4096, in bytes. */
const MIN_MODULUS = 256;
const MAX_MODULUS = 512;
/** Longest public exponent, in bytes. */
const MAX_EXPONENT = 4;

function fail(why: string, code: OtaErrorCode = "bad-der"): never {
  throw new OtaError(code, why);
}

function toBigInt(bytes: Uint8Array): bigint {
  return BigInt(`0x0${toHex(bytes)}`);
}

/** Reads the elements of one constructed value, or of a whole text. */
class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Tag of the next element; undefined at the end. */
  get tag(): number | undefined {
    return this.#bytes[this.#at];
  }

  /** Content of the next element, which must have `tag`. */
  next(tag: number): Uint8Array {
    const bytes = this.#bytes;
    let at = this.#at;
    if (bytes[at++] !== tag) fail(`DER lacks an element 0x${tag.toString(16)}`);
    let length = bytes[at++];
    if (length > 0x7f) {
      // 0x80 is the indefinite form of BER; nothing here takes more than two bytes.
      const size = length & 0x7f;
      if (size === 0 || size > 2) fail("DER has an impossible length");
      length = size === 1 ? bytes[at] : (bytes[at] << 8) | bytes[at + 1];
      at += size;
      if (length < (size === 1 ? 0x80 : 0x100)) fail("DER has a length that is not minimal");
    }
    if (!(at + length <= bytes.length)) fail("DER is cut");
    this.#at = at + length;
    return bytes.subarray(at, this.#at);
  }

  /** The elements of the next element, a sequence. */
  sequence(): Reader {
    return new Reader(this.next(SEQUENCE));
  }

  /** The next element, an INTEGER that is not negative: its bytes without leading zeros, none for 0. */
  unsigned(): Uint8Array {
    const bytes = this.next(INTEGER);
    if (bytes.length === 0) fail("DER has an empty integer");
    if (bytes[0] > 0x7f) fail("DER has a negative integer");
    if (bytes[0] !== 0) return bytes;
    if (bytes.length > 1 && bytes[1] < 0x80) fail("DER has an integer that is not minimal");
    return bytes.subarray(1);
  }

  end(): void {
    if (this.#at !== this.#bytes.length) fail("DER has trailing bytes");
  }
}

/** One half of a signature: 32 bytes. */
function scalar(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0 || bytes.length > 32 || toBigInt(bytes) >= N) fail("r or s is not from 1 to n − 1");
  const padded = new Uint8Array(32);
  padded.set(bytes, 32 - bytes.length);
  return padded;
}

/**
 * Reads an ECDSA-Sig-Value (RFC 3279 §2.2.3) for P-256.
 * @returns r and s, 32 bytes each, from 1 to n − 1: 0 would pass or hang libraries that do not look
 * @throws OtaError "bad-der"
 */
export function parseEcdsaSignature(der: Uint8Array): { r: Uint8Array; s: Uint8Array } {
  const outer = new Reader(der);
  const inner = outer.sequence();
  outer.end();
  const r = scalar(inner.unsigned());
  const s = scalar(inner.unsigned());
  inner.end();
  return { r, s };
}

/**
 * Checks an uncompressed point of P-256 (SEC 1 §3.2.2): 0x04, x, y, on the curve. P-256 has no other subgroup.
 * @throws OtaError "bad-key"
 */
export function parsePoint(point: Uint8Array): PublicKey {
  if (point.length !== 65 || point[0] !== 4) fail("key is no uncompressed P-256 point", "bad-key");
  const x = toBigInt(point.subarray(1, 33));
  const y = toBigInt(point.subarray(33));
  if (x >= P || y >= P || (y * y - x * x * x + 3n * x - B) % P !== 0n)
    fail("key is no point on P-256", "bad-key");
  return { algorithm: "sig-sha256-ecdsa", point: point.slice() };
}

function parseRsaKey(bytes: Uint8Array): PublicKey {
  const outer = new Reader(bytes);
  const inner = outer.sequence();
  outer.end();
  const modulus = inner.unsigned();
  const exponent = inner.unsigned();
  inner.end();
  const { length } = modulus;
  if (length < MIN_MODULUS || length > MAX_MODULUS || modulus[length - 1] % 2 === 0)
    fail("RSA modulus must be odd and have 2048 to 4096 bits", "bad-key");
  const last = exponent.length - 1;
  if (last < 0 || last >= MAX_EXPONENT || exponent[last] % 2 === 0 || (last === 0 && exponent[0] === 1))
    fail("RSA exponent must be odd, above 1 and below 2^32", "bad-key");
  return { algorithm: "sig-sha256-rsa", modulus: modulus.slice(), exponent: exponent.slice() };
}

/** SubjectPublicKeyInfo (RFC 5280 §4.1.2.7), without its outer header. */
function parseKeyInfo(info: Reader): PublicKey {
  const algorithm = info.sequence();
  const bits = info.next(BIT_STRING);
  info.end();
  if (bits[0] !== 0) fail("DER has a bit string that is no whole bytes");
  const key = bits.subarray(1);
  const name = toHex(algorithm.next(OBJECT_IDENTIFIER));
  if (name === EC) {
    if (toHex(algorithm.next(OBJECT_IDENTIFIER)) !== P256)
      fail("key is on a curve other than P-256", "bad-key");
    algorithm.end();
    return parsePoint(key);
  }
  if (name !== RSA) fail("key is neither P-256 nor RSA", "bad-key");
  if (algorithm.next(NULL).length !== 0) fail("DER has a NULL that is none");
  algorithm.end();
  return parseRsaKey(key);
}

/**
 * Reads the public key of a SubjectPublicKeyInfo or of an X.509 certificate. Of a certificate nothing else is
 * looked at: neither its issuer's signature nor its validity; to be configured as trusted is what makes it so.
 * @throws OtaError "bad-der" or "bad-key"
 */
export function parsePublicKey(der: Uint8Array): PublicKey {
  const outer = new Reader(der);
  const body = outer.next(SEQUENCE);
  outer.end();
  const elements = new Reader(body);
  const first = elements.sequence();
  if (first.tag === OBJECT_IDENTIFIER) return parseKeyInfo(new Reader(body));
  // Certificate: tbsCertificate (read so far), signatureAlgorithm, signature (RFC 5280 §4.1).
  elements.next(SEQUENCE);
  elements.next(BIT_STRING);
  elements.end();
  if (first.tag === VERSION) first.next(VERSION);
  first.next(INTEGER);
  // signature, issuer, validity, subject
  for (let n = 0; n < 4; n++) first.next(SEQUENCE);
  return parseKeyInfo(first.sequence());
}
