import mqtt from "mqtt";
import { equal, ok } from "../support/assert.js";
import { Folder, processorOf, type Running } from "./run.js";

const DEVICES = 2000;
/** In no group that the job goes to. */
const OTHERS = 100;
const GROUPS = ["lab", "beta", "europe", "rest"];
/** One of a hundred fails. */
const BAD = 100;
const STAGES = [100, 500];
/** Who may have been offered it when the second stage is the last. */
const MOST = 600;
/** What the service may take: bytes, seconds of processor. */
const MEMORY_LIMIT = 400 * 1_048_576;
const PROCESSOR_LIMIT = 60;

/** Devices that speak the protocol and nothing more, all over one connection: what they cost is not the service's. */
class Swarm {
  /** Things that have been offered something. */
  readonly touched = new Set<string>();
  readonly #names: readonly string[];
  #client: mqtt.MqttClient | undefined;

  constructor(names: readonly string[]) {
    this.#names = names;
  }

  /** Connects, and asks for what each device missed. */
  async connect(url: string): Promise<void> {
    this.#client?.end(true);
    const client = await mqtt.connectAsync(url, { clientId: "swarm", reconnectPeriod: 0 });
    client.on("error", () => {});
    this.#client = client;
    client.on("message", (topic, payload) => this.#message(client, topic, payload));
    const topics = ["notify-next", "$next/get/accepted", "+/update/accepted"];
    await client.subscribeAsync(topics.map((topic) => `$aws/things/+/jobs/${topic}`));
    for (const name of this.#names) client.publish(`$aws/things/${name}/jobs/$next/get`, "{}", { qos: 1 });
  }

  close(): void {
    this.#client?.end(true);
  }

  #message(client: mqtt.MqttClient, topic: string, payload: Buffer): void {
    const [, , thing, , what, update] = topic.split("/");
    const body = JSON.parse(payload.toString()) as {
      execution?: { jobId?: string; status?: string };
      clientToken?: string;
    };
    const send = (jobId: string, status: string, statusDetails: object) =>
      client.publish(
        `$aws/things/${thing}/jobs/${jobId}/update`,
        JSON.stringify({ status, statusDetails, clientToken: status }),
        { qos: 1 },
      );
    if (update === "update") {
      if (body.clientToken === "IN_PROGRESS") this.#end(thing, what, send);
      return;
    }
    const { jobId, status } = body.execution ?? {};
    if (!jobId) return;
    this.touched.add(thing);
    if (status === "QUEUED") send(jobId, "IN_PROGRESS", { receive: "1/75" });
    else this.#end(thing, jobId, send);
  }

  #end(thing: string, jobId: string, send: (jobId: string, status: string, details: object) => void): void {
    const isBad = this.#names.indexOf(thing) % BAD === BAD - 1;
    if (isBad)
      send(jobId, "FAILED", { code: "rolled-back", message: "the boot loader gave 2.0.0+f4b7621a up" });
    else send(jobId, "SUCCEEDED", { image: "2.0.0+f4b7621a" });
  }
}

interface JobJson {
  readonly status: string;
  readonly phases: Readonly<Record<string, number>>;
  readonly waiting: number;
  readonly comment?: string;
  readonly reasonCode?: string;
}

