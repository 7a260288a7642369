/**
 * What the service knows, kept up to date by its events.
 * @module
 */
import type { DeviceView, ExecutionView, JobView } from "../../service/views.js";
import type { ServiceEvent } from "./client.js";

export class LiveState {
  readonly devices = new Map<string, DeviceView>();
  readonly jobs = new Map<string, JobView>();
  /** By job, thing and attempt. */
  readonly executions = new Map<string, ExecutionView>();

  /** Takes in an event. Returns the executions that are new or have changed. */
  take(event: ServiceEvent): ExecutionView[] {
    if (event.type === "lost") return [];
    const news = event.type === "state" ? event.state : event.change;
    if (event.type === "state") for (const map of [this.devices, this.jobs, this.executions]) map.clear();
    for (const device of news.devices) this.devices.set(device.thingName, device);
    for (const job of news.jobs) this.jobs.set(job.jobId, job);
    for (const execution of news.executions) this.executions.set(key(execution), execution);
    if (event.type === "change") for (const jobId of event.change.deleted) this.#forget(jobId);
    return [...news.executions];
  }

  /** The latest attempt of each device at a job. */
  latest(jobId: string): ExecutionView[] {
    const latest = new Map<string, ExecutionView>();
    for (const execution of this.executions.values()) {
      if (execution.jobId !== jobId) continue;
      const before = latest.get(execution.thingName);
      if (!before || before.attempt < execution.attempt) latest.set(execution.thingName, execution);
    }
    return [...latest.values()];
  }

  #forget(jobId: string): void {
    this.jobs.delete(jobId);
    for (const [name, execution] of this.executions)
      if (execution.jobId === jobId) this.executions.delete(name);
  }
}

function key({ jobId, thingName, attempt }: ExecutionView): string {
  return `${jobId} ${thingName} ${attempt}`;
}
