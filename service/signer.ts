/**
 * Code signing: keys, self-signed code-signing certificates, detached signatures in the forms AWS takes.
 * @module
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
  webcrypto,
} from "node:crypto";
import type { SignatureKey } from "./documents.js";

export type KeyType = "ecdsa-p256" | "rsa-2048" | "rsa-3072";

export interface SigningIdentity {
  /** PKCS#8. */
  readonly privateKeyPem: string;
  readonly certificatePem: string;
}

export interface ImageSignature {
  /** The document's key for this algorithm. */
  readonly key: SignatureKey;
  /** Base64; ECDSA: DER SEQUENCE of r and s; RSA: the PKCS#1 v1.5 block. */
  readonly value: string;
}

const DAY = 86_400_000;
/** id-kp-codeSigning (RFC 5280 §4.2.1.12). */
const CODE_SIGNING = "1.3.6.1.5.5.7.3.3";

/**
 * A new key with a self-signed code-signing certificate, as AWS Signer asks for.
 * @param options.commonName subject and issuer
 * @param options.days how long the certificate is valid
 */
export async function generateIdentity(
  options: { type?: KeyType; commonName?: string; days?: number } = {},
): Promise<SigningIdentity> {
  const { type = "ecdsa-p256", commonName = "xs-ota-agent code signing", days = 3650 } = options;
  // Most programs sign and verify alone: they start in half the time without.
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  const privateKey = generateKey(type);
  const now = Date.now();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: [{ CN: [commonName] }],
      notBefore: new Date(now - DAY),
      notAfter: new Date(now + days * DAY),
      keys: await cryptoKeys(privateKey),
      signingAlgorithm: webAlgorithm(privateKey),
      extensions: [
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([CODE_SIGNING]),
      ],
    },
    webcrypto,
  );
  return { privateKeyPem: exportPkcs8(privateKey), certificatePem: certificate.toString("pem") };
}

/** @throws RangeError for another `type` */
export function generateKey(type: KeyType): KeyObject {
  switch (type) {
    case "ecdsa-p256":
      return generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
    case "rsa-2048":
    case "rsa-3072":
      return generateKeyPairSync("rsa", { modulusLength: Number(type.slice(4)) }).privateKey;
    default:
      throw new RangeError(`"${type}" is no key type; use ecdsa-p256, rsa-2048 or rsa-3072`);
  }
}

/** PKCS#8 in PEM. */
export function exportPkcs8(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }).toString();
}

/** The key as the X.509 library takes it. */
export async function cryptoKeys(privateKey: KeyObject): Promise<webcrypto.CryptoKeyPair> {
  const algorithm = webAlgorithm(privateKey);
  const pkcs8 = privateKey.export({ type: "pkcs8", format: "der" });
  const spki = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  return {
    privateKey: await webcrypto.subtle.importKey("pkcs8", pkcs8, algorithm, true, ["sign"]),
    publicKey: await webcrypto.subtle.importKey("spki", spki, algorithm, true, ["verify"]),
  };
}

/** How `key` signs a certificate. */
export function webAlgorithm(key: KeyObject) {
  return key.asymmetricKeyType === "rsa"
    ? { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }
    : { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
}

/**
 * The document's key name for signatures of this key.
 * @throws TypeError when it is neither P-256 nor RSA with 2048 or 3072 bits
 */
export function signatureKey(key: KeyObject): SignatureKey {
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === "ec" && namedCurve === "prime256v1") return "sig-sha256-ecdsa";
  if (key.asymmetricKeyType === "rsa" && (modulusLength === 2048 || modulusLength === 3072))
    return "sig-sha256-rsa";
  throw new TypeError("images are signed with ECDSA P-256, RSA-2048 or RSA-3072 keys");
}

/** Reads a private key in PEM. @throws TypeError when it is none, or of a kind that cannot sign images */
export function readPrivateKey(pem: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (error) {
    throw new TypeError(`not a private key in PEM: ${(error as Error).message}`);
  }
  signatureKey(key);
  return key;
}

/**
 * Signs the bytes of an image with SHA-256.
 * @param privateKey PEM or key object
 * @throws TypeError for a key that cannot sign images
 */
export function signImage(image: Uint8Array, privateKey: string | KeyObject): ImageSignature {
  const key = typeof privateKey === "string" ? readPrivateKey(privateKey) : privateKey;
  return { key: signatureKey(key), value: sign("sha256", image, key).toString("base64") };
}

/**
 * True when `signature` is the signature of `image`.
 * @param publicKey certificate, public or private key in PEM
 * @throws TypeError when `publicKey` is none, or of a kind that cannot sign images
 */
export function verifyImage(image: Uint8Array, signature: string, publicKey: string): boolean {
  let key: KeyObject;
  try {
    key = createPublicKey(publicKey);
  } catch (error) {
    throw new TypeError(`neither certificate nor key in PEM: ${(error as Error).message}`);
  }
  signatureKey(key);
  return verify("sha256", image, key, Buffer.from(signature, "base64"));
}
