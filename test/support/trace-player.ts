/**
 * Plays the inputs of a golden trace to a real agent and writes down what it does, in the words of the trace.
 * See test/traces/README.md for both vocabularies. Runs on Node and on XS.
 * @module
 */
import { deliverBody } from "../../hosts/mqtt/delivery.js";
import { OtaAgent, type OtaAgentOptions, type OtaEvent } from "../../src/index.js";
import type { HttpHandler } from "../../src/ports.js";
import { HttpPlane } from "../../src/transfer/http.js";
import { StreamPlane } from "../../src/transfer/stream.js";
import { ours } from "../traces/rules.js";
import { FakeMqtt } from "./fake-mqtt.js";
import { app, FakePal } from "./fake-pal.js";
import { VirtualClock } from "./virtual-clock.js";

export const THING = "thing-1";
const PREFIX = `$aws/things/${THING}/`;
/** Any well-formed ECDSA signature: the fake porting layer verifies nothing. */
export const SIGNATURE = "MAYCAQECAQE=";

/** The event of the original for each of ours that has one. */
const EVENTS: Readonly<Partial<Record<OtaEvent["type"], string>>> = Object.freeze({
  "received-job": "ReceivedJob",
  activate: "Activate",
  "start-test": "StartTest",
  "self-test-failed": "SelfTestFailed",
  fail: "Fail",
  "update-complete": "UpdateComplete",
  "no-active-job": "NoActiveJob",
});

// biome-ignore lint/suspicious/noExplicitAny: JSON of any shape
type Json = any;

/** One block as the service sends it: `{f, i, l, p}`, heads in their shortest form. */
export function encodeBlock(f: number, i: number, l: number, payload: Uint8Array): Uint8Array {
  const head = (major: number, value: number): number[] =>
    value < 24
      ? [(major << 5) | value]
      : value < 256
        ? [(major << 5) | 24, value]
        : value < 65536
          ? [(major << 5) | 25, value >> 8, value & 255]
          : [(major << 5) | 26, value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255];
  const bytes = [
    0xa4,
    0x61,
    0x66,
    ...head(0, f),
    0x61,
    0x69,
    ...head(0, i),
    0x61,
    0x6c,
    ...head(0, l),
    0x61,
    0x70,
  ];
  bytes.push(...head(2, payload.length));
  const message = new Uint8Array(bytes.length + payload.length);
  message.set(bytes);
  message.set(payload, bytes.length);
  return message;
}

/** The blocks a GetStream request of ours asks for. Its keys: f, l, o, b, n, the numbers here below 65536. */
function requestedBlocks(request: Uint8Array): number[] {
  // Behind the token, if there is one: 61 63 61 xx.
  let at = request[0] === 0xa6 ? 5 : 1;
  const head = (): number => {
    const info = request[(at += 2)] & 31;
    at++;
    if (info < 24) return info;
    const value = info === 24 ? request[at] : (request[at] << 8) | request[at + 1];
    at += info === 24 ? 1 : 2;
    return value;
  };
  head();
  head();
  const first = head();
  const length = head();
  const blocks: number[] = [];
  for (let bit = 0; bit < 8 * length; bit++)
    if (request[at + (bit >> 3)] & (1 << (bit & 7))) blocks.push(first + bit);
  return blocks;
}

/** The envelope of a job, from the words of an `in job` line. */
export function jobMessage(words: Readonly<Record<string, string>>): Json {
  const { id = "AFR_OTA-job1", size = "9000", type, url, protocols = "MQTT", sig = SIGNATURE } = words;
  const file: Json = {
    filepath: "/d",
    filesize: Number(size),
    fileid: Number(words["fileid"] ?? 0),
    certfile: "c.pem",
  };
  if (type) file.fileType = Number(type);
  if (url) file.update_data_url = url;
  if (sig !== "none") file["sig-sha256-ecdsa"] = sig;
  const details: Json = {};
  for (const key of ["self_test", "updatedBy", "image"]) if (words[key]) details[key] = words[key];
  const afr: Json = {
    protocols: protocols.split(","),
    files: words["files"] === "2" ? [file, file] : [file],
  };
  if (words["stream"] !== "none") afr.streamname = words["stream"] ?? "AFR_OTA-XYZ";
  for (const key of (words["without"] ?? "").split(",")) delete file[key];
  return {
    timestamp: 1700000000,
    execution: {
      jobId: id,
      status: words["self_test"] ? "IN_PROGRESS" : "QUEUED",
      versionNumber: 1,
      executionNumber: Number(words["execution"] ?? 1),
      ...(Object.keys(details).length > 0 ? { statusDetails: details } : {}),
      jobDocument: { afr_ota: afr },
    },
  };
}

