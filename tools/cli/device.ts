/**
 * `xs-ota device`
 * @module
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { Command, InvalidArgumentError, Option } from "commander";
import type { AppEvent, Behaviour, ComponentConfig } from "../../hosts/emulated/device-app.js";
import { CHIPS, chipById, chipByName } from "../../hosts/formats/chips.js";
import { describeApp, ImageError, imageBytes } from "../../hosts/formats/esp-image-layout.js";
import type { EngineName } from "../../hosts/node/engine.js";
import type { StatusView } from "../../service/api.js";
import { ServiceClient } from "./client.js";
import { demoImage } from "./demo-image.js";
import type { Firmware, FleetOptions } from "./device/fleet.js";
import { FAILED, Failure, INTERRUPTED, OK, oneLine } from "./failure.js";
import { readBytes, readText } from "./files.js";
import { aborted, interruption } from "./interrupt.js";
import {
  brokerUrl,
  byteSize,
  examples,
  jsonOption,
  SIGNER_NAME,
  serviceOption,
  thingName,
  wholeNumber,
} from "./options.js";
import { printable, printableData } from "./printable.js";
import { paint, print } from "./text.js";

interface DeviceOptions {
  readonly thing: string;
  readonly count: number;
  readonly engine: EngineName;
  readonly service: string;
  readonly broker?: string;
  readonly cert?: string;
  readonly ca?: string;
  readonly clientCert?: string;
  readonly clientKey?: string;
  readonly signer: string;
  readonly for?: string;
  readonly image?: string;
  readonly chip: string;
  readonly slotSize: number;
  readonly fail?: "self-test" | "crash" | "hang";
  readonly rate?: number;
  readonly allowDowngrade: boolean;
  readonly component?: readonly ComponentConfig[];
  readonly keep?: string;
  readonly verbose: boolean;
  readonly once: boolean;
  readonly json: boolean;
}

/** Each is a process of its own. */
const XS_LIMIT = 16;
/** Larger fleets are summed up. */
const SHOWN = 12;
const SUMMARY_MS = 1000;
/** Blocks between two reports of progress: more than a real device sends, so that there is something to see. */
const STATUS_INTERVAL = 16;
const SLOT_UNIT = 65_536;
/** Statuses a device ends an update with. */
const TERMINAL: readonly string[] = Object.freeze(["SUCCEEDED", "FAILED", "REJECTED"]);
const BEHAVIOURS: Readonly<Record<string, Behaviour>> = Object.freeze({
  "self-test": "fail",
  crash: "crash",
  hang: "hang",
});

export function deviceCommand(): Command {
  return new Command("device")
    .summary("run simulated devices")
    .description(
      "Runs simulated devices: flash, boot loader and the real agent. They connect to the service, take the " +
        "updates it offers, restart, test themselves and roll back like boards.",
    )
    .option("--thing <name>", "name of the thing; of several: the start of their names", thingName, "device")
    .option("--count <number>", "how many", wholeNumber(1, 1000), 1)
    .addOption(
      new Option("--engine <name>", "what runs them; xs is the real engine, in a clone of the project")
        .choices(["xs", "node"])
        .default("node"),
    )
    .addOption(serviceOption())
    .option("--broker <url>", "connect to this broker, without asking the service", brokerUrl)
    .option("--cert <file>", "certificate that updates have to be signed for (default: the service's)")
    .option("--ca <file>", "authority of the broker's certificate (default: the service's)")
    .option("--client-cert <file>", "certificate by which the device shows who it is")
    .option("--client-key <file>", "key of that certificate")
    .option("--signer <name>", "what jobs call the signer", SIGNER_NAME)
    .option("--for <file>", "run an older version of this image: same chip, same project")
    .option("--image <file>", "run this image at first")
    .option("--chip <name>", "chip of the image that is made up otherwise", chipName, "esp32c3")
    .option(
      "--slot-size <bytes>",
      "size of an OTA slot (default: 1536K, or what --for and --image need)",
      byteSize,
    )
    .addOption(new Option("--fail <what>", "new images go wrong").choices(["self-test", "crash", "hang"]))
    .option("--rate <bytes>", "take at most so many bytes a second", byteSize)
    .option("--allow-downgrade", "take older versions too", false)
    .option(
      "--component <name=type>",
      "has a component, whose files have this type; may be given several times",
      components,
    )
    .option("--keep <folder>", "keep the devices there; started again, they go on")
    .option("--verbose", "show every device of a large fleet", false)
    .option("--once", "end when each device has ended an update", false)
    .addOption(jsonOption("print what devices do as JSON, one object a line"))
    .addHelpText(
      "after",
      `${examples([
        ["xs-ota device", "one device, named device"],
        ["xs-ota device --for build/app.bin", "one that will take your image as an update"],
        ["xs-ota device --count 3 --rate 50K", "device-1 to device-3, slow enough to watch"],
        ["xs-ota device --thing bad --fail self-test", "one that rolls every update back"],
        ["xs-ota device --count 200", "a small fleet"],
        ["xs-ota device --once --json", "one update, for programs"],
        ["xs-ota device --engine xs --keep /tmp/devices", "on the XS engine, kept for the next time"],
      ])}

With a broker that asks for passwords, XS_OTA_DEVICE_PASSWORD is the device's. Ctrl-C switches them off.

Exit code: 0; with --once 1 when an update did not succeed, 130 after Ctrl-C.`,
    )
    .action(async (options: DeviceOptions) => {
      process.exitCode = await runDevices(options);
    });
}

