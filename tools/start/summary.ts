/**
 * The result of a run: for a program, and for a person.
 * @module
 */
import type { EngineName } from "../../hosts/node/engine.js";
import type { Execution } from "../../service/job-records.js";
import type { AppDescription } from "../../src/ports.js";
import type { Check } from "./checks.js";
import { kilobytes, thousands, type View } from "./view.js";

export interface Summary {
  /** Everything is as it has to be. */
  readonly ok: boolean;
  readonly engine: EngineName;
  /** What was to happen: "update", or the kind of failure. */
  readonly expected: string;
  readonly image: { readonly bytes: number; readonly version: string; readonly sha256: string };
  readonly job: {
    readonly jobId: string;
    readonly status: string;
    readonly statusDetails: Readonly<Record<string, string>>;
    /** 1, or higher after retries. */
    readonly attempts: number;
    /** Changes of the last attempt, repeated progress reports left out. */
    readonly history: readonly {
      readonly status: string;
      readonly details: Readonly<Record<string, string>>;
    }[];
  };
  readonly transfer: {
    readonly seconds: number;
    /** Written in this run, and found on flash from an earlier one. */
    readonly bytes: number;
    readonly resumedBytes: number;
    readonly blocks: number;
    readonly requests: number;
    readonly retransmitted: number;
    readonly duplicates: number;
    readonly bad: number;
    /** Data messages the bad link lost. */
    readonly lost: number;
    /** What the HTTP server was asked for and has given: nothing when MQTT brought the image. */
    /** Which of several files it was, and how many bytes that saved; undefined for a job of one file. */
    readonly payload: string | undefined;
    readonly saved: number | undefined;
    readonly http: { readonly requests: number; readonly bytes: number };
  };
  readonly device: {
    readonly slot: string;
    readonly state: string;
    readonly app: AppDescription;
    readonly otadata: readonly { readonly sequence: number; readonly state: string }[];
    /** Greatest number of erase cycles in this run of one of the sectors the image went to. */
    readonly mostErased: number;
  };
  readonly checks: readonly Check[];
  readonly seconds: number;
  readonly folder: string | undefined;
}

export function historyOf(execution: Execution): Summary["job"]["history"] {
  return execution.history
    .filter(({ status, statusDetails }, index, all) => {
      const next = all[index + 1];
      const repeats = next?.status === status && statusDetails["receive"] !== undefined;
      return !(repeats && next.statusDetails["receive"] !== undefined);
    })
    .map(({ status, statusDetails }) => ({ status, details: statusDetails }));
}

export function showSummary(view: View, summary: Summary): void {
  const { image, job, transfer, device, checks } = summary;
  const row = (label: string, text: string) => view.text(`  ${label.padEnd(12)} ${text}`);
  const seconds = transfer.seconds.toFixed(2);
  view.text();
  view.text(view.style("bold", "Summary"));
  row(
    "image",
    `version ${image.version}, ${thousands(image.bytes)} bytes, SHA-256 ${image.sha256.slice(0, 16)}…`,
  );
  const speed = transfer.seconds > 0 ? ` (${kilobytes(transfer.bytes / transfer.seconds)}/s)` : "";
  row("transfer", `${thousands(transfer.bytes)} bytes in ${transfer.blocks} blocks, ${seconds} s${speed}`);
  const repeated = `${transfer.retransmitted} blocks asked for again, ${transfer.duplicates} came twice`;
  row("", `${transfer.requests} requests, ${repeated}, ${transfer.bad} bad, ${transfer.lost} messages lost`);
  if (transfer.payload && transfer.saved !== undefined) {
    const share = Math.floor((100 * transfer.saved) / image.bytes);
    row("", `${transfer.payload}: ${thousands(transfer.saved)} bytes saved, ${share} % of the image`);
  }
  const { http } = transfer;
  if (http.requests) row("", `over HTTP: ${http.requests} ranges, ${thousands(http.bytes)} bytes`);
  if (transfer.resumedBytes) row("", `${thousands(transfer.resumedBytes)} bytes were on flash already`);
  row("device", `${device.app.projectName} ${device.app.version} runs from ${device.slot}, ${device.state}`);
  row("otadata", device.otadata.map(entry).join("; "));
  row("job", `${job.jobId}: ${job.status}${job.attempts > 1 ? `, attempt ${job.attempts}` : ""}`);
  job.history.forEach(({ status, details }, index) => {
    row(
      index ? "" : "history",
      `${status} ${Object.entries(details)
        .map(([key, value]) => `${key}=${value}`)
        .join(", ")}`,
    );
  });
  checks.forEach(({ what, ok, found }, index) => {
    const mark = ok ? view.style("green", "✓") : view.style("red", "✗");
    row(index ? "" : "checks", `${mark} ${what}${found === undefined ? "" : `; found: ${found}`}`);
  });
  if (summary.folder) row("kept in", summary.folder);
  row("total", `${summary.seconds.toFixed(2)} s`);
  view.text();
  view.text(
    summary.ok
      ? view.style("green", verdict(summary))
      : view.style("red", "The outcome is not the expected one."),
  );
}

function entry({ sequence, state }: { sequence: number; state: string }, index: number): string {
  return `entry ${index}: ${sequence === 0xffffffff ? "empty" : `sequence ${sequence}, ${state}`}`;
}

function verdict({ expected, device }: Summary): string {
  return expected === "update"
    ? `Updated: the device runs version ${device.app.version} and will keep booting it.`
    : `As expected (--fail ${expected}): the device still runs version ${device.app.version}.`;
}
