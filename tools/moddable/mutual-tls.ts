/**
 * What mutual TLS takes on the desk: an authority, a certificate for the broker and one for the device, all RSA, as
 * the SDK's TLS signs with RSA only.
 * @module
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildNvs } from "../../hosts/formats/nvs-builder.js";
import type { Sdk } from "./sdk.js";

export interface MutualTls {
  /** Lines for mosquitto.conf that demand a certificate of the device. */
  readonly settings: readonly string[];
  /** The device's partition "nvs": the authority, its certificate, its key. */
  readonly nvs: Uint8Array;
}

/** Makes them with OpenSSL. @throws BuildError */
export async function makeMutualTls(sdk: Sdk): Promise<MutualTls> {
  const directory = join(sdk.output, "tls");
  mkdirSync(directory, { recursive: true });
  const openssl = (...args: string[]) => sdk.call("openssl", args, directory);
  const key = (name: string) => ["-newkey", "rsa:2048", "-nodes", "-keyout", `${name}.key`];
  await openssl("req", "-x509", ...key("ca"), "-subj", "/CN=desk CA", "-days", "30", "-out", "ca.pem");
  for (const name of ["broker", "device"]) {
    await openssl("req", ...key(name), "-subj", `/CN=${name}`, "-out", `${name}.csr`);
    writeFileSync(join(directory, `${name}.ext`), "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
    const ca = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30", "-sha256"];
    await openssl(
      "x509",
      "-req",
      "-in",
      `${name}.csr`,
      ...ca,
      "-extfile",
      `${name}.ext`,
      "-out",
      `${name}.pem`,
    );
  }
  // The SDK's check of the server's name needs the issuer sent along.
  const text = (name: string) => readFileSync(join(directory, name), "utf8");
  writeFileSync(join(directory, "chain.pem"), text("broker.pem") + text("ca.pem"));
  await openssl("x509", "-in", "ca.pem", "-outform", "DER", "-out", "ca.der");
  await openssl("x509", "-in", "device.pem", "-outform", "DER", "-out", "device.der");
  await openssl(
    "pkcs8",
    "-topk8",
    "-nocrypt",
    "-in",
    "device.key",
    "-outform",
    "DER",
    "-out",
    "device-key.der",
  );
  const der = (name: string) => readFileSync(join(directory, name));
  return {
    settings: [
      `cafile ${join(directory, "ca.pem")}`,
      `certfile ${join(directory, "chain.pem")}`,
      `keyfile ${join(directory, "broker.key")}`,
      "require_certificate true",
      "tls_version tlsv1.2",
      // As root, mosquitto would become another user, who may not read these files.
      ...(process.getuid?.() === 0 ? ["user root"] : []),
    ],
    nvs: buildNvs(
      Object.entries({ root: "ca.der", cert: "device.der", key: "device-key.der" }).map(([key, file]) => ({
        namespace: "xs-ota-tls",
        key,
        value: der(file),
      })),
      0x4000,
    ),
  };
}
