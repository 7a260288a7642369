/**
 * Readers of option values that several commands share.
 * @module
 */
import { InvalidArgumentError, Option } from "commander";
import { checkThingName } from "../../service/job-records.js";

/** Where `xs-ota keygen` puts things, and where the other commands look for them. */
export const KEY_FILE = "ota-key.pem";
export const CERTIFICATE_FILE = "ota-cert.pem";
/** Where `xs-ota user` keeps accounts. */
export const USERS_FILE = "xs-ota-users.json";
/** Name of the signer in job documents and in the device's `TrustedKeys`. */
export const SIGNER_NAME = "/certificates/ota.pem";
/** Page and API of `xs-ota serve`. */
export const PAGE_PORT = 8700;
export const MQTT_PORT = 1883;
export const IMAGE_PORT = 8701;
export const LOOPBACK = "127.0.0.1";

/** A whole number within limits. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN;
    if (!(value >= least && value <= most))
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    return value;
  };
}

/** Seconds, fractions allowed. */
export function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value > 0 && value <= 604_800))
    throw new InvalidArgumentError("It must be a number of seconds, at most a week.");
  return value;
}

/** A number of bytes; K and M multiply by 2^10 and 2^20. */
export function byteSize(text: string): number {
  const match = /^(0x[0-9a-f]+|\d+)([km]?)b?$/i.exec(text);
  const unit = match?.[2].toLowerCase();
  const value = match ? Number(match[1]) * (unit === "k" ? 1024 : unit === "m" ? 1_048_576 : 1) : 0;
  if (!(value > 0 && value <= 0x8000_0000))
    throw new InvalidArgumentError("It must be a number of bytes such as 65536, 0x10000, 256K or 4M.");
  return value;
}

export function thingName(text: string): string {
  try {
    checkThingName(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
  return text;
}

/** Gathers an option given several times. */
export function things(text: string, before: readonly string[] = []): string[] {
  return [...before, ...text.split(",").map((name) => thingName(name.trim()))];
}

export function brokerUrl(text: string): string {
  if (!URL.canParse(text) || !/^mqtts?:$/.test(new URL(text).protocol))
    throw new InvalidArgumentError("It must be a URL such as mqtt://localhost:1883.");
  return text;
}

export function httpUrl(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    throw new InvalidArgumentError("It must be a URL such as http://127.0.0.1:8700.");
  return text;
}

/** Where the service is that a command talks to. */
export function serviceOption(): Option {
  return new Option("--service <url>", "page address of the service")
    .default(`http://${LOOPBACK}:${PAGE_PORT}`)
    .env("XS_OTA_SERVICE")
    .argParser(httpUrl);
}

export function jsonOption(description = "print JSON, for programs"): Option {
  return new Option("--json", description).default(false);
}

export function examples(lines: readonly (readonly [command: string, comment: string])[]): string {
  const width = Math.max(...lines.map(([command]) => command.length));
  return `\nExamples:\n${lines.map(([command, comment]) => `  ${command.padEnd(width)}  ${comment}`).join("\n")}`;
}
