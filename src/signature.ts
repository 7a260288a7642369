/**
 * Which keys may sign firmware, and whether one of them did. Algorithms of AWS code signing:
 * `sig-sha256-ecdsa` (P-256, DER) and `sig-sha256-rsa` (RSASSA-PKCS1-v1_5, 2048 to 4096 bits).
 * @module
 */
import { decodeBase64 } from "./base64.js";
import { decodeUtf8 } from "./bytes.js";
import { type PublicKey, parseEcdsaSignature, parsePoint, parsePublicKey } from "./der.js";
import { OtaError, type OtaErrorCode } from "./errors.js";
import type { JobFile } from "./job-document.js";
import type { Crypto } from "./ports.js";

/**
 * A public key: an X.509 certificate or a SubjectPublicKeyInfo, as PEM (text or its bytes) or DER, or the 65
 * bytes of an uncompressed P-256 point.
 */
export type TrustedKey = string | Uint8Array;

/** Longest certificate, in bytes. */
const MAX_CERTIFICATE = 8192;

function fail(code: OtaErrorCode, why: string): never {
  throw new OtaError(code, why);
}

/** The bytes of the one certificate or public key in a PEM text (RFC 7468). */
function decodePem(pem: string): Uint8Array {
  const [, ...parts] = pem.split("-----BEGIN ");
  // The issuers of a chain must not become signers of firmware.
  if (parts.length !== 1) fail("bad-key", `PEM has ${parts.length} objects, not one`);
  const [label, body] = parts[0].split("-----");
  if (label !== "CERTIFICATE" && label !== "PUBLIC KEY")
    fail("bad-key", `PEM of a ${label} is no public key`);
  if (!parts[0].includes(`-----END ${label}-----`)) fail("bad-key", "PEM is cut");
  return decodeBase64(body, MAX_CERTIFICATE);
}

function parseKey(key: TrustedKey): PublicKey {
  if (typeof key === "string") return parsePublicKey(decodePem(key));
  if (!(key instanceof Uint8Array)) fail("bad-key", "key is neither text nor bytes");
  if (key[0] === 0x04) return parsePoint(key);
  return parsePublicKey(key[0] === 0x30 ? key : decodePem(decodeUtf8(key)));
}

/** True when big-endian `a` is less than `b`, which is as long. */
function isLess(a: Uint8Array, b: Uint8Array): boolean {
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return a[at] < b[at];
  return false;
}

function check(crypto: Crypto, digest: Uint8Array, key: PublicKey, signature: Uint8Array): boolean {
  if (key.algorithm === "sig-sha256-ecdsa") {
    const { r, s } = parseEcdsaSignature(signature);
    return crypto.verifyEcdsaP256(key.point, digest, r, s);
  }
  const { modulus, exponent } = key;
  // RFC 8017 §8.2.2 step 1 and §5.2.2 step 1: as long as the modulus, and less.
  return (
    signature.length === modulus.length &&
    isLess(signature, modulus) &&
    crypto.verifyRsa(modulus, exponent, digest, signature)
  );
}

/**
 * The keys firmware may be signed with, under the names jobs call them by (`certfile`).
 *
 * The name must match exactly. The entry "" stands for every name that has no entry of its own, no name included;
 * without it such a job is refused. An entry may hold several keys, all of them good: so a key is rotated by one
 * release that trusts the old and the new one, and revoked by a later one that trusts the new one alone.
 *
 * @example
 * new TrustedKeys({ "signer.pem": [currentCertificate, nextCertificate] })
 */
export class TrustedKeys {
  readonly #entries = new Map<string, readonly PublicKey[]>();

  /** @throws TypeError naming the entry whose key can not be used, or when there is no key at all */
  constructor(entries: Readonly<Record<string, TrustedKey | readonly TrustedKey[]>>) {
    for (const [name, keys] of Object.entries(entries)) {
      const list = Array.isArray(keys) ? (keys as readonly TrustedKey[]) : [keys as TrustedKey];
      try {
        this.#entries.set(name, list.map(parseKey));
        if (list.length === 0) fail("bad-key", "no key");
      } catch (error) {
        throw new TypeError(`trusted key "${name}": ${(error as Error).message}`);
      }
    }
    if (this.#entries.size === 0) throw new TypeError("there are no trusted keys");
  }

  /**
   * The keys that may have signed `file`, at least one: tells before a download what will be refused after it.
   * @throws OtaError "signature-missing" or "bad-signer"
   */
  require(file: JobFile): readonly PublicKey[] {
    const { signature, unknownSignature, certFile } = file;
    if (!signature)
      fail(
        "signature-missing",
        unknownSignature ? `${unknownSignature} is not supported` : "the file is not signed",
      );
    const entry = this.#entries.get(certFile) ?? this.#entries.get("");
    if (!entry) fail("bad-signer", `no trusted key for certfile "${certFile}"`);
    const keys = entry.filter((key) => key.algorithm === signature.algorithm);
    if (keys.length === 0) fail("bad-signer", `no trusted key for ${signature.algorithm} by "${certFile}"`);
    return keys;
  }

  /**
   * Checks the signature of a file.
   * @param digest SHA-256 of the whole file
   * @throws OtaError "signature-missing", "bad-signer" or "signature-check"
   */
  verify(crypto: Crypto, digest: Uint8Array, file: JobFile): void {
    const keys = this.require(file);
    const { bytes } = file.signature as NonNullable<JobFile["signature"]>;
    let why = "";
    try {
      for (const key of keys) if (check(crypto, digest, key, bytes)) return;
    } catch (error) {
      if (!(error instanceof OtaError)) throw error;
      why = `: ${error.message}`;
    }
    fail("signature-check", `the signature is not one of "${file.certFile}" for this file${why}`);
  }
}
