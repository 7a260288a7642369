import { equal, ok } from "../support/assert.js";
import { Folder, processorOf, type Running } from "./run.js";

const DEVICES = 200;
/** Far above what is measured (206 MB), and below what a leak of the images for each device would take. */
const MEMORY_LIMIT = 450 * 1_048_576;

interface Outcome {
  readonly ok: boolean;
  readonly phases: Readonly<Record<string, number>>;
  readonly seconds: number;
  readonly serviceMemory: { readonly peak: number };
}

describe(`${DEVICES} simulated devices`, function () {
  this.timeout(900_000);
  let folder: Folder;
  let page: string;
  let ports = ["--mqtt-port", "0", "--http-port", "0", "--page-port", "0"];

  async function serve(): Promise<Running> {
    const running = folder.start("serve", "--quiet", "--json", ...ports);
    const [, line] = await running.until(/^(\{"event":"serving".*\})$/m);
    const addresses = JSON.parse(line) as Record<string, string>;
    page = addresses["page"];
    const port = (name: string) => new URL(addresses[name]).port;
    ports = ["--mqtt-port", port("mqtt"), "--http-port", port("http"), "--page-port", port("page")];
    return running;
  }

  before(async () => {
    folder = new Folder();
    await folder.good("keygen");
    await folder.good("demo-image", "v2.bin", "--size", "256K");
    await folder.good("demo-image", "v3.bin", "--version", "3.0.0", "--size", "256K");
  });

  after(() => folder.close());

  function outcomeOf(output: string): Outcome {
    const lines = output.trim().split("\n");
    return JSON.parse(lines[lines.length - 1]);
  }

  it("update at once from one service, which stays small; killed in the middle, it loses no job", async () => {
    const first = await serve();
    const fleet = folder.start("device", "--count", String(DEVICES), "--service", page);
    await fleet.until(new RegExp(`^${DEVICES} connected`, "m"));

    const args = ["--all", "--json", "--timeout", "400", "--service"];
    const { pid } = first.child;
    const before = processorOf(pid!);
    const quick = outcomeOf(await folder.good("deploy", "v2.bin", ...args, page));
    const processor = processorOf(pid!) - before;
    equal(quick.ok, true);
    equal(quick.phases["accepted"], DEVICES);
    ok(quick.serviceMemory.peak < MEMORY_LIMIT, `the service took ${quick.serviceMemory.peak} bytes`);

    const deploy = folder.start("deploy", "v3.bin", ...args, page);
    await deploy.until(/"phase":"downloading"/);
    await first.stop("SIGKILL");
    await deploy.until(/"event":"lost"/);
    await serve();
    const { code, stdout, stderr } = await deploy.ended;
    equal(code, 0, stderr);
    const killed = outcomeOf(stdout);
    equal(killed.phases["accepted"], DEVICES);
    ok(killed.serviceMemory.peak < MEMORY_LIMIT, `the service took ${killed.serviceMemory.peak} bytes`);
    const megabytes = (bytes: number) => `${Math.round(bytes / 1_048_576)} MB`;
    console.log(
      `      ${DEVICES} devices, 256 KB each: ${quick.seconds.toFixed(1)} s, service at most ` +
        `${megabytes(quick.serviceMemory.peak)}, ${processor.toFixed(1)} s of its processor; killed in the middle: ${killed.seconds.toFixed(1)} s`,
    );
  });
});
