/**
 * The options of `npm start`.
 * @module
 */
import { Command, InvalidArgumentError, Option } from "commander";
import type { EngineName } from "../../hosts/node/engine.js";

export const FAILURES = Object.freeze(["self-test", "crash", "signature", "version", "chip"] as const);
export type Failure = (typeof FAILURES)[number];

export const PROTOCOLS = Object.freeze(["mqtt", "http", "both"] as const);
export type ProtocolChoice = (typeof PROTOCOLS)[number];

export const SERVICES = Object.freeze(["aws", "ddi"] as const);

export interface StartOptions {
  /** Undefined: XS where it has been built, and Node elsewhere. */
  readonly engine?: EngineName;
  /** What the device speaks to: AWS IoT, or hawkBit's device API. */
  readonly service: (typeof SERVICES)[number];
  readonly protocol: ProtocolChoice;
  readonly broker?: string;
  readonly image?: string;
  /** What the device runs; a delta from it is offered. */
  readonly from?: string;
  /** Offer the image compressed, too. */
  readonly packed: boolean;
  readonly fail?: Failure;
  readonly blockSize?: number;
  /** Share of the data messages that get lost, 0 to 1. */
  readonly loss: number;
  /** Round-trip time added to the data messages, in ms. */
  readonly latency: number;
  readonly keep?: string;
  readonly json: boolean;
  readonly verbose: boolean;
  /** Seconds after which the run is given up. */
  readonly timeout: number;
}

const EXAMPLES = `
Examples:
  npm start                                  update a device on the XS engine from version 1 to 2
  npm start -- --image build/app.bin         deploy a firmware file of your own
  npm start -- --from v1.bin --image v2.bin  as a delta
  npm start -- --packed                      compressed
  npm start -- --fail crash                  deploy a version that crashes, and see it rolled back
  npm start -- --protocol http               fetch the image in ranges over HTTP
  npm start -- --service ddi                 as a device of Eclipse hawkBit, without MQTT
  npm start -- --loss 5 --latency 100        over a bad link
  npm start -- --keep /tmp/device            keep the device; started again, an unfinished update goes on
  npm start -- --engine node --json          a summary for programs on the last line

Exit code: 0 when the outcome is the expected one (the update, or with --fail exactly that refusal or rollback),
1 when it is not, 2 for unusable options.`;

/** @throws CommanderError for unusable options, help and version included */
export function parseOptions(argv: readonly string[]): StartOptions {
  const command = new Command("npm start --")
    .description(
      "Updates a simulated device over MQTT or HTTP: service, boot, download, proof, reboot, self-test.",
    )
    .addOption(
      new Option("--engine <name>", "what runs the device; xs, if it has been built").choices(["xs", "node"]),
    )
    .addOption(
      new Option("--service <name>", "what the device speaks: AWS IoT, or hawkBit's device API")
        .choices([...SERVICES])
        .default("aws"),
    )
    .addOption(
      new Option("--protocol <name>", "how blocks travel; both: MQTT, and HTTP should that fail")
        .choices([...PROTOCOLS])
        .default("mqtt"),
    )
    .option("--broker <url>", "use this MQTT broker instead of an embedded one", brokerUrl)
    .option("--image <file>", "deploy this ESP32 application image")
    .option("--from <file>", "the image the device runs: offer a delta from it to --image")
    .option("--packed", "offer the image compressed", false)
    .addOption(new Option("--fail <what>", "let the update go wrong").choices([...FAILURES]))
    .option("--block-size <bytes>", "size of a block, a multiple of 16", blockSize)
    .option("--loss <percent>", "share of the MQTT data messages that get lost", percentage, 0)
    .option("--latency <ms>", "round-trip time added to the MQTT data messages", within(0, 60_000), 0)
    .option("--keep <dir>", "keep the device and its flash file in this folder")
    .option("--json", "print the summary as one JSON object on the last line", false)
    .option("--verbose", "show the log of agent and connection", false)
    .option("--timeout <seconds>", "give up after this long", within(1, 86_400), 600)
    .addHelpText("after", EXAMPLES)
    .allowExcessArguments(false)
    .exitOverride();
  command.parse([...argv], { from: "user" });
  const options = command.opts<StartOptions>();
  if (options.from !== undefined && options.image === undefined)
    command.error("error: --from needs --image: what the delta leads to");
  const { broker, protocol, loss, latency } = options;
  if (options.service === "ddi" && (broker !== undefined || protocol !== "mqtt" || loss || latency))
    command.error(
      "error: --broker, --protocol, --loss and --latency are about AWS IoT: --service ddi is HTTP alone",
    );
  if (options.protocol === "http" && (options.loss || options.latency))
    command.error("error: --loss and --latency are about MQTT messages: there are none with --protocol http");
  return options;
}

function brokerUrl(text: string): string {
  if (!URL.canParse(text) || !/^(mqtts?|wss?|tcp|ssl):$/.test(new URL(text).protocol))
    throw new InvalidArgumentError("It must be a URL such as mqtt://localhost:1883.");
  return text;
}

function within(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !(value >= least && value <= most))
      throw new InvalidArgumentError(`It must be a number from ${least} to ${most}.`);
    return value;
  };
}

function percentage(text: string): number {
  return within(0, 90)(text) / 100;
}

function blockSize(text: string): number {
  const value = within(256, 131_072)(text);
  if (value % 16) throw new InvalidArgumentError("It must be a multiple of 16.");
  return value;
}