function wordsOf(text: string): Record<string, string> {
  return Object.fromEntries(
    text
      .split(" ")
      .filter((word) => word.includes("="))
      .map((word) => [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1)]),
  );
}

export class TracePlayer {
  readonly clock = new VirtualClock();
  readonly mqtt = new FakeMqtt(this.clock);
  readonly pal = new FakePal(this.clock);
  /** For files of type 2, which are no firmware. */
  readonly dataPal = new FakePal(this.clock);
  readonly agent: OtaAgent;
  /** What the agent did since the last input. */
  lines: string[] = [];
  /** Every event of the agent. */
  readonly events: OtaEvent[] = [];
  readonly log: string[] = [];
  /** All that the agent ever did, without the general rules applied. */
  readonly raw: string[] = [];
  #requestToken = "";
  /** Blocks asked for while time passes: how often, and in how many requests, is not what a trace is about. */
  readonly #again = new Set<number>();
  #waiting = false;
  #stream = "AFR_OTA-XYZ";
  /** Topic, token and status of the latest update. */
  #update: { topic: string; clientToken: string; status: string } | undefined;

  /** HTTP requests not answered yet. */
  readonly #http: { first: number; last: number; handler: HttpHandler }[] = [];
  #url = "";

  constructor(options: Partial<OtaAgentOptions> = {}) {
    const { mqtt, pal, clock } = this;
    mqtt.onTraffic = (verb, topic, qos, payload) => this.#traffic(verb, topic, qos, payload);
    this.dataPal.running = undefined;
    for (const each of [pal, this.dataPal]) each.onCall = (text) => this.#write(`PAL.${text}`);
    this.agent = new OtaAgent({
      ...{ mqtt, pal, clock, thingName: THING, random: () => 0.5 },
      // As the original was built when the traces were recorded.
      blockSize: 4096,
      otherPals: { 2: this.dataPal },
      dataPlanes: [
        new StreamPlane({ mqtt, thingName: THING }),
        new HttpPlane({ mqtt, clock, http: { get: (...request) => this.#get(...request), close: () => {} } }),
      ],
      log: (level, text) => void this.log.push(`${level}: ${text}`),
      onEvent: (event) => {
        this.events.push(event);
        const name = EVENTS[event.type];
        const jobId =
          "job" in event && event.job && event.type !== "start-test" ? ` jobId=${event.job.jobId}` : "";
        if (name) this.#write(`CB ${name}${jobId}`);
      },
      ...options,
    });
  }

  /** Does what several `in` lines say. @returns what the agent did in response to the last one */
  async playAll(...inputs: string[]): Promise<string[]> {
    for (const input of inputs) await this.play(input);
    return this.lines;
  }

  /** Does what an `in` line says. @returns what the agent did in response */
  async play(input: string): Promise<string[]> {
    this.lines = [];
    this.act(input);
    // Promise jobs and turns of the clock, until both have nothing left to do.
    for (let n = 0; n < 4; n++) {
      await null;
      this.clock.run(0);
    }
    return this.lines;
  }

  /** Does what an `in` line says; what follows from it in later turns has to wait for the next `play`. */
  act(input: string): void {
    const [verb] = input.split(" ", 1);
    this.#do(verb, input.slice(verb.length + 1));
  }

  #do(verb: string, rest: string): void {
    const { agent, clock, mqtt, pal } = this;
    const words = wordsOf(rest);
    switch (verb) {
      case "start":
        if (words["platform"] === "pending") pal.platform = "pending-commit";
        if (words["image"]) pal.running = app(words["version"] ?? "1.0.1", words["image"]);
        return void agent.init();
      case "job":
        this.#stream = words["stream"] ?? "AFR_OTA-XYZ";
        return this.#reply(jobMessage(words));
      case "notify":
        return void mqtt.deliver(
          `${PREFIX}jobs/notify-next`,
          rest === "empty" ? { timestamp: 1 } : jobMessage(words),
        );
      case "reply":
        return this.#reply(rest.startsWith("{") ? JSON.parse(rest) : rest);
      case "message":
        return void mqtt.deliver(
          PREFIX + rest.slice(0, rest.indexOf(" ")),
          rest.slice(rest.indexOf(" ") + 1),
        );
      case "block": {
        const { f = "0", i = "0", l = "4096" } = words;
        const payload = new Uint8Array(Number(words["p"] ?? l)).fill(0x40 + Number(i));
        const message = encodeBlock(Number(f), Number(i), Number(l), payload);
        return void mqtt.deliver(`${PREFIX}streams/${this.#stream}/data/cbor`, message);
      }
      case "http":
        return this.#respond(Number(rest || 206));
      case "accepted":
        return this.#answer("accepted", {});
      case "rejected":
        return this.#answer("rejected", {
          code: rest.split(" ")[0],
          message: "no",
          executionState: { status: words["is"] },
        });
      case "wait":
        this.#again.clear();
        this.#waiting = true;
        clock.run(Number(rest));
        this.#waiting = false;
        if (this.#again.size > 0)
          this.#write(`asks again for blocks ${[...this.#again].sort((a, b) => a - b).join(" ")}`);
        return;
      case "suspend":
        return agent.suspend();
      case "resume":
        return agent.resume();
      case "check":
        return void agent.checkForUpdate();
      case "set":
        return agent.setImageState(rest as "accepted");
      case "activate":
        return agent.activateNewImage();
      case "shutdown":
        return void agent.shutdown();
      case "offline":
        return mqtt.drop();
      case "online":
        return mqtt.restore();
      case "fail": {
        const [call, code, phase] = rest.split(" ");
        return pal.fail(call as "write", code as "flash-write", phase as "transfer");
      }
      default:
        throw new Error(`unknown input "${verb}"`);
    }
  }

  #reply(message: Json): void {
    if (typeof message === "object") message.clientToken = this.#requestToken;
    this.mqtt.deliver(`${PREFIX}jobs/$next/get/accepted`, message);
  }

