/**
 * Whether a private key and a certificate belong together, told without cryptography: both hold the same public key. Pure.
 * @module
 */

const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const SEQUENCE = 0x30;
/** `publicKey [1]` of an ECPrivateKey (RFC 5915). */
const EC_PUBLIC = 0xa1;
/** Shortest public key that is looked for, bytes: of what is shorter a certificate might hold the like by chance. */
const LEAST = 32;

interface Element {
  readonly tag: number;
  readonly content: Uint8Array;
}

/** The elements of DER (X.690) in a row; undefined when it is none. */
function elements(der: Uint8Array): Element[] | undefined {
  const found: Element[] = [];
  for (let at = 0; at < der.length; ) {
    const tag = der[at++];
    let length = der[at++];
    if (length > 0x80 && length < 0x84) {
      let count = length - 0x80;
      for (length = 0; count > 0; count--) length = length * 256 + der[at++];
    } else if (!(length < 0x80)) return undefined;
    if (!(at + length <= der.length)) return undefined;
    found.push({ tag, content: der.subarray(at, at + length) });
    at += length;
  }
  return found;
}

/** What is public of a private key: modulus, or point of the curve. Undefined when it cannot be told. */
function publicPart(key: Uint8Array): Uint8Array | undefined {
  const [outer] = elements(key) ?? [];
  let parts = outer?.tag === SEQUENCE ? elements(outer.content) : undefined;
  // PKCS #8 (RFC 5208): version, algorithm, and the key itself in an OCTET STRING.
  if (parts?.[1]?.tag === SEQUENCE && parts[2]?.tag === OCTET_STRING) {
    const [inner] = elements(parts[2].content) ?? [];
    parts = inner?.tag === SEQUENCE ? elements(inner.content) : undefined;
  }
  // PKCS #1 (RFC 8017): version, modulus …
  const second = parts?.[1];
  if (second?.tag === INTEGER) return second.content.subarray(second.content[0] === 0 ? 1 : 0);
  const [bits] = elements(parts?.find(({ tag }) => tag === EC_PUBLIC)?.content ?? new Uint8Array(0)) ?? [];
  return bits?.tag === BIT_STRING ? bits.content.subarray(1) : undefined;
}

/** None of what is elsewhere, such as in a file of the chip's. */
function bytesOf(material: unknown): Uint8Array {
  if (material instanceof Uint8Array) return material;
  return material instanceof ArrayBuffer ? new Uint8Array(material) : new Uint8Array(0);
}

function holds(whole: Uint8Array, part: Uint8Array): boolean {
  for (let at = whole.indexOf(part[0]); at >= 0; at = whole.indexOf(part[0], at + 1)) {
    let n = 1;
    while (n < part.length && whole[at + n] === part[n]) n++;
    if (n === part.length) return true;
  }
  return false;
}

/**
 * @param certificate of the device, DER
 * @param key PKCS #8 or PKCS #1, DER; one that cannot be read is left to TLS
 * @throws TypeError when the certificate is for another key: no server would ever take the connection
 */
export function checkPair(certificate: unknown, key: unknown): void {
  const whole = bytesOf(certificate);
  const own = publicPart(bytesOf(key));
  if (whole.length > 0 && own && own.length >= LEAST && !holds(whole, own))
    throw new TypeError("the device's certificate and its key do not belong together");
}
