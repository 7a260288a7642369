/**
 * `xs-ota push`: an image to a board on the desk.
 * @module
 */
import { randomBytes } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { Command, InvalidArgumentError, Option } from "commander";
import { describeApp, imageBytes } from "../../hosts/formats/esp-image-layout.js";
import { FAILED, Failure, oneLine } from "./failure.js";
import { readBytes } from "./files.js";
import { examples, jsonOption, KEY_FILE, seconds } from "./options.js";
import { BoardBusy, BoardClient, BoardRefusal, type BoardStatus } from "./push/client.js";
import { imageManifest, requireImage, signFile } from "./sign.js";
import { paint, print } from "./text.js";

const PORT = 8266;
/** Between two questions how far it is, milliseconds. */
const PERIOD_MS = 1_000;

interface PushOptions {
  readonly key: string;
  readonly secret?: string;
  readonly timeout: number;
  readonly json: boolean;
}

/** Tells what goes on, in words or as an object a line; the same words are not told twice in a row. */
type Tell = (words: string, event: object) => void;

function teller(json: boolean): Tell {
  let last = "";
  return (words, event) => {
    if (words !== last) print(json ? JSON.stringify(event) : words);
    last = words;
  };
}

interface Place {
  readonly host: string;
  readonly port: number;
}

function place(text: string): Place {
  const match = /^(\[[\da-f:.]+\]|[^:[\]/\s]+)(?::(\d{1,5}))?$/i.exec(text);
  const port = Number(match?.[2] ?? PORT);
  if (!match || port < 1 || port > 65_535) throw new InvalidArgumentError("It must be a host, or host:port.");
  return { host: match[1].replace(/^\[|\]$/g, ""), port };
}

export function pushCommand(): Command {
  return new Command("push")
    .summary("update a board on the desk")
    .description(
      "Signs an image, offers it from this machine, and has a board fetch it that listens (xs-ota-agent/push). The board checks it as " +
        "any other: signature, version, trial. Goes on until the board has accepted it, or not.",
    )
    .argument("<file>", "the image")
    .argument("<host>", `the board: its address, with :port unless ${PORT}`, place)
    .option("--key <file>", "private key in PEM", KEY_FILE)
    .addOption(new Option("--secret <text>", "what the board was built with").env("XS_OTA_PUSH_SECRET"))
    .option("--timeout <seconds>", "give up after so long", seconds, 600)
    .addOption(jsonOption("print JSON, an object a line"))
    .addHelpText(
      "after",
      `${examples([
        ["xs-ota push build/app.bin 192.168.1.20", "the secret in XS_OTA_PUSH_SECRET"],
        ["xs-ota push v2.bin 127.0.0.1:8266 --secret a-secret-of-the-desk", "an app in the simulator"],
      ])}

The board connects back to this machine, to a port that is free: a firewall must let it. Exit code: 0 when the board runs the
image and has accepted it, 1 when not.`,
    )
    .action(push);
}

async function push(
  file: string,
  { host, port }: Place,
  { key, secret, timeout, json }: PushOptions,
): Promise<void> {
  if (!secret)
    throw new Failure("the secret is missing: --secret or XS_OTA_PUSH_SECRET, as the board was built with");
  const bytes = readBytes(file);
  requireImage(file, bytes);
  const { version, projectName } = describeApp(imageBytes(bytes));
  const signature = await signFile(bytes, key);
  const board = new BoardClient(host, port, secret);
  const tell = teller(json);
  const deadline = Date.now() + timeout * 1000;
  const before = await reached(board, () => board.status(), deadline, tell);
  const runs = { project: before.projectName, version: before.version };
  tell(`${host} runs ${before.projectName} ${before.version}; pushing ${projectName} ${version}`, {
    event: "pushing",
    ...{ host, runs, image: { project: projectName, version } },
  });
  const { ImageServer } = await import("../../service/http.js");
  const server = await ImageServer.start({ host: board.localAddress, expiresIn: Math.ceil(timeout) + 60 });
  try {
    server.put("image.bin", bytes);
    // A push that is repeated is another job, also where the image is the same.
    const manifest = imageManifest(
      file,
      bytes.length,
      signature,
      server.url("image.bin"),
      randomBytes(8).toString("hex"),
    );
    server.put("manifest.json", new TextEncoder().encode(manifest));
    await reached(board, () => board.update(server.url("manifest.json")), deadline, tell);
    await follow(board, before, () => Math.min(1, server.served.bytes / bytes.length), deadline, tell);
  } finally {
    await server.close();
  }
}

/** Has the board do something, as soon as it hears. @throws Failure in words */
async function reached<T>(
  board: BoardClient,
  action: () => Promise<T>,
  deadline: number,
  tell: Tell,
): Promise<T> {
  const { host, port } = board;
  try {
    return await action();
  } catch (error) {
    if (error instanceof BoardBusy && Date.now() + PERIOD_MS < deadline) {
      tell("the board hears nobody for a while, as after a wrong secret", { event: "busy" });
      await wait(PERIOD_MS);
      return reached(board, action, deadline, tell);
    }
    if (error instanceof BoardRefusal) throw new Failure(`${host} refuses: ${error.message}`, FAILED);
    const words = oneLine(error);
    const where = `${host}:${port}: `;
    throw new Failure(words.startsWith(where) ? words : where + words, FAILED);
  }
}

/** Asks until the job has ended. @throws Failure when it has not by `deadline` */
async function follow(
  board: BoardClient,
  before: BoardStatus,
  share: () => number,
  deadline: number,
  tell: Tell,
): Promise<void> {
  while (Date.now() < deadline) {
    await wait(PERIOD_MS);
    let status: BoardStatus;
    try {
      status = await board.status();
    } catch {
      tell("the board does not answer: it restarts, or is busy", { event: "silent" });
      continue;
    }
    const { job } = status;
    if (!job || job.id === before.job?.id) continue;
    const details = Object.entries(job.details).map(([name, value]) => `${name}: ${value}`);
    if (job.status === "IN_PROGRESS") {
      const testing = "self_test" in job.details && share() === 1;
      const fetched = Math.floor(share() * 10) * 10;
      if (testing) tell("on trial", { event: "trial" });
      else tell(`${fetched} % fetched`, { event: "progress", fetched });
      continue;
    }
    const runs = { project: status.projectName, version: status.version };
    const ended = { event: "ended", status: job.status, details: job.details, runs };
    if (job.status === "SUCCEEDED")
      return tell(paint("green", `accepted: ${board.host} runs ${runs.project} ${runs.version}`), ended);
    tell(job.status, ended);
    throw new Failure(
      `${job.status}, ${board.host} runs ${runs.project} ${runs.version}: ${details.join(", ")}`,
      FAILED,
    );
  }
  throw new Failure("the board has not come to an end in time; it goes on with what it has", FAILED);
}
