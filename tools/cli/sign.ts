/**
 * `xs-ota sign` and `xs-ota verify`
 * @module
 */
import { existsSync } from "node:fs";
import { basename } from "node:path";
import { Command, Option } from "commander";
import { ImageError, imageBytes, readImageLayout } from "../../hosts/formats/esp-image-layout.js";
import type { ImageSignature } from "../../service/signer.js";
import { codeSigning } from "./aws/plan.js";
import { FAILED, Failure, OK } from "./failure.js";
import { readBytes, readText, writeWhole } from "./files.js";
import { CERTIFICATE_FILE, examples, jsonOption, KEY_FILE, SIGNER_NAME } from "./options.js";
import { paint, print, printJson } from "./text.js";

const FORMATS = Object.freeze(["base64", "der", "document", "manifest", "aws"] as const);

interface SignOptions {
  readonly key: string;
  readonly format: (typeof FORMATS)[number];
  readonly out?: string;
  readonly force: boolean;
  readonly signer: string;
  readonly any: boolean;
  readonly url?: string;
  readonly json: boolean;
}

interface VerifyOptions {
  readonly cert: string;
  readonly signature: string;
  readonly json: boolean;
}

export function signCommand(): Command {
  return new Command("sign")
    .summary("sign an image")
    .description(
      "Signs the SHA-256 of a file with ECDSA P-256 (DER) or RSA PKCS#1 v1.5, as AWS IoT and the agent take it.",
    )
    .argument("<file>", "the image")
    .option("--key <file>", "private key in PEM", KEY_FILE)
    .addOption(
      new Option(
        "--format <form>",
        "base64; der: the bytes; document: key and value of the job document; manifest: a whole one for a web server; aws: codeSigning of CreateOTAUpdate",
      )
        .choices([...FORMATS])
        .default("base64"),
    )
    .option("--out <file>", "write it there instead of printing it")
    .option("--force", "replace a file that is there", false)
    .option("--signer <name>", "what jobs call the signer, for --format aws", SIGNER_NAME)
    .option(
      "--url <url>",
      "where the image will be, for --format manifest; may be relative to the manifest's",
    )
    .option("--any", "sign a file that is no ESP32 image too", false)
    .addOption(jsonOption("print the signature, its kind and where it was written as JSON"))
    .addHelpText(
      "after",
      examples([
        ["xs-ota sign build/app.bin", "with ota-key.pem; prints base64"],
        ["xs-ota sign app.bin --format der --out app.sig", "the bytes of the signature, in a file"],
        ["xs-ota sign app.bin --format aws", "for aws iot create-ota-update --files"],
        [
          "xs-ota sign app.bin --format manifest --url app-2.0.0.bin --out manifest.json",
          "for devices that look at a URL",
        ],
        ["xs-ota sign app.bin --key keys/release-key.pem", "with another key"],
      ]),
    )
    .action(async (file: string, options: SignOptions) => {
      const bytes = readBytes(file);
      if (!options.any) requireImage(file, bytes);
      const signature = await signFile(bytes, options.key);
      const output =
        options.format === "manifest"
          ? manifest(file, bytes.length, signature, options.url)
          : format(signature, options);
      if (options.out !== undefined) writeWhole(options.out, output, options.force);
      if (options.json) return printJson({ file, ...signature, out: options.out });
      if (options.out === undefined) process.stdout.write(output);
    });
}

export function verifyCommand(): Command {
  return new Command("verify")
    .summary("check the signature of an image")
    .description("Checks a signature against an image and a certificate or public key.")
    .argument("<file>", "the image")
    .requiredOption("--signature <signature>", "in base64, or a file with it in base64 or DER")
    .option("--cert <file>", "certificate or public key in PEM", CERTIFICATE_FILE)
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `${examples([
        ["xs-ota verify app.bin --signature app.sig", "against ota-cert.pem"],
        [
          "xs-ota verify app.bin --signature MEUCIQ… --cert keys/release-cert.pem",
          "signature from a job document",
        ],
      ])}

Exit code: 0 when the signature is good, 1 when it is not.`,
    )
    .action(async (file: string, { signature, cert, json }: VerifyOptions) => {
      const { verifyImage } = await import("../../service/signer.js");
      const bytes = readBytes(file);
      let good: boolean;
      try {
        good = verifyImage(bytes, readSignature(signature), readText(cert));
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
        throw new Failure(`${cert}: ${error.message}`);
      }
      if (json) printJson({ file, cert, good });
      else
        print(good ? paint("green", "The signature is good.") : paint("red", "The signature is not good."));
      process.exitCode = good ? OK : FAILED;
    });
}

/**
 * Signs with the key in a file. A certificate beside it has to be its own: devices trust that one.
 * @throws Failure
 */
export async function signFile(bytes: Uint8Array, keyFile: string): Promise<ImageSignature> {
  if (!existsSync(keyFile))
    throw new Failure(`there is no key in ${keyFile}: make one with xs-ota keygen, or name it with --key`);
  const { signImage } = await import("../../service/signer.js");
  const { readIdentityFiles, readKeyFile } = await import("../../service/identity.js");
  const certificateFile = keyFile.replace(/-key(\.\w+)$/, "-cert$1");
  const keyBytes = readBytes(keyFile);
  try {
    const key = readKeyFile(keyBytes);
    if (certificateFile !== keyFile && existsSync(certificateFile))
      readIdentityFiles(keyBytes, readBytes(certificateFile));
    return signImage(bytes, key);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new Failure(`${keyFile}: ${error.message}`);
  }
}

/** @throws Failure unless the bytes have the structure of an image */
export function requireImage(file: string, bytes: Uint8Array): void {
  try {
    readImageLayout(imageBytes(bytes));
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    throw new Failure(`${file} is no whole ESP32 image: ${error.message}`);
  }
}

/** A manifest for `UrlUpdates`: a job document of one image over HTTP. @throws Failure without a URL */
function manifest(file: string, filesize: number, signature: ImageSignature, url?: string): string {
  if (!url || !/^[!-~]+$/.test(url))
    throw new Failure("--format manifest needs --url, in ASCII without blanks");
  return imageManifest(file, filesize, signature, url);
}

/** @param mark tells manifests apart that are otherwise the same */
export function imageManifest(
  file: string,
  filesize: number,
  { key, value }: ImageSignature,
  url: string,
  mark?: string,
): string {
  const entry = { fileid: 0, filesize, filepath: basename(file), update_data_url: url, [key]: value };
  return `${JSON.stringify({ afr_ota: { protocols: ["HTTP"], files: [entry] }, mark })}\n`;
}

function format({ key, value }: ImageSignature, { format: form, signer }: SignOptions): string | Uint8Array {
  switch (form) {
    case "base64":
      return `${value}\n`;
    case "der":
      return new Uint8Array(Buffer.from(value, "base64"));
    case "document":
    case "manifest":
      return `${JSON.stringify({ [key]: value })}\n`;
    case "aws":
      return `${JSON.stringify(codeSigning({ key, value }, signer), null, 2)}\n`;
  }
}

/** Base64 as given, or what a file holds. @throws Failure */
function readSignature(text: string): string {
  if (!existsSync(text)) {
    if (/^[A-Za-z0-9+/]{16,}={0,2}$/.test(text)) return text;
    throw new Failure(`"${text}" is neither a file nor a signature in base64`);
  }
  const bytes = readBytes(text);
  const content = new TextDecoder().decode(bytes).trim();
  return /^[A-Za-z0-9+/\s]+={0,2}$/.test(content)
    ? content.replace(/\s/g, "")
    : Buffer.from(bytes).toString("base64");
}