describe(`a rollout to ${DEVICES} devices in ${GROUPS.length} groups and three stages, 1 % of them bad`, function () {
  this.timeout(400_000);
  const names = Array.from({ length: DEVICES }, (_, index) => `board-${String(index + 1).padStart(4, "0")}`);
  const others = Array.from({ length: OTHERS }, (_, index) => `other-${index + 1}`);
  const swarm = new Swarm([...names, ...others]);
  let folder: Folder;
  let serve: Running;
  let page: string;
  let broker: string;
  let pid = 0;
  let ports = ["--mqtt-port", "0", "--http-port", "0", "--page-port", "0"];

  async function start(): Promise<void> {
    serve = folder.start("serve", "--quiet", "--json", ...ports);
    const [, line] = await serve.until(/^(\{"event":"serving".*\})$/m);
    const addresses = JSON.parse(line) as Record<string, string>;
    page = addresses["page"];
    broker = addresses["mqtt"];
    const port = (name: string) => new URL(addresses[name]).port;
    ports = ["--mqtt-port", port("mqtt"), "--http-port", port("http"), "--page-port", port("page")];
    ({ pid } = await status());
    await swarm.connect(broker);
  }

  /** A connection that was kept may just have been closed by the other side: then once more. */
  async function ask(path: string, init: RequestInit = {}): Promise<unknown> {
    for (let attempt = 1; ; attempt++)
      try {
        const response = await fetch(`${page}/api/${path}`, init);
        equal(response.status, 200, path);
        return await response.json();
      } catch (error) {
        if (!(error instanceof TypeError) || attempt === 5) throw error;
      }
  }

  const status = async () => (await ask("status")) as { pid: number; memory: { peak: number } };
  const job = async (jobId: string) => ((await ask(`jobs/${jobId}?brief=1`)) as { job: JobJson }).job;

  async function until(jobId: string, done: (job: JobJson) => boolean): Promise<JobJson> {
    const deadline = Date.now() + 300_000;
    for (;;) {
      const now = await job(jobId);
      if (done(now)) return now;
      ok(Date.now() < deadline, JSON.stringify(now));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  before(async () => {
    folder = new Folder();
    await folder.good("keygen");
    await folder.good("demo-image", "v2.bin", "--size", "20K");
    await start();
    for (const [index, name] of names.entries()) {
      const body = JSON.stringify({ groups: [GROUPS[index % GROUPS.length]] });
      await ask(`devices/${name}`, { method: "PATCH", body });
    }
  });

  after(async () => {
    swarm.close();
    await folder.close();
  });

  it("stops by its threshold in the second stage, touches nobody else, and loses nothing when killed in the middle", async () => {
    const started = performance.now();
    const deploy = folder.start(
      ...[
        "deploy",
        "v2.bin",
        "--group",
        GROUPS.join(","),
        "--stages",
        STAGES.join(","),
        "--stage-success",
        "95",
      ],
      ...["--abort", "FAILED:0.8%/300", "--json", "--service", page],
    );
    const [jobId] = await deploy.until(/AFR_OTA-[\w-]+/);
    const endedOf = ({ phases }: JobJson) => (phases["accepted"] ?? 0) + (phases["rolled back"] ?? 0);
    const middle = await until(
      jobId,
      (now) => endedOf(now) >= STAGES[0] && now.waiting < DEVICES - STAGES[0],
    );
    const processor = processorOf(pid);
    const { peak } = (await status()).memory;
    await serve.stop("SIGKILL");
    await start();
    const revived = await job(jobId);
    ok(endedOf(revived) >= endedOf(middle), `${JSON.stringify(middle)} became ${JSON.stringify(revived)}`);
    const stopped = await until(jobId, (now) => now.status === "CANCELED");
    const end = await until(
      jobId,
      ({ phases }) => !phases["downloading"] && !phases["offered"] && !phases["started"],
    );
    const { code } = await deploy.ended;
    equal(code, 1);
    const failed = end.phases["rolled back"] ?? 0;
    const ended = endedOf(end);
    ok(ended >= 300 && failed / ended >= 0.008 - 1e-9, JSON.stringify(end));
    const offered = Object.values(end.phases).reduce((sum, count) => sum + count, 0);
    ok(offered <= MOST, `${offered} devices were offered it, beyond the second stage`);
    ok(swarm.touched.size <= MOST, `${swarm.touched.size} devices were touched`);
    for (const name of others) ok(!swarm.touched.has(name), `${name} was touched`);
    ok((stopped.comment ?? stopped.reasonCode ?? "") !== "", "no reason for the stop");
    const sum = processor + processorOf(pid);
    const most = Math.max(peak, (await status()).memory.peak);
    console.log(
      `      stopped after ${ended} of ${DEVICES} had ended, ${failed} badly; ${swarm.touched.size} touched; ` +
        `${((performance.now() - started) / 1000).toFixed(1)} s; service: ${Math.round(most / 1_048_576)} MB, ${sum.toFixed(1)} s of processor`,
    );
    ok(most <= MEMORY_LIMIT, `the service took ${most} bytes`);
    ok(sum <= PROCESSOR_LIMIT, `the service took ${sum} s of processor`);
  });
});
