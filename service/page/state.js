/**
 * What the service knows, kept up to date by its events.
 * @module
 */

export class State extends EventTarget {
  devices = new Map();
  jobs = new Map();
  executions = new Map();
  status = undefined;

  /** Listens from now on. The browser connects again by itself. */
  listen() {
    const events = new EventSource("api/events");
    events.addEventListener("state", ({ data }) => {
      const { status, ...news } = JSON.parse(data);
      this.status = status;
      for (const map of [this.devices, this.jobs, this.executions]) map.clear();
      this.#take(news);
      this.#tell("reset");
      this.#tell("status");
    });
    events.addEventListener("status", ({ data }) => {
      this.status = JSON.parse(data);
      this.#tell("status");
    });
    events.addEventListener("change", ({ data }) => {
      const news = JSON.parse(data);
      this.#take(news);
      for (const jobId of news.deleted) this.#forget(jobId);
      this.#tell("change", news);
    });
    events.addEventListener("error", () => this.#tell("lost"));
  }

  /** The latest attempt of each device at a job. */
  latest(jobId) {
    const latest = new Map();
    for (const execution of this.executions.values()) {
      if (execution.jobId !== jobId) continue;
      const before = latest.get(execution.thingName);
      if (!before || before.attempt < execution.attempt) latest.set(execution.thingName, execution);
    }
    return [...latest.values()];
  }

  #take({ devices, jobs, executions }) {
    for (const device of devices) this.devices.set(device.thingName, device);
    for (const job of jobs) this.jobs.set(job.jobId, job);
    for (const execution of executions)
      this.executions.set(`${execution.jobId} ${execution.thingName} ${execution.attempt}`, execution);
  }

  #forget(jobId) {
    this.jobs.delete(jobId);
    for (const [key, execution] of this.executions)
      if (execution.jobId === jobId) this.executions.delete(key);
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** Asks the API. Throws an Error with what went wrong in words. */
export async function ask(method, path, body) {
  let response;
  try {
    response = await fetch(path, { method, body });
  } catch {
    throw new Error("The service does not answer.");
  }
  const answer = await response.json().catch(() => undefined);
  if (response.ok) return answer;
  throw new Error(answer?.error?.message ?? `The service answers with status ${response.status}.`);
}
