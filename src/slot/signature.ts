/**
 * Which keys may sign firmware, and whether one of them did. Algorithms of AWS code signing:
 * `sig-sha256-ecdsa` (P-256, DER) and `sig-sha256-rsa` (RSASSA-PKCS1-v1_5, 2048 to 4096 bits).
 * @module
 */
import { decodeBase64 } from "../base64.js";
import { decodeUtf8 } from "../bytes.js";
import type { JobFile } from "../control/job-document.js";
import type { Crypto } from "../ports.js";
import { fail, type PublicKey, parseEcdsaSignature, parsePoint, parsePublicKey, toBigInt } from "./der.js";

/**
 * A public key: an X.509 certificate or a SubjectPublicKeyInfo, as PEM (text or its bytes) or DER, or the 65
 * bytes of an uncompressed P-256 point.
 */
export type TrustedKey = string | Uint8Array;

/** Longest certificate, in bytes. */
const MAX_CERTIFICATE = 8192;

/**
 * The bytes of the one certificate or public key in a PEM text (RFC 7468), also as it comes out of sources: indented,
 * with blanks behind its lines, with `\\n` written as two characters.
 */
function decodePem(pem: string): Uint8Array {
  const parts = pem.split("-----");
  const [, begin, body, end] = parts;
  // One object alone: the issuers of a chain must not become signers of firmware.
  if (
    parts.length !== 5 ||
    (begin !== "BEGIN CERTIFICATE" && begin !== "BEGIN PUBLIC KEY") ||
    end !== begin.replace("BEGIN", "END")
  )
    fail("PEM is not of one certificate or public key");
  return decodeBase64(body.replace(/\\[rn]|\s/g, ""), MAX_CERTIFICATE);
}

function parseKey(key: TrustedKey): PublicKey {
  if (typeof key === "string") return parsePublicKey(decodePem(key));
  if (key[0] === 0x04) return parsePoint(key);
  return parsePublicKey(key[0] === 0x30 ? key : decodePem(decodeUtf8(key)));
}

function check(crypto: Crypto, digest: Uint8Array, key: PublicKey, signature: Uint8Array): boolean {
  if (key.algorithm === "sig-sha256-ecdsa") {
    const [r, s] = parseEcdsaSignature(signature);
    return crypto.verifyEcdsaP256(key.point, digest, r, s);
  }
  const { modulus, exponent } = key;
  // RFC 8017 §8.2.2 step 1 and §5.2.2 step 1: as long as the modulus, and less.
  return (
    signature.length === modulus.length &&
    toBigInt(signature) < toBigInt(modulus) &&
    crypto.verifyRsa(modulus, exponent, digest, signature)
  );
}

function isEcdsaSignature(bytes: Uint8Array): boolean {
  try {
    return parseEcdsaSignature(bytes).length > 0;
  } catch {
    return false;
  }
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

  /** @throws TypeError naming the entry whose key cannot be used, or when there is no key at all */
  constructor(entries: Readonly<Record<string, TrustedKey | readonly TrustedKey[]>>) {
    for (const [name, keys] of Object.entries(entries))
      try {
        const list = [keys as TrustedKey].flat().map(parseKey);
        if (list.length === 0) fail("no key");
        this.#entries.set(name, list);
      } catch (error) {
        throw new TypeError(`trusted key "${name}": ${(error as Error).message}`);
      }
    if (this.#entries.size === 0) throw new TypeError("there are no trusted keys");
  }

  /**
   * The keys that may have signed `file`, at least one: tells before a download what will be refused after it.
   * @throws OtaError "signature-missing", "bad-signer", or "signature-check" for what can be no signature of any of them
   */
  require(file: JobFile): readonly PublicKey[] {
    const { signature } = file;
    if (!signature)
      fail(
        file.unknownSignature ? `${file.unknownSignature} is not supported` : "the file is not signed",
        "signature-missing",
      );
    const keys = (this.#entries.get(file.certFile) ?? this.#entries.get(""))?.filter(
      (key) => key.algorithm === signature.algorithm,
    );
    if (!keys?.length) fail(`no trusted key for ${signature.algorithm} by "${file.certFile}"`, "bad-signer");
    // What no key can ever confirm.
    const { bytes } = signature;
    const isPossible = (key: PublicKey) =>
      key.algorithm === "sig-sha256-ecdsa" ? isEcdsaSignature(bytes) : key.modulus.length === bytes.length;
    if (!keys.some(isPossible))
      fail(`the ${bytes.length} bytes of ${signature.algorithm} are no signature`, "signature-check");
    return keys;
  }

  /**
   * Checks the signature of a file.
   * @param digest SHA-256 of the whole file
   * @throws OtaError "signature-missing", "bad-signer" or "signature-check"
   */
  verify(crypto: Crypto, digest: Uint8Array, file: JobFile): void {
    for (const key of this.require(file)) if (check(crypto, digest, key, file.signature!.bytes)) return;
    fail(`the signature is not one of "${file.certFile}" for this file`, "signature-check");
  }
}
