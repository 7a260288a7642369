/**
 * A certificate authority for development: its root goes to the device, its server certificates to the service.
 * @module
 */
import "reflect-metadata";
import { createPrivateKey, randomBytes, webcrypto } from "node:crypto";
import { isIP } from "node:net";
import * as x509 from "@peculiar/x509";
import { cryptoKeys, exportPkcs8, generateKey, type KeyType, webAlgorithm } from "./signer.js";

export interface ServerCertificate {
  /** The certificate and its issuer, PEM: some clients verify no chain of one. */
  readonly cert: string;
  /** PKCS#8 in PEM. */
  readonly key: string;
}

const DAY = 86_400_000;
/** id-kp-serverAuth and id-kp-clientAuth (RFC 5280 §4.2.1.12). */
const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";

export class TestCa {
  /** PEM. */
  readonly certificate: string;
  /** PKCS#8 in PEM. */
  readonly privateKey: string;
  readonly #type: KeyType;

  /**
   * A new authority.
   * @param options.type of all keys; default rsa-2048, which every client knows
   * @param options.days how long the root is valid
   */
  static async create(options: { type?: KeyType; commonName?: string; days?: number } = {}): Promise<TestCa> {
    const { type = "rsa-2048", commonName = "xs-ota-agent test CA", days = 3650 } = options;
    const key = generateKey(type);
    const keys = await cryptoKeys(key);
    const root = await x509.X509CertificateGenerator.createSelfSigned(
      {
        ...validity(days),
        name: [{ CN: [commonName] }],
        keys,
        signingAlgorithm: webAlgorithm(key),
        extensions: [
          new x509.BasicConstraintsExtension(true, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
          await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
        ],
      },
      webcrypto,
    );
    return new TestCa(root.toString("pem"), exportPkcs8(key), type);
  }

  /** An authority made earlier, from its `certificate` and `privateKey`. */
  constructor(certificate: string, privateKey: string, type: KeyType = "rsa-2048") {
    this.certificate = certificate;
    this.privateKey = privateKey;
    this.#type = type;
  }

  /**
   * A certificate for a server.
   * @param hosts DNS names and IP addresses; the first is the common name
   * @param days how long it is valid; a negative number makes one that has expired
   * @throws RangeError without a host
   */
  async issue(hosts: readonly string[], days = 365): Promise<ServerCertificate> {
    if (hosts.length === 0) throw new RangeError("a server certificate needs at least one host");
    const names = hosts.map((value) => ({ type: isIP(value) ? ("ip" as const) : ("dns" as const), value }));
    return await this.#certify(hosts[0], days, SERVER_AUTH, [
      new x509.SubjectAlternativeNameExtension(names),
    ]);
  }

  /** A certificate by which a client shows who it is. @param commonName such as a thing's name */
  async issueClient(commonName: string, days = 3650): Promise<ServerCertificate> {
    return await this.#certify(commonName, days, CLIENT_AUTH, []);
  }

  async #certify(
    commonName: string,
    days: number,
    use: string,
    extensions: readonly x509.Extension[],
  ): Promise<ServerCertificate> {
    const caKey = createPrivateKey(this.privateKey);
    const { privateKey: signingKey } = await cryptoKeys(caKey);
    const root = new x509.X509Certificate(this.certificate);
    const key = generateKey(this.#type);
    const { publicKey } = await cryptoKeys(key);
    const leaf = await x509.X509CertificateGenerator.create(
      {
        ...validity(days),
        subject: [{ CN: [commonName] }],
        issuer: root.subject,
        publicKey,
        signingKey,
        signingAlgorithm: webAlgorithm(caKey),
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(
            x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment,
            true,
          ),
          new x509.ExtendedKeyUsageExtension([use]),
          ...extensions,
          await x509.AuthorityKeyIdentifierExtension.create(root, false, webcrypto),
        ],
      },
      webcrypto,
    );
    return { cert: `${leaf.toString("pem")}\n${this.certificate}\n`, key: exportPkcs8(key) };
  }
}

function validity(days: number) {
  const now = Date.now();
  const end = now + days * DAY;
  const serialNumber = `00${randomBytes(15).toString("hex")}`;
  return { serialNumber, notBefore: new Date(Math.min(now, end) - DAY), notAfter: new Date(end) };
}
