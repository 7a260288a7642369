/**
 * Watches a device: shows what happens as it happens, and remembers what the summary needs.
 * @module
 */

import type { AppEvent } from "../../hosts/emulated/device-app.js";
import { chipById } from "../../hosts/formats/chips.js";
import type { SimulatedDevice } from "../../hosts/node/device.js";
import type { Execution } from "../../service/job-records.js";
import type { DownloadStatistics } from "../../src/transfer/download.js";
import { thousands, type View } from "./view.js";

export class Narrator {
  /** Build ids of the applications that started, in order. */
  readonly boots: string[] = [];
  /** The agent's state in the present life. */
  agentState = "";
  /** Seconds spent on transfers, and what the agent counted in the last one. */
  transferSeconds = 0;
  statistics: DownloadStatistics | undefined;
  readonly #view: View;
  readonly #verbose: boolean;
  #transferStart: number | undefined;
  #fileBytes = 0;
  #files = 1;
  #applyStart: number | undefined;

  constructor(view: View, verbose: boolean) {
    this.#view = view;
    this.#verbose = verbose;
  }

  watch(device: SimulatedDevice): void {
    const view = this.#view;
    device.on("boot-loader", (text) => view.line("boot loader", text, "dim"));
    device.on("boot", ({ slot, app, state }) => {
      this.boots.push(app.buildId);
      this.agentState = "";
      const trial = state === "pending-verify" ? ", on trial: pending verify" : `, ${state}`;
      view.line("boot", `${slot}: ${app.projectName} ${app.version}${trial}`, "green");
    });
    device.on("restart", () => view.line("restart", "the device restarts"));
    device.on("crash", (reason) => view.line("crash", reason, "red"));
    device.on("dead", () => view.line("dead", "no bootable image on the device", "red"));
    device.on("app", (event) => this.#event(event));
  }

  /** Shows what the service knows about the job. */
  job({ status, statusDetails }: Pick<Execution, "status" | "statusDetails">): void {
    const { receive, self_test, reason, message, code } = statusDetails;
    if (status === "IN_PROGRESS" && receive !== undefined && !this.#verbose) return;
    const texts = [
      receive && `received ${receive}`,
      self_test && `self-test ${self_test}`,
      reason,
      message ?? code,
    ];
    const text = texts.filter(Boolean).join("; ");
    const style = status === "SUCCEEDED" ? "green" : status === "FAILED" ? "red" : "cyan";
    this.#view.line("job status", text ? `${status}: ${text}` : status, style);
  }

  #event(event: AppEvent): void {
    const view = this.#view;
    switch (event.type) {
      case "state":
        this.agentState = event.state;
        return;
      case "idle":
        return view.line("agent", "no job: waiting for one");
      case "job":
        this.#transferStart = performance.now();
        this.#fileBytes = event.bytes;
        this.#files = event.files;
        view.resetProgress();
        return view.line(
          "job",
          `${event.jobId}: ${thousands(event.bytes)} bytes${event.files > 1 ? `, or one of ${event.files - 1} smaller files,` : ""} over ${event.protocols.join(", ")}`,
        );
      case "image": {
        const { projectName, version, chipId } = event.app;
        const chip = chipById(chipId)?.title ?? `chip ${chipId}`;
        return view.line("image", `${projectName} ${version} for ${chip}: accepted by its first block`);
      }
      case "progress":
        if (this.#verbose) view.line("written", `${event.bytes} bytes`, "dim");
        return view.progress(event.bytes, this.#total(event), this.#sinceStart());
      case "applying":
        // A bar of its own: the one of the download has come to its end.
        if (this.#applyStart === undefined) view.resetProgress();
        this.#applyStart ??= performance.now();
        return view.progress(
          ...([event.bytes, event.total, (performance.now() - this.#applyStart) / 1000, "applying"] as const),
        );
      case "verified":
        this.#transferEnded(event.statistics);
        return view.line(
          "verified",
          `structure, hash and signature of what is on flash are right${this.#figures()}`,
        );
      case "start-test":
        return view.line("self-test", "started");
      case "decided":
        return event.decision === "accepted"
          ? view.line("self-test", "passed: the new image is accepted", "green")
          : view.line("self-test", "failed: the new image is rejected", "red");
      case "complete":
        return view.line("complete", `${event.jobId} is done`, "green");
      case "status":
        if (this.#verbose) view.line("debug", `reported ${event.status}: ${String(event.result)}`, "dim");
        return;
      case "fail":
      case "self-test-failed":
        this.#transferEnded(event.statistics);
        return view.line("failed", `${event.error.message} (${event.error.code})`, "red");
      case "notice":
        return view.line("notice", `${event.error.message} (${event.error.code})`, "yellow");
    }
  }

  /** Bytes of the file: of several that are one image it is known by its blocks which one it is. */
  #total({ received, total, bytes }: Extract<AppEvent, { type: "progress" }>): number {
    if (this.#files === 1) return this.#fileBytes;
    return received === total ? bytes : Math.round((bytes * total) / Math.max(1, received));
  }

  #transferEnded(statistics: unknown): void {
    if (this.#transferStart !== undefined) this.transferSeconds += this.#sinceStart();
    this.#transferStart = undefined;
    if (statistics) this.statistics = statistics as DownloadStatistics;
  }

  #sinceStart(): number {
    return this.#transferStart === undefined ? 0 : (performance.now() - this.#transferStart) / 1000;
  }

  #figures(): string {
    if (!this.statistics) return "";
    const { packetsProcessed, requests } = this.statistics;
    return ` (${packetsProcessed} blocks, ${requests} requests, ${this.transferSeconds.toFixed(2)} s)`;
  }
}
