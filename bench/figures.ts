/**
 * The figures that come out the same on every machine: transfers in virtual time, bytes on the wire, computrons
 * and slots in XS, sizes of the bundles.
 * @module
 */
import { bundle } from "../tools/bundle.js";
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
  const agent = await bundle("src/index.ts");
  const http = await bundle("src/transfer/http.ts");
  const xs = await meter(agent.code);
  return {
    links: transfers(false, LOSSES),
    flash: transfers(true, [0]),
    wire: wire(),
    polite: polite(),
    xs: { ...xs },
    sizes: { agent: agent.bytes, agentGzip: agent.gzipBytes, http: http.bytes, httpGzip: http.gzipBytes },
  };
}
