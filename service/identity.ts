/**
 * Signing keys and certificates as people have them in files: PEM, also indented, with trailing blanks or with `\n`
 * in two characters, and DER.
 * @module
 */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { type SigningIdentity, signatureKey } from "./signer.js";

const PEM = /-----BEGIN ([A-Z0-9 ]+)-----([\sA-Za-z0-9+/=]*)-----END \1-----/g;

/**
 * The private key in a file.
 * @throws TypeError when there is none, it is encrypted, or of a kind that cannot sign images
 */
export function readKeyFile(bytes: Uint8Array): KeyObject {
  const key = pemKey(bytes) ?? derKey(bytes);
  if (!key) throw new TypeError("not a private key in PEM or DER");
  signatureKey(key);
  return key;
}

/** The first certificate in a file. @throws TypeError when there is none, or its key cannot sign images */
export function readCertificateFile(bytes: Uint8Array): X509Certificate {
  const blocks = pemBlocks(bytes).filter(({ label }) => label === "CERTIFICATE");
  const der = blocks[0]?.der ?? (bytes[0] === 0x30 ? bytes : undefined);
  if (!der) throw new TypeError("not a certificate in PEM or DER");
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(der);
  } catch {
    throw new TypeError("the certificate cannot be read");
  }
  signatureKey(certificate.publicKey);
  return certificate;
}

/** @throws TypeError when the certificate is not the key's */
export function readIdentityFiles(keyFile: Uint8Array, certificateFile: Uint8Array): SigningIdentity {
  const key = readKeyFile(keyFile);
  const certificate = readCertificateFile(certificateFile);
  if (!certificate.checkPrivateKey(key)) throw new TypeError("key and certificate do not belong together");
  return {
    privateKeyPem: key.export({ type: "pkcs8", format: "pem" }).toString(),
    certificatePem: certificate.toString(),
  };
}

function pemKey(bytes: Uint8Array): KeyObject | undefined {
  const block = pemBlocks(bytes).find(({ label }) => label.endsWith("PRIVATE KEY"));
  if (!block) return undefined;
  if (block.label.startsWith("ENCRYPTED")) throw new TypeError("the key is encrypted");
  const type =
    block.label === "EC PRIVATE KEY" ? "sec1" : block.label === "RSA PRIVATE KEY" ? "pkcs1" : "pkcs8";
  try {
    return createPrivateKey({ key: Buffer.from(block.der), format: "der", type });
  } catch {
    throw new TypeError("the private key cannot be read");
  }
}

function derKey(bytes: Uint8Array): KeyObject | undefined {
  if (bytes[0] !== 0x30) return undefined;
  for (const type of ["pkcs8", "sec1", "pkcs1"] as const) {
    try {
      return createPrivateKey({ key: Buffer.from(bytes), format: "der", type });
    } catch {
      // The next form.
    }
  }
  return undefined;
}

function pemBlocks(bytes: Uint8Array): { label: string; der: Uint8Array }[] {
  const text = new TextDecoder().decode(bytes).replaceAll("\\r", "").replaceAll("\\n", "\n");
  return [...text.matchAll(PEM)].map(([, label, body]) => ({
    label,
    der: new Uint8Array(Buffer.from(body.replace(/\s/g, ""), "base64")),
  }));
}