  #answer(outcome: "accepted" | "rejected", body: object): void {
    if (!this.#update) throw new Error("there is no update to answer");
    const { topic, clientToken, status } = this.#update;
    this.mqtt.deliver(`${topic}/${outcome}`, { clientToken, executionState: { status }, ...body });
  }

  #get(url: string, headers: ReadonlyMap<string, string>, handler: HttpHandler): () => void {
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(headers.get("range") ?? "") ?? [];
    const request = { first: Number(first), last: Number(last), handler };
    if (url !== this.#url) this.#write(`HTTP.init ${url}`);
    this.#url = url;
    this.#write(`HTTP.range ${first}-${last}`);
    this.#http.push(request);
    return () => {
      const at = this.#http.indexOf(request);
      if (at >= 0) this.#http.splice(at, 1);
    };
  }

  /** Answers the oldest HTTP request. */
  #respond(status: number): void {
    const request = this.#http.shift();
    if (!request) throw new Error("there is no HTTP request to answer");
    const { first, last, handler } = request;
    const range = new Map([["content-range", `bytes ${first}-${last}/9000`]]);
    if (handler.headers(status, status === 206 ? range : new Map()) && status === 206)
      deliverBody(handler, new Uint8Array(last - first + 1), () => false);
    handler.done();
  }

  #traffic(verb: string, topic: string, qos: 0 | 1, payload: Uint8Array): void {
    const short = topic.slice(PREFIX.length);
    if (verb !== "PUB") return this.#write(`${verb} q${qos} ${short}`);
    if (topic.endsWith("/cbor") && this.#waiting) {
      for (const block of requestedBlocks(payload)) this.#again.add(block);
      return;
    }
    if (topic.endsWith("/cbor")) {
      const digits = Array.from(payload, (byte) => byte.toString(16).padStart(2, "0")).join("");
      return this.#write(`PUB q${qos} ${short} ${digits}`);
    }
    const text = String.fromCharCode(...payload);
    const { clientToken, status }: { clientToken: string; status: string } = JSON.parse(text);
    if (topic.endsWith("/get")) this.#requestToken = clientToken;
    else this.#update = { topic, clientToken, status };
    this.#write(`PUB q${qos} ${short} ${text}`);
  }

  #write(line: string): void {
    this.raw.push(line);
    const general = ours(line);
    if (general !== undefined) this.lines.push(general);
  }
}
