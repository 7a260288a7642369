/**
 * `xs-ota serve`
 * @module
 */
import { existsSync, statSync } from "node:fs";
import { hostname, networkInterfaces } from "node:os";
import { Command, Option } from "commander";
import type { Accounts } from "../../service/accounts.js";
import type { EmbeddedBrokerOptions } from "../../service/broker.js";
import type { Desk } from "../../service/desk.js";
import { BrokerError } from "../../service/errors.js";
import type { ServerCertificate } from "../../service/test-ca.js";
import type { ExecutionView, Phase } from "../../service/views.js";
import { FAILED, Failure, oneLine } from "./failure.js";
import { readBytes, readText } from "./files.js";
import { aborted, interruption } from "./interrupt.js";
import {
  brokerUrl,
  CERTIFICATE_FILE,
  examples,
  IMAGE_PORT,
  jsonOption,
  KEY_FILE,
  LOOPBACK,
  MQTT_PORT,
  PAGE_PORT,
  wholeNumber,
} from "./options.js";
import { payloadProcess } from "./payload-process.js";
import { printableData } from "./printable.js";
import { phaseText } from "./screen.js";
import { paint, print } from "./text.js";

interface ServeOptions {
  readonly data: string;
  readonly key?: string;
  readonly cert?: string;
  readonly images?: string;
  readonly keepDays: number;
  readonly keepJobs: number;
  readonly broker?: string;
  readonly listen: string;
  readonly advertise?: string;
  readonly mqttPort: number;
  readonly httpPort: number;
  readonly pageListen: string;
  readonly pagePort: number;
  readonly ddiPort?: number;
  readonly ddiToken?: string;
  readonly tls: boolean;
  readonly pageTls: boolean;
  readonly users?: string;
  readonly devices?: "open" | "own";
  readonly quiet: boolean;
  readonly json: boolean;
}

const port = wholeNumber(0, 65_535);
const LOOPBACKS: readonly string[] = Object.freeze(["127.0.0.1", "::1", "localhost"]);

export function serveCommand(): Command {
  return new Command("serve")
    .summary("run the development service: broker, images, page")
    .description(
      "Runs the roles of AWS IoT on this machine: an MQTT broker with Jobs and file streams, images over HTTP, " +
        "and a page to deploy and watch. Devices, jobs and history survive a restart and a crash.",
    )
    .option("--data <folder>", "where its state is kept", ".xs-ota")
    .option("--key <file>", `signing key in PEM (default: ${KEY_FILE}, when it is there)`)
    .option("--cert <file>", `certificate of the key (default: ${CERTIFICATE_FILE}, or beside the key)`)
    .option("--images <folder>", "images to choose from on the page")
    .option("--keep-days <count>", "forget jobs so long after their end", wholeNumber(1, 36_500), 365)
    .option(
      "--keep-jobs <count>",
      "keep at most so many jobs that have ended",
      wholeNumber(1, 1_000_000),
      10_000,
    )
    .option("--broker <url>", "use this MQTT broker instead of an own one", brokerUrl)
    .option("--listen <address>", "where devices connect; 0.0.0.0: from the network", LOOPBACK)
    .option("--advertise <host>", "name or address of this machine in image URLs and certificates")
    .option("--mqtt-port <port>", "of the broker; 0: any", port, MQTT_PORT)
    .option("--http-port <port>", "of the images; 0: any", port, IMAGE_PORT)
    .option("--ddi-port <port>", "speak hawkBit's DDI, too, on this port; 0: any", port)
    .option("--ddi-token <token>", "the gateway token devices have to show there (default: any)")
    .option("--page-listen <address>", "where browsers and xs-ota connect", LOOPBACK)
    .option("--page-port <port>", "of the page; 0: any", port, PAGE_PORT)
    .option("--tls", "encrypt broker and images with a certificate of an own authority", false)
    .option("--page-tls", "encrypt the page with a certificate of the same authority", false)
    .option("--users <file>", "let in only who is in this file of xs-ota user")
    .addOption(
      new Option(
        "--devices <how>",
        "own: each device shows its password or certificate, and speaks for itself alone (default with --users)",
      ).choices(["open", "own"]),
    )
    .option("--quiet", "do not print what devices do", false)
    .addOption(jsonOption("print the addresses and what devices do as JSON, one object a line"))
    .addHelpText(
      "after",
      `${examples([
        ["xs-ota serve", "for simulated devices on this machine"],
        ["xs-ota serve --listen 0.0.0.0", "for boards on the desk"],
        ["xs-ota serve --listen 0.0.0.0 --tls", "the same with TLS; the authority is in .xs-ota/ca-cert.pem"],
        ["xs-ota serve --broker mqtt://localhost:1884", "through a broker of your own"],
        ["xs-ota serve --images build", "with your images in the page's form"],
        [
          "xs-ota serve --users xs-ota-users.json --listen 0.0.0.0 --tls",
          "with accounts, for people and devices",
        ],
      ])}

It listens to this machine alone unless told otherwise. Without --users whoever reaches the page may deploy, and
whoever reaches the broker may speak for any device. What people do is written to audit.jsonl in its folder. A tool for a desk; a fleet uses AWS IoT Core. Ctrl-C stops it.`,
    )
    .action(serve);
}

