/**
 * The figures that come out the same on every machine: transfers in virtual time, bytes on the wire, computrons
 * and slots in XS, sizes of the bundles.
 * @module
 */
import { bundle, shippedAgent } from "../tools/bundle.js";
import { meter } from "./metering.js";
import { bound, type Outcome, type Scenario, simulate } from "./virtual.js";

/** Bytes of the image. */
export const FILE_SIZE = 1_572_864;
const BANDWIDTHS = [65_536, 262_144, 1_048_576];
const ROUND_TRIPS = [0, 20, 100, 300];
const LOSSES = [0, 0.01, 0.05];
/** Networks tried where chance plays a part. */
const SEEDS = 20;
const ORIGINAL_SEEDS = 2;
/** A name as AWS's OTA service gives it, and the short one of the original's traces. */
const SHORT_NAME = "AFR_OTA-XYZ";
const LONG_NAME = "AFR_OTA-3f2b8c1e-6a4d-4b7e-9c55-0d1e2f3a4b5c";

export interface TransferRow {
  /** Bytes a second, milliseconds, share of messages lost. */
  bandwidth: number;
  rtt: number;
  loss: number;
  /** Seconds no transfer can beat. */
  bound: number;
  /** Seconds, mean of all networks; the worst of them; seconds over bound. */
  seconds: number;
  worst: number;
  ratio: number;
  requests: number;
  /** Seconds of the original, by blocks a request. */
  original1: number;
  original8: number;
}

/** What else links and machines do; on the average of all seeds unless said. */
export interface TroubleRow {
  what: string;
  bound: number;
  /** Seconds; the original's, by blocks a request. */
  seconds: number;
  original1: number;
  original8: number;
  original32: number;
  /** Most blocks sent again that anything but a loss caused; blocks of the image. */
  again: number;
  blocks: number;
  /** Share lost on the average; 0: nothing is lost. */
  loss: number;
  /** The longest one of the application's messages waited, milliseconds; 0: not measured. */
  messageDelay: number;
}

export interface WireRow {
  blockSize: number;
  streamName: string;
  requests: number;
  upBytes: number;
  downBytes: number;
  /** Bytes in both directions over the image's, less one. */
  overhead: number;
}

export interface PoliteRow {
  /** Which options. */
  options: string;
  seconds: number;
  /** Longest turn, milliseconds; share of the time the processor was busy with flash. */
  longestStall: number;
  busyShare: number;
}

