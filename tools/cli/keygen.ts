/**
 * `xs-ota keygen`
 * @module
 */
import { X509Certificate } from "node:crypto";
import { rmSync } from "node:fs";
import { Command, Option } from "commander";
import type { KeyType } from "../../service/signer.js";
import { refuseExisting, writeNew } from "./files.js";
import { examples, jsonOption, SIGNER_NAME, wholeNumber } from "./options.js";
import { paint, print, printJson } from "./text.js";

interface KeygenOptions {
  readonly type: KeyType;
  readonly out: string;
  readonly name: string;
  readonly days: number;
  readonly signer: string;
  readonly der: boolean;
  readonly json: boolean;
}

export function keygenCommand(): Command {
  return new Command("keygen")
    .summary("make a signing key and its certificate")
    .description("Makes a key to sign firmware with, and the certificate that devices trust.")
    .addOption(
      new Option("--type <type>", "kind of key")
        .choices(["ecdsa-p256", "rsa-2048", "rsa-3072"])
        .default("ecdsa-p256"),
    )
    .option("--out <prefix>", "writes <prefix>-key.pem and <prefix>-cert.pem", "ota")
    .option("--name <text>", "common name in the certificate", "firmware signer")
    .option("--days <count>", "how long the certificate is valid", wholeNumber(1, 36_500), 3650)
    .option("--der", "also writes <prefix>-cert.der, as the resources of an application take it", false)
    .option("--signer <name>", "what jobs call the signer (certfile)", SIGNER_NAME)
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `${examples([
        ["xs-ota keygen", "ota-key.pem and ota-cert.pem, ECDSA P-256"],
        ["xs-ota keygen --type rsa-2048 --out keys/release", "an RSA key elsewhere"],
        [
          "xs-ota keygen --der --out keys/code-signing",
          "keys/code-signing-cert.der besides, for the manifest's data",
        ],
        ["xs-ota keygen --days 365 --name 'Acme 2026'", "a certificate for a year"],
      ])}

Files that exist are never replaced. Keep the key secret and saved: devices accept only what it signs.`,
    )
    .action(keygen);
}

async function keygen({ type, out, name, days, signer, der, json }: KeygenOptions): Promise<void> {
  const keyFile = `${out}-key.pem`;
  const certificateFile = `${out}-cert.pem`;
  const derFile = der ? `${out}-cert.der` : undefined;
  for (const file of [keyFile, certificateFile, derFile]) if (file) refuseExisting(file);
  const { generateIdentity } = await import("../../service/signer.js");
  const { privateKeyPem, certificatePem } = await generateIdentity({ type, commonName: name, days });
  writeNew(keyFile, privateKeyPem, 0o600);
  const made = [keyFile];
  try {
    writeNew(certificateFile, `${certificatePem.trimEnd()}\n`);
    made.push(certificateFile);
    if (derFile) writeNew(derFile, new X509Certificate(certificatePem).raw);
  } catch (error) {
    for (const file of made) rmSync(file, { force: true });
    throw error;
  }
  if (json)
    return printJson({ type, keyFile, certificateFile, derFile, signer, certificate: certificatePem });
  print(
    `${paint("green", keyFile)}   the key: keep it secret, and save it`,
    `${paint("green", certificateFile)}  the certificate: goes into the devices`,
    ...(derFile ? [`${paint("green", derFile)}  the same in DER`] : []),
    "",
    "In the application:",
    "",
    snippet(certificatePem, signer),
  );
}

function snippet(certificatePem: string, signer: string): string {
  return `const trustedKeys = {
  ${JSON.stringify(signer)}: \`${certificatePem.trim()}\`,
};`;
}