async function serve(options: ServeOptions): Promise<void> {
  const stop = interruption();
  const { Desk } = await import("../../service/desk.js");
  const { ApiServer } = await import("../../service/api.js");
  if (options.images !== undefined && !isFolder(options.images))
    throw new Failure(`there is no folder ${options.images}`);
  const identity = await readIdentity(options);
  const accounts = await readAccounts(options);
  const { listen, mqttPort, httpPort, broker, images, data, pageListen, pagePort } = options;
  const advertise = options.advertise ?? (isAny(listen) ? ownAddress() : listen);
  const pageName = isAny(pageListen) ? (options.advertise ?? ownAddress()) : pageListen;
  const isCertified = options.tls || options.pageTls;
  const { ca, server } = isCertified
    ? await certificates(data, [advertise, listen, pageName, hostname()])
    : {};
  const tls = options.tls ? server : undefined;
  const check = await deviceCheck(options, accounts, ca);
  let desk: Desk;
  try {
    desk = await Desk.open({
      ...{ folder: data, identity, images, broker },
      keep: { days: options.keepDays, jobs: options.keepJobs },
      makePayload: payloadProcess([...process.execArgv, process.argv[1]]),
      listen: { host: listen, port: mqttPort, advertise, tls, ...check },
      http: { host: listen, port: httpPort, advertise, tls },
    });
  } catch (error) {
    throw explain(error, options);
  }
  let api: Awaited<ReturnType<typeof ApiServer.start>>;
  let ddi: Awaited<ReturnType<typeof serveDdi>> | undefined;
  try {
    ddi = await serveDdi(desk, { ...options, advertise }, tls);
    const failed = (error: Error) => process.stderr.write(`error: ${oneLine(error)}\n`);
    const { AuditLog } = await import("../../service/audit.js");
    api = await ApiServer.start({
      ...{ desk, ca, host: pageListen, port: pagePort, names: [advertise], accounts },
      advertise: pageName,
      tls: options.pageTls ? server : undefined,
      audit: new AuditLog(data, failed),
    });
  } catch (error) {
    await ddi?.close();
    await desk.close();
    throw explain(error, options);
  }
  try {
    introduce(api.origin, desk, { ...options, key: identity?.keyFile, ddi: ddi?.origin });
    follow(desk, options);
    await aborted(stop);
  } finally {
    const { memory } = api.status();
    await api.close();
    await ddi?.close();
    await desk.close();
    const peak = Math.round(memory.peak / 1_048_576);
    if (options.json) print(JSON.stringify({ event: "stopped", peakMemory: memory.peak }));
    else print(`Stopped. It used at most ${peak} MB of memory.`);
  }
}