async function runDevices(options: DeviceOptions): Promise<number> {
  const stop = interruption();
  if (options.engine === "xs" && options.count > XS_LIMIT)
    throw new Failure(`at most ${XS_LIMIT} devices run on the XS engine at once: use --engine node`);
  if (options.for !== undefined && options.image !== undefined)
    throw new Failure("give either --for or --image, not both");
  const { image, needed } = firstImage(options);
  const asked = options.broker === undefined ? await new ServiceClient(options.service).status() : undefined;
  const { Fleet } = await import("./device/fleet.js");
  const enough = new AbortController();
  const show = new Show(options, () => enough.abort());
  const fleet = new Fleet(fleetOptions(options, asked, image, needed), show);
  show.summarize(() => ({ connected: fleet.connected, versions: fleet.versions() }));
  try {
    await fleet.start();
    const many = options.count === 1 ? "The device is" : `${options.count} devices are`;
    if (!options.json) print(`${many} on. ${paint("dim", "Ctrl-C switches off.")}`);
    await aborted(AbortSignal.any([stop, ...(options.once ? [enough.signal] : [])]));
  } catch (error) {
    throw error instanceof Failure ? error : new Failure(oneLine(error), FAILED);
  } finally {
    show.close();
    await fleet.stop();
  }
  if (!options.once) return OK;
  if (stop.aborted && !enough.signal.aborted) return INTERRUPTED;
  return show.allSucceeded ? OK : FAILED;
}

function fleetOptions(
  options: DeviceOptions,
  asked: StatusView | undefined,
  image: Uint8Array,
  needed: number,
): FleetOptions {
  const { count, thing, engine, rate, allowDowngrade, fail, keep } = options;
  const width = String(count).length;
  const names = Array.from(
    { length: count },
    (_, index) => `${thing}-${String(index + 1).padStart(width, "0")}`,
  );
  const certificate = options.cert === undefined ? asked?.certificate : readText(options.cert);
  if (!certificate)
    throw new Failure(
      "there is no certificate to trust: name it with --cert, or start xs-ota serve with a key",
    );
  const slotSize = options.slotSize ?? Math.max(1536 * 1024, needed);
  return {
    things: count === 1 ? [thing] : names,
    ...{ engine, image, allowDowngrade, keep, components: options.component },
    broker: options.broker ?? asked!.mqtt,
    ca: options.ca === undefined ? (asked?.ca ?? undefined) : readText(options.ca),
    credentials: readCredentials(options),
    slotSize: Math.ceil(slotSize / SLOT_UNIT) * SLOT_UNIT,
    trustedKeys: { [options.signer]: certificate },
    agent: { statusInterval: STATUS_INTERVAL, ...(rate === undefined ? {} : { rateLimit: rate }) },
    behaviour: fail && BEHAVIOURS[fail],
  };
}

/** What the device shows the broker. @throws Failure */
function readCredentials({ clientCert, clientKey, count }: DeviceOptions): FleetOptions["credentials"] {
  const password = process.env["XS_OTA_DEVICE_PASSWORD"];
  if ((clientCert === undefined) !== (clientKey === undefined))
    throw new Failure("--client-cert and --client-key belong together");
  if (count > 1 && (clientCert !== undefined || password))
    throw new Failure("a certificate or a password is of one device: start one for each");
  if (clientCert === undefined || clientKey === undefined) return password ? { password } : undefined;
  const [cert, key] = [readText(clientCert), readText(clientKey)];
  try {
    if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return { cert, key, password };
  } catch {
    throw new Failure(`${clientCert} and ${clientKey} are no certificate and key in PEM`);
  }
  throw new Failure(`${clientKey} is not the key of ${clientCert}`);
}

/** What runs at first, and how large slots have to be for what may come. @throws Failure */
function firstImage(options: DeviceOptions): { image: Uint8Array; needed: number } {
  const path = options.image ?? options.for;
  if (path === undefined) return { image: demoImage({ chip: options.chip, version: "1.0.0" }), needed: 0 };
  const bytes = readBytes(path);
  // Room for the image and the journal behind it.
  const needed = bytes.length + 2 * SLOT_UNIT;
  try {
    const { chipId, projectName } = describeApp(imageBytes(bytes));
    if (options.image !== undefined) return { image: bytes, needed };
    const chip = chipById(chipId)?.name;
    if (!chip) throw new ImageError(`chip id ${chipId} is not known`);
    return { image: demoImage({ chip, projectName, version: "0.0.1" }), needed };
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    throw new Failure(`${path} is no usable ESP32 image: ${error.message}`);
  }
}