export interface Figures {
  links: TransferRow[];
  flash: TransferRow[];
  trouble: TroubleRow[];
  wire: WireRow[];
  polite: PoliteRow[];
  xs: Record<string, number>;
  sizes: Record<string, number>;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function outcomes(scenario: Omit<Scenario, "seed">, seeds: number): Outcome[] {
  const count = scenario.link.loss ? seeds : 1;
  return Array.from({ length: count }, (_, n) => simulate({ ...scenario, seed: n + 1 }));
}

function transfers(flash: boolean, losses: readonly number[]): TransferRow[] {
  const rows: TransferRow[] = [];
  for (const bandwidth of BANDWIDTHS)
    for (const rtt of ROUND_TRIPS)
      for (const loss of losses) {
        const scenario = { link: { rtt, bandwidth, loss }, fileSize: FILE_SIZE, blockSize: 4096, flash };
        const ours = outcomes({ ...scenario, policy: "ours" }, SEEDS);
        const seconds = ours.map((outcome) => outcome.seconds);
        const least = bound({ ...scenario, policy: "ours", seed: 0 });
        const original = (policy: number) =>
          mean(outcomes({ ...scenario, policy }, ORIGINAL_SEEDS).map((outcome) => outcome.seconds));
        rows.push({
          ...{ bandwidth, rtt, loss },
          bound: least,
          seconds: mean(seconds),
          worst: Math.max(...seconds),
          ratio: mean(seconds) / least,
          requests: mean(ours.map((outcome) => outcome.requests)),
          original1: original(1),
          original8: original(8),
        });
      }
  return rows;
}

type Trouble = Omit<Scenario, "fileSize" | "blockSize" | "flash" | "seed" | "policy">;

/** Each over a way of 100 ms unless said. */
const TROUBLES: [string, Trouble][] = [
  ...[0.01, 0.1, 0.3].map((overtake): [string, Trouble] => [
    `${overtake * 100} % overtaken by 1 to 8, 256 KB/s`,
    { link: { rtt: 100, bandwidth: 262_144, overtake } },
  ]),
  ["blocks of a request in any order, 256 KB/s", { link: { rtt: 100, bandwidth: 262_144 }, shuffle: true }],
  ...[64, 200, 600].map((rate): [string, Trouble] => [
    `lumps of 64 KB at ${rate} kB/s`,
    { link: { rtt: 100, bandwidth: rate * 1000, lump: 65_536 } },
  ]),
  ...[200, 600, 1500].map((ms): [string, Trouble] => [
    `device busy for ${ms / 1000} s every 2 s, 256 KB/s`,
    { link: { rtt: 100, bandwidth: 262_144 }, stall: { ms, every: 2000 } },
  ]),
  ...[0.01, 0.05].map((loss): [string, Trouble] => [
    `bursts of 100 ms, ${loss * 100} % lost, 256 KB/s`,
    { link: { rtt: 100, bandwidth: 262_144, burst: { loss, ms: 100 } } },
  ]),
  [
    "40 ms and 400 ms by turns of 3 s, 256 KB/s",
    { link: { rtt: 40, bandwidth: 262_144 }, jump: { rtt: 400, every: 3000 } },
  ],
  ...[20, 100, 300].map((rtt): [string, Trouble] => [
    `messages to the application, 20 kB/s, ${rtt} ms`,
    { link: { rtt, bandwidth: 20_000 }, messages: true },
  ]),
];

function trouble(): TroubleRow[] {
  return TROUBLES.map(([what, choice]) => {
    const scenario = { ...choice, fileSize: FILE_SIZE, blockSize: 4096, flash: false };
    const of = (policy: Scenario["policy"], seeds: number) =>
      Array.from({ length: seeds }, (_, n) => simulate({ ...scenario, policy, seed: n + 1 }));
    const ours = of("ours", SEEDS);
    const original = (policy: number) => mean(of(policy, ORIGINAL_SEEDS).map(({ seconds }) => seconds));
    return {
      what,
      bound: bound({ ...scenario, policy: "ours", seed: 0 }),
      seconds: mean(ours.map(({ seconds }) => seconds)),
      original1: original(1),
      original8: original(8),
      original32: original(32),
      again: Math.max(...ours.map(({ again }) => again)),
      blocks: Math.ceil(FILE_SIZE / 4096),
      loss: choice.link.burst?.loss ?? 0,
      messageDelay: Math.max(...ours.map(({ messageDelay }) => messageDelay)),
    };
  });
}

function wire(): WireRow[] {
  const rows: WireRow[] = [];
  for (const blockSize of [4096, 8192, 16_384])
    for (const streamName of [SHORT_NAME, LONG_NAME]) {
      const link = { rtt: 20, bandwidth: 1_048_576 };
      const { requests, upBytes, downBytes } = simulate({
        ...{ link, fileSize: FILE_SIZE, blockSize, flash: false, seed: 1, policy: "ours", streamName },
      });
      rows.push({
        ...{ blockSize, streamName, requests, upBytes, downBytes },
        overhead: (upBytes + downBytes) / FILE_SIZE - 1,
      });
    }
  return rows;
}

/** What the application feels of a transfer onto flash. */
function polite(): PoliteRow[] {
  const choices: [string, Partial<Scenario>][] = [
    ["as fast as it goes", {}],
    ["eraseLength 4096", { eraseLength: 4096 }],
    ["rateLimit 65536", { rateLimit: 65_536 }],
    ["blockIntervalMs 100, eraseLength 4096", { blockIntervalMs: 100, eraseLength: 4096 }],
  ];
  return choices.map(([options, choice]) => {
    const link = { rtt: 20, bandwidth: 1_048_576 };
    const { seconds, longestStall, busyShare } = simulate({
      ...{ link, fileSize: FILE_SIZE, blockSize: 4096, flash: true, seed: 1, policy: "ours" },
      ...choice,
    });
    return { options, seconds, longestStall, busyShare };
  });
}

export async function measure(): Promise<Figures> {
  const agent = await shippedAgent();
  const http = await bundle("src/transfer/http.ts");
  const mqtt = await bundle("bench/xs/mqtt.ts");
  const xs = await meter(agent.code, mqtt.code);
  return {
    links: transfers(false, LOSSES),
    flash: transfers(true, [0]),
    trouble: trouble(),
    wire: wire(),
    polite: polite(),
    xs: { ...xs },
    sizes: { agent: agent.bytes, agentGzip: agent.gzipBytes, http: http.bytes, httpGzip: http.gzipBytes },
  };
}