/** Who may look and deploy. @throws Failure */
async function readAccounts(options: ServeOptions): Promise<Accounts | undefined> {
  const { users, pageListen, pageTls, ddiPort, ddiToken } = options;
  if (users === undefined) return undefined;
  if (!LOOPBACKS.includes(pageListen) && !pageTls)
    throw new Failure("passwords would go over the network as they are: take --page-tls, too");
  if (ddiPort !== undefined && ddiToken === undefined)
    throw new Failure("without --ddi-token whoever reaches the port may speak for any device");
  const { Accounts } = await import("../../service/accounts.js");
  readText(users);
  try {
    return new Accounts(users, (error) => process.stderr.write(`error: ${oneLine(error)}\n`));
  } catch (error) {
    throw new Failure(`${users} cannot be used: ${oneLine(error)}`);
  }
}

/** How the broker tells devices apart. @throws Failure */
async function deviceCheck(
  { devices, users, broker, tls }: ServeOptions,
  accounts: Accounts | undefined,
  ca: string | undefined,
): Promise<Pick<EmbeddedBrokerOptions, "admit" | "clientCa">> {
  if ((devices ?? (accounts ? "own" : "open")) === "open") return {};
  if (broker !== undefined) {
    if (devices === undefined) return {};
    throw new Failure(
      "who may do what at another broker is that broker's to say: --devices own is for the own one",
    );
  }
  if (!accounts && !tls) throw new Failure("--devices own needs --users, or --tls and certificates");
  return {
    clientCa: tls ? ca : undefined,
    admit: ({ thingName, password, isCertified }) =>
      isCertified
        ? !users || accounts!.hasDevice(thingName)
        : (accounts?.isDevice(thingName, password ?? "") ?? false),
  };
}

/** hawkBit's device side, where it is asked for. */
async function serveDdi(
  { service }: Desk,
  { listen, ddiPort, ddiToken, advertise }: ServeOptions,
  tls: ServerCertificate | undefined,
) {
  if (ddiPort === undefined) return undefined;
  const { DdiServer } = await import("../../service/ddi.js");
  return DdiServer.start({ service, host: listen, port: ddiPort, advertise, tls, token: ddiToken });
}

function introduce(
  page: string,
  desk: Desk,
  options: ServeOptions & { readonly ddi?: string | undefined },
): void {
  const { service } = desk;
  const { listen, pageListen, broker, data, key, ddi, json } = options;
  if (json) {
    print(
      JSON.stringify({
        event: "serving",
        page,
        mqtt: service.url,
        http: service.httpOrigin,
        ddi,
        pid: process.pid,
      }),
    );
    return;
  }
  const count = (number: number, name: string) => `${number} ${name}${number === 1 ? "" : "s"}`;
  const jobs = service.jobs.jobs().length;
  const devices = service.devices().length;
  print(
    `Page      ${paint("cyan", page)}`,
    `Broker    ${paint("cyan", service.url)}${broker ? "" : ", its own"}`,
    `Images    ${paint("cyan", service.httpOrigin)}`,
    ...(ddi ? [`hawkBit   ${paint("cyan", `${ddi}/DEFAULT/controller/v1/<thing name>`)}`] : []),
    `Signing   ${key ? `with ${key}` : paint("yellow", `no key: make one with xs-ota keygen, or deploy with --key`)}`,
    `State     in ${data}: ${count(jobs, "job")}, ${count(devices, "device")}`,
  );
  if (options.tls) print(`TLS       devices have to trust ${data}/ca-cert.pem`);
  if (options.pageTls) print(`          browsers and xs-ota (XS_OTA_CA), too`);
  if (options.users) print(`Accounts  in ${options.users}; what they do is in ${data}/audit.jsonl`);
  const open = !LOOPBACKS.includes(listen);
  if (!open && !broker)
    print(paint("dim", "Only this machine can connect; boards on the desk need --listen 0.0.0.0."));
  if (open)
    print(
      paint(
        "yellow",
        `Broker and images are ${options.users ? "reached from" : "open to"} the network on ${listen}.`,
      ),
    );
  if (open && options.users && !options.tls)
    print(paint("yellow", "Passwords of devices go over the network as they are: take --tls."));
  if (!LOOPBACKS.includes(pageListen)) {
    const who = options.users ? "" : ": whoever reaches it may deploy";
    print(paint("yellow", `The page is open to the network on ${pageListen}${who}.`));
  }
  print(paint("dim", "Ctrl-C stops it."));
}