/** Prints what devices do; of many, only how many run what. */
class Show {
  readonly #detailed: boolean;
  readonly #json: boolean;
  readonly #count: number;
  readonly #allEnded: () => void;
  /** Of devices that have ended an update, the status it ended in. */
  readonly #ended = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;
  #last = "";
  /** Bytes of the image in the job at hand, by thing. */
  readonly #whole = new Map<string, number>();

  constructor({ count, verbose, json }: DeviceOptions, allEnded: () => void) {
    this.#detailed = verbose || count <= SHOWN;
    this.#json = json;
    this.#count = count;
    this.#allEnded = allEnded;
  }

  get allSucceeded(): boolean {
    return [...this.#ended.values()].every((status) => status === "SUCCEEDED");
  }

  summarize(look: () => { connected: number; versions: ReadonlyMap<string, number> }): void {
    if (this.#detailed || this.#json) return;
    this.#timer = setInterval(() => {
      const { connected, versions } = look();
      const list = [...versions].sort().map(([version, count]) => `${count} run ${version}`);
      const text = `${connected} connected; ${list.join(", ")}`;
      if (text !== this.#last) print(text);
      this.#last = text;
    }, SUMMARY_MS);
  }

  boot(thing: string, firmware: Firmware): void {
    this.#tell("boot", thing, { ...firmware });
    const { project, version, slot, state } = printableData(firmware);
    const trial = state === "pending-verify" ? "on trial" : state;
    this.#line(thing, `boots ${project} ${version} from ${slot}, ${trial}`);
  }

  app(thing: string, event: AppEvent): void {
    const { type, ...rest } = event;
    this.#tell(type, thing, rest);
    if (event.type === "status" && TERMINAL.includes(event.status)) {
      this.#ended.set(thing, event.status);
      if (this.#ended.size === this.#count) this.#allEnded();
    }
    if (event.type === "job") this.#whole.set(thing, event.bytes);
    const text =
      event.type === "status" ? payloadText(event.details, this.#whole.get(thing)) : eventText(event);
    if (text !== undefined) this.#line(thing, text);
  }

  trouble(thing: string, text: string): void {
    this.#tell("trouble", thing, { text });
    this.#line(thing, paint("red", printable(text)));
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #tell(event: string, thing: string, data: object): void {
    if (this.#json) print(JSON.stringify({ event, thing, ...printableData(data) }));
  }

  #line(thing: string, text: string): void {
    if (this.#detailed && !this.#json)
      print(`${paint("dim", new Date().toTimeString().slice(0, 8))}  ${thing}  ${text}`);
  }
}

/** When the image is made: by which of the job's files, and what that saved. */
function payloadText(details: unknown, whole: number | undefined): string | undefined {
  const { self_test: step, payload } = details as { readonly self_test?: string; readonly payload?: string };
  if (step !== "ready" || !payload) return undefined;
  const bytes = Number(/(\d+) bytes$/.exec(payload)?.[1]);
  if (!whole || !(bytes < whole)) return `came by ${payload}`;
  const saved = (whole - bytes).toLocaleString("en-US");
  return `came by ${payload}: ${saved} saved, ${Math.floor((100 * (whole - bytes)) / whole)} % of the image`;
}

function eventText(event: AppEvent): string | undefined {
  switch (event.type) {
    case "job":
      return `takes ${event.jobId}: ${event.bytes.toLocaleString("en-US")} bytes${othersText(event)}`;
    case "components": {
      const parts = Object.entries(event.components).map(
        ([name, inUse]) => `${name} ${inUse ? `${inUse.version}, ${inUse.bytes} bytes` : "none"}`,
      );
      return `has ${parts.join("; ")}`;
    }
    case "verified":
      return "has verified the image and restarts";
    case "decided":
      return event.decision === "accepted"
        ? paint("green", "accepts the new image")
        : paint("red", "rejects the new image");
    case "fail":
    case "self-test-failed":
    case "notice":
      return paint("red", printable(`${event.error.message} (${event.error.code})`));
    default:
      return undefined;
  }
}

function othersText({ files, together }: { readonly files: number; readonly together: boolean }): string {
  if (files === 1) return "";
  return together ? `, and what goes with them: ${files} files together` : ", or one of its smaller files";
}

function components(text: string, before: readonly ComponentConfig[] = []): ComponentConfig[] {
  const [, name, type] = /^([\w-]{1,15})=(\d{1,3})$/.exec(text) ?? [];
  if (!(Number(type) >= 1 && Number(type) <= 254))
    throw new InvalidArgumentError("It must be a name and a file type from 1 to 254, such as assets=10.");
  return [...before, { name, fileType: Number(type) }];
}

function chipName(text: string): string {
  const chip = chipByName(text);
  if (!chip) throw new InvalidArgumentError(`It must be one of ${CHIPS.map(({ name }) => name).join(", ")}.`);
  return chip.name;
}
