/** What jobs of the desk service do as time goes by, with devices that speak the protocol and nothing more. */
import { readFileSync } from "node:fs";
import mqtt from "mqtt";
import type { JobDetails } from "../../tools/cli/client.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { Folder, type Running } from "./run.js";

const MINUTE = 60_000;

/** A device that ends each job it is offered as it is told. */
class Board {
  readonly #client: mqtt.MqttClient;

  /**
   * The broker lets a client connect once a second, as AWS does: it is tried again.
   * @param outcome told how many jobs it has ended; undefined: leaves the job in progress
   */
  static async connect(
    url: string,
    thing: string,
    outcome: (ended: number) => "SUCCEEDED" | "FAILED" | undefined,
  ): Promise<Board> {
    const board = new Board(await mqtt.connectAsync(url, { clientId: thing, reconnectPeriod: 500 }));
    const jobs = `$aws/things/${thing}/jobs`;
    let ended = 0;
    board.#client.on("message", (_topic, payload) => {
      const { execution } = JSON.parse(payload.toString()) as { execution?: { jobId?: string } };
      if (!execution?.jobId) return;
      const status = outcome(ended);
      const update = (name: string) =>
        board.#client.publish(`${jobs}/${execution.jobId}/update`, JSON.stringify({ status: name }), {
          qos: 1,
        });
      update("IN_PROGRESS");
      if (!status) return;
      ended++;
      update(status);
    });
    await board.#client.subscribeAsync([`${jobs}/notify-next`, `${jobs}/$next/get/accepted`]);
    board.#client.publish(`${jobs}/$next/get`, "{}", { qos: 1 });
    return board;
  }

  private constructor(client: mqtt.MqttClient) {
    this.#client = client;
  }

  async disconnect(): Promise<void> {
    await this.#client.endAsync();
  }
}

