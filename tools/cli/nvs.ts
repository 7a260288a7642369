/**
 * `xs-ota nvs`: what is a device's own, for the partition "nvs".
 * @module
 */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { Command, InvalidArgumentError, Option } from "commander";
import { buildNvs, type NvsEntry, NvsError, type NvsValue } from "../../hosts/formats/nvs-builder.js";
import { Failure, oneLine } from "./failure.js";
import { readBytes, refuseExisting, writeNew } from "./files.js";
import { byteSize, examples, jsonOption } from "./options.js";
import { print, printJson } from "./text.js";

/** Of the partition in hosts/esp32/partitions, bytes. */
const SIZE = 0x4000;

interface Named {
  readonly namespace: string;
  readonly key: string;
  readonly text: string;
}

interface NvsOptions {
  readonly size: number;
  readonly key?: string;
  readonly certificate?: string;
  readonly rootCa?: string;
  readonly namespace: string;
  readonly ssid?: string;
  readonly password?: string;
  readonly text: readonly Named[];
  readonly blob: readonly Named[];
  readonly number: readonly Named[];
  readonly json: boolean;
}

/** Gathers `namespace:key=value`. */
function named(text: string, before: readonly Named[]): Named[] {
  const match = /^([^:=]+):([^:=]+)=(.*)$/s.exec(text);
  if (!match) throw new InvalidArgumentError("It must be namespace:key=value.");
  return [...before, { namespace: match[1], key: match[2], text: match[3] }];
}

export function nvsCommand(): Command {
  const several = (flags: string, description: string) =>
    new Option(flags, description).argParser(named).default([], "none");
  return new Command("nvs")
    .summary("write the NVS partition of a device: its keys, its Wi-Fi")
    .description(
      "Writes a partition of ESP-IDF's non-volatile storage with what is one device's own and belongs in no image: its private " +
        "key and certificates, where keysFromNvs() of xs-ota-agent/keys looks for them, Wi-Fi as startNetwork reads it, and " +
        "whatever the application reads as preferences.",
    )
    .argument("<file>", "where to write it; never replaced, as it holds keys")
    .option(
      "--key <file>",
      "private key of the device, PEM or DER; RSA, as the SDK's TLS signs with nothing else",
    )
    .option("--certificate <file>", "its certificate, PEM or DER")
    .option("--root-ca <file>", "certificate of the authority that servers' certificates lead to, PEM or DER")
    .option("--namespace <name>", "of these three in NVS", "xs-ota-tls")
    .option("--ssid <name>", "Wi-Fi network")
    .addOption(new Option("--password <text>", "of the network").env("XS_OTA_WIFI_PASSWORD"))
    .addOption(several("--text <namespace:key=text>", "a text"))
    .addOption(several("--blob <namespace:key=file>", "the bytes of a file"))
    .addOption(several("--number <namespace:key=number>", "a whole number of 32 bits"))
    .option("--size <bytes>", "of the partition", byteSize, SIZE)
    .addOption(jsonOption("print what was written where, without its values, as JSON"))
    .addHelpText(
      "after",
      `${examples([
        [
          "xs-ota nvs board-1.bin --key private.pem.key --certificate certificate.pem.crt --root-ca AmazonRootCA1.pem",
          "what AWS IoT gave for a thing",
        ],
        [
          "xs-ota nvs board-1.bin --ssid workshop --text app:serial=0042",
          "Wi-Fi (password in XS_OTA_WIFI_PASSWORD)",
        ],
      ])}

Written by cable once, at the partition's offset: python -m esptool write-flash 0x9000 board-1.bin. It replaces all that is in
NVS, the agent's own records among it.`,
    )
    .action(nvs);
}

function nvs(out: string, options: NvsOptions): void {
  refuseExisting(out);
  const entries = [...identity(options), ...wifi(options), ...others(options)];
  if (!entries.length) throw new Failure("there is nothing to write: see xs-ota nvs --help");
  let partition: Uint8Array;
  try {
    partition = buildNvs(entries, options.size);
  } catch (error) {
    if (error instanceof NvsError) throw new Failure(error.message);
    throw error;
  }
  writeNew(out, partition, 0o600);
  if (options.json)
    return printJson({
      ...{ file: out, size: partition.length },
      entries: entries.map(({ namespace, key }) => ({ namespace, key })),
    });
  print(`${out}: ${partition.length.toLocaleString("en-US")} bytes for the partition nvs, keep it secret`);
  for (const { namespace, key, value } of entries) print(`  ${namespace}:${key}  ${describe(value)}`);
}

function identity({ key, certificate, rootCa, namespace }: NvsOptions): NvsEntry[] {
  const entries: NvsEntry[] = [];
  const own = certificate === undefined ? undefined : readCertificate(certificate);
  if (rootCa !== undefined) entries.push({ namespace, key: "root", value: readCertificate(rootCa).raw });
  if (own) entries.push({ namespace, key: "cert", value: own.raw });
  if (key === undefined) return entries;
  const object = readKey(key);
  if (own && !own.checkPrivateKey(object))
    throw new Failure(`${certificate} is not the certificate of ${key}`);
  entries.push({ namespace, key: "key", value: object.export({ type: "pkcs8", format: "der" }) });
  return entries;
}

function readCertificate(path: string): X509Certificate {
  const bytes = readBytes(path);
  try {
    return new X509Certificate(bytes);
  } catch (error) {
    throw new Failure(`${path} is no certificate: ${oneLine(error)}`);
  }
}

function readKey(path: string): KeyObject {
  const bytes = Buffer.from(readBytes(path));
  const isText = bytes.subarray(0, 64).includes("-----BEGIN");
  for (const type of isText ? (["pkcs8"] as const) : (["pkcs8", "pkcs1"] as const))
    try {
      const key = createPrivateKey(isText ? bytes : { key: bytes, format: "der", type });
      if (key.asymmetricKeyType !== "rsa")
        throw new Failure(
          `${path} is a key of the kind ${key.asymmetricKeyType}: the SDK's TLS signs with RSA alone`,
        );
      return key;
    } catch (error) {
      if (error instanceof Failure) throw error;
    }
  throw new Failure(`${path} is no private key in PEM or DER, or has a passphrase`);
}

function wifi({ ssid, password }: NvsOptions): NvsEntry[] {
  if (ssid === undefined) return [];
  const network = { namespace: "wifi", key: "ssid", value: ssid };
  return password === undefined
    ? [network]
    : [network, { namespace: "wifi", key: "password", value: password }];
}

function others({ text, blob, number }: NvsOptions): NvsEntry[] {
  const entry = ({ namespace, key }: Named, value: NvsValue) => ({ namespace, key, value });
  return [
    ...text.map((item) => entry(item, item.text)),
    ...blob.map((item) => entry(item, readBytes(item.text))),
    ...number.map((item) => entry(item, /^-?\d+$/.test(item.text) ? Number(item.text) : Number.NaN)),
  ];
}

/** Without the value. */
function describe(value: NvsValue): string {
  if (typeof value === "number") return "number";
  return typeof value === "string"
    ? `text, ${Buffer.byteLength(value)} bytes`
    : `${(value as Uint8Array).length} bytes`;
}