/** Prints what devices do, a line for every phase they come to. */
function follow(desk: Desk, { quiet, json }: ServeOptions): void {
  const phases = new Map<string, Phase>();
  const line = (execution: ExecutionView) => {
    const time = new Date(execution.lastUpdatedAt).toTimeString().slice(0, 8);
    return `${paint("dim", time)}  ${execution.thingName}  ${phaseText(execution.phase)}: ${execution.text}`;
  };
  desk.on("change", ({ executions }) => {
    if (quiet) return;
    for (const execution of printableData(executions)) {
      const { jobId, thingName, attempt, phase, ended } = execution;
      const key = `${jobId} ${thingName} ${attempt}`;
      if (phases.get(key) === phase) continue;
      if (ended) phases.delete(key);
      else phases.set(key, phase);
      print(json ? JSON.stringify({ event: "execution", ...execution }) : line(execution));
    }
  });
  desk.on("failure", (error) => process.stderr.write(`error: ${oneLine(error)}\n`));
}

/** A key that does not sign, or that no device trusts, is better refused now than with the first deployment. */
async function readIdentity({ key, cert }: ServeOptions) {
  const { readIdentityFiles } = await import("../../service/identity.js");
  const keyFile = key ?? (existsSync(KEY_FILE) ? KEY_FILE : undefined);
  if (keyFile === undefined) {
    if (cert !== undefined) throw new Failure("--cert needs the --key it belongs to");
    return undefined;
  }
  const certificateFile = cert ?? keyFile.replace(/-key(\.\w+)$/, "-cert$1");
  if (certificateFile === keyFile && cert === undefined)
    throw new Failure(`name the certificate of ${keyFile} with --cert`);
  const [keyBytes, certificateBytes] = [readBytes(keyFile), readBytes(certificateFile)];
  try {
    return { ...readIdentityFiles(keyBytes, certificateBytes), keyFile };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new Failure(`${keyFile} and ${certificateFile}: ${error.message}`);
  }
}

/** The authority of the folder, made once, and a certificate for the servers. */
async function certificates(folder: string, names: readonly string[]) {
  const { loadAuthority } = await import("./authority.js");
  const authority = await loadAuthority(folder);
  const hosts = new Set([...names.filter((name) => !isAny(name)), "localhost", LOOPBACK]);
  const server: ServerCertificate = await authority.issue([...hosts]);
  return { ca: authority.certificate, server };
}

function explain(error: unknown, { mqttPort, httpPort }: ServeOptions): Failure {
  const isBroker = error instanceof BrokerError;
  const cause = isBroker ? error.cause : error;
  const { code, port: taken, address } = cause as NodeJS.ErrnoException & { port?: number; address?: string };
  if (code === "EADDRINUSE") {
    const option = taken === mqttPort ? "--mqtt-port" : taken === httpPort ? "--http-port" : "--page-port";
    return new Failure(`port ${taken} is in use already: choose another with ${option}`, FAILED);
  }
  if (code === "EADDRNOTAVAIL") return new Failure(`this machine has no address ${address}`);
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return new Failure(`a host is not known: ${oneLine(cause)}`, FAILED);
  if (code === "EACCES" && taken)
    return new Failure(`port ${taken} needs rights this user does not have`, FAILED);
  return new Failure(`${isBroker ? `broker ${error.url}: ` : ""}${oneLine(cause)}`, FAILED);
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function isAny(address: string): boolean {
  return address === "0.0.0.0" || address === "::";
}

/** An address of this machine that others can reach. */
function ownAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ internal, family }) => !internal && family === "IPv4")?.address ?? LOOPBACK;
}