describe("jobs of the desk service, over time", () => {
  let folder: Folder;
  let at: Record<string, string>;
  const boards: Board[] = [];
  const environment = { ...process.env };

  before(async () => {
    folder = new Folder();
    await folder.good("keygen");
    await folder.good("demo-image", "v2.bin", "--size", "20K");
    const ports = ["--mqtt-port", "0", "--http-port", "0", "--page-port", "0"];
    const serve = folder.start("serve", "--json", "--quiet", ...ports);
    const [, line] = await serve.until(/^(\{"event":"serving".*\})$/m);
    at = JSON.parse(line) as Record<string, string>;
    process.env["XS_OTA_SERVICE"] = at["page"];
  });
  after(async () => {
    process.env = environment;
    for (const board of boards) await board.disconnect();
    await folder.close();
  });

  const connect = async (thing: string, outcome: (ended: number) => "SUCCEEDED" | "FAILED" | undefined) => {
    const board = await Board.connect(at["mqtt"], thing, outcome);
    boards.push(board);
    return board;
  };
  const ask = async <T>(path: string) => (await (await fetch(`${at["page"]}/api/${path}`)).json()) as T;
  const job = (jobId: string) => ask<JobDetails>(`jobs/${jobId}`);
  const until = async (jobId: string, test: (details: JobDetails) => boolean) => {
    for (;;) {
      const details = await job(jobId);
      if (test(details)) return details;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const started = async (running: Running) => (await running.until(/AFR_OTA-[\w-]+/))[0];

  it("a continuous job is for a device that joins its group later; deploy ends when nobody is left so far", async () => {
    const text = await folder.good("deploy", "v2.bin", "--group", "lab", "--continuous");
    ok(/\nno device yet after .*\n(.*\n)?No device is left so far: the job goes on/.test(text), text);
    const [jobId] = /AFR_OTA-[\w-]+/.exec(text)!;
    await connect("late", () => "SUCCEEDED");
    await folder.good("devices", "late", "--group", "lab");
    const { job: now, executions } = await until(jobId, ({ job: { phases } }) => phases.accepted === 1);
    deepEqual([now.status, executions.map(({ thingName }) => thingName)], ["IN_PROGRESS", ["late"]]);
  });

  it("a job is offered again to a device that fails, as often as it says", async () => {
    await connect("third-time-lucky", (ended) => (ended < 2 ? "FAILED" : "SUCCEEDED"));
    await connect("hopeless", () => "FAILED");
    const deploy = ["deploy", "v2.bin", "--thing", "third-time-lucky,hopeless", "--new", "--retries", "2"];
    const { code, stdout } = await folder.run(...deploy);
    equal(code, 1, stdout);
    ok(stdout.includes("1 failed, 1 accepted") || stdout.includes("1 accepted, 1 failed"), stdout);
    const { executions } = await job(/AFR_OTA-[\w-]+/.exec(stdout)![0]);
    const statuses = (name: string) =>
      executions
        .filter(({ thingName }) => thingName === name)
        .map(({ attempt, status }) => [attempt, status]);
    deepEqual(statuses("third-time-lucky"), [
      [1, "FAILED"],
      [2, "FAILED"],
      [3, "SUCCEEDED"],
    ]);
    deepEqual(statuses("hopeless"), [
      [1, "FAILED"],
      [2, "FAILED"],
      [3, "FAILED"],
    ]);
  });

  it("a job is offered within its windows, from its start and until its end", async () => {
    const deploy = async (...args: string[]) => {
      const text = await folder.good(
        "deploy",
        "v2.bin",
        "--thing",
        "windowed",
        "--new",
        "--no-wait",
        ...args,
      );
      return /AFR_OTA-[\w-]+/.exec(text)![0];
    };
    /** Every day, from so many minutes from now on. */
    const window = (minutes: number, duration: number) => {
      const time = new Date(Date.now() + minutes * MINUTE);
      return ["--window", `cron(${time.getUTCMinutes()} ${time.getUTCHours()} ? * * *)/${duration}`];
    };
    const shut = await deploy(...window(60, 10));
    const open = await deploy(...window(-10, 30));
    const startAt = Date.now() + 3000;
    const later = await deploy("--start-at", new Date(startAt).toISOString());
    // Not by the command line: its start may take longer than the time until the end.
    const schedule = JSON.stringify({ endTime: Date.now() + 5000, endBehavior: "CANCEL" });
    const query = new URLSearchParams({ name: "v2.bin", thing: "windowed", schedule });
    const body = readFileSync(folder.file("v2.bin"));
    const made = await fetch(`${at["page"]}/api/jobs?${query}`, { method: "POST", body });
    const { jobId: over } = (await made.json()) as { jobId: string };
    equal((await job(open)).executions.length, 1);
    const [{ queuedAt }] = (await until(later, ({ executions }) => executions.length === 1)).executions;
    ok(queuedAt >= startAt, `offered ${startAt - queuedAt} ms before its time`);
    const ended = await until(over, ({ job: { status } }) => status === "CANCELED");
    ok(ended.job.held, "no reason is told");
    const waiting = await job(shut);
    deepEqual([waiting.job.waiting, waiting.executions.length], [1, 0]);
    await folder.good("jobs", shut, "--cancel");
  });

  it("deploy --online waits for boards that restart, all at the same moment, and no longer than it is told", async () => {
    const names = ["restarts-1", "restarts-2"];
    const connectAll = (outcome: () => "SUCCEEDED" | undefined) =>
      Promise.all(names.map((name) => connect(name, outcome)));
    const away = async () => {
      for (let isAway = false; !isAway; ) {
        const { devices } = await ask<{ devices: { thingName: string; connected: boolean }[] }>("state");
        isAway = devices.every(({ thingName, connected }) => !names.includes(thingName) || !connected);
      }
    };
    const first = await connectAll(() => undefined);
    const deploy = ["deploy", "v2.bin", "--thing", names.join(), "--any", "--online"];
    const patient = folder.start(...deploy, "--patience", "100");
    const jobId = await started(patient);
    await until(jobId, ({ executions }) => executions.every(({ status }) => status === "IN_PROGRESS"));
    await patient.until(/restarts-2 {2}started/);
    for (const board of first) await board.disconnect();
    await away();
    const second = await connectAll(() => "SUCCEEDED");
    equal((await patient.ended).code, 0, (await patient.ended).stdout);
    for (const board of second) await board.disconnect();

    const third = await connectAll(() => undefined);
    const impatient = folder.start(...deploy, "--patience", "0.3");
    await impatient.until(/restarts-2 {2}started/);
    for (const board of third) await board.disconnect();
    const { code, stdout } = await impatient.ended;
    equal(code, 1, stdout);
    ok(stdout.includes("Only devices that are not connected are left: the job goes on"), stdout);
  });
});
