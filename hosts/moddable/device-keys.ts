/**
 * What a device proves its identity with, wherever it lies: outside of the image, which is the same for all devices and leaves the
 * factory in many hands. Pure.
 * @module
 */
import { checkPair } from "./key-pair.js";
import type { TlsOptions } from "./network.js";

/** What a source is asked for: the authority's certificate, the device's certificate, its private key. */
export type KeyPart = "root" | "cert" | "key";

/** Certificates in DER, the key in PKCS #8, DER, RSA; undefined for what is not there. */
export type KeySource = (part: KeyPart) => Uint8Array | undefined;

/** For `connectAws({ endpoint, thingName, ...keys })`, or `tlsWith(keys)` for any other server. */
export interface DeviceKeys {
  readonly rootCertificate: Uint8Array;
  readonly certificate: Uint8Array;
  /** Asked at each connection, so that the key is nowhere between. */
  readonly key: () => Uint8Array;
}

/** @param where it should be, for the error @throws Error naming what is not there */
function required(source: KeySource, part: KeyPart, where: string): Uint8Array {
  const bytes = source(part);
  if (!bytes?.length) throw new Error(`no "${part}" in ${where}`);
  return bytes;
}

/**
 * Keys from a source of the product's own, such as a secure element or its file system.
 * @param where they come from, for error messages
 * @throws Error when a part is missing; TypeError when certificate and key do not belong together
 */
export function keysFrom(source: KeySource, where = "the source of keys"): DeviceKeys {
  const [rootCertificate, certificate] = (["root", "cert"] as const).map((part) =>
    required(source, part, where),
  );
  // A device without a key, or with another's, is noticed at the start, not at its first connection.
  checkPair(certificate, required(source, "key", where));
  return { rootCertificate, certificate, key: () => required(source, "key", where) };
}

/** The TLS options of a connection that proves the device's identity. @param more such as `serverName` */
export function tlsWith({ rootCertificate, certificate, key }: DeviceKeys, more?: TlsOptions): TlsOptions {
  return {
    certificate: rootCertificate,
    clientCertificates: [certificate],
    ...more,
    // The SDK's socket copies these options whenever it connects.
    get clientKey() {
      return key();
    },
  };
}
