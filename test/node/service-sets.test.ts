/** Sets of firmware and components through the development service: to a simulated device, each file in its state. */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AppEvent } from "../../hosts/emulated/device-app.js";
import { buildComponent, buildStatement } from "../../hosts/formats/component-builder.js";
import { ApiServer } from "../../service/api.js";
import { Desk } from "../../service/desk.js";
import { generateIdentity, signImage } from "../../service/signer.js";
import type { HistoryView, JobView } from "../../service/views.js";
import { demoImage } from "../../tools/cli/demo-image.js";
import { Fleet } from "../../tools/cli/device/fleet.js";
import { deepEqual, equal, ok } from "../support/assert.js";

const PROJECT = "xs-ota-demo";
const SLOT = 0x40000;
const digest = (bytes: Uint8Array) => new Uint8Array(createHash("sha256").update(bytes).digest());

function component(name: string, version: string, fill: number): Uint8Array {
  const header = { name, projectName: PROJECT, version, minFirmware: "", maxFirmware: "" };
  return buildComponent(header, new Uint8Array(9000).fill(fill));
}

describe("development service: sets", function () {
  this.timeout(120_000);
  const folder = mkdtempSync(join(tmpdir(), "sets-"));
  const components: Extract<AppEvent, { type: "components" }>["components"][] = [];
  let desk: Desk;
  let api: ApiServer;
  let fleet: Fleet;
  let identity: Awaited<ReturnType<typeof generateIdentity>>;

  before(async () => {
    identity = await generateIdentity();
    desk = await Desk.open({ folder, identity });
    api = await ApiServer.start({ desk });
    fleet = new Fleet(
      {
        ...{
          things: ["parts"],
          engine: "node",
          broker: desk.service.url,
          slotSize: SLOT,
          allowDowngrade: false,
        },
        image: demoImage({ chip: "esp32c3", version: "1.0.0", size: 40_000 }),
        trustedKeys: { "": identity.certificatePem },
        agent: { statusInterval: 1 },
        components: [
          { name: "assets", fileType: 10 },
          { name: "certs", fileType: 11 },
        ],
      },
      {
        boot: () => {},
        app: (_, event) => {
          if (event.type === "components") components.push(event.components);
        },
        trouble: () => {},
      },
    );
    await fleet.start();
    while (!desk.service.device("parts")) await new Promise((resolve) => setTimeout(resolve, 20));
  });
  after(async () => {
    await fleet.stop();
    await api.close();
    await desk.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** @returns the answer; when it is a job, with the history of its execution once that has ended */
  async function deploy(query: Record<string, string | readonly string[]>, ...parts: Uint8Array[]) {
    const all = new URLSearchParams({ all: "1", name: "file" });
    for (const [name, value] of Object.entries(query))
      for (const text of [value].flat()) all.append(name, text);
    const body = new Blob([new Uint8Array(Buffer.concat(parts))]);
    const answer = await fetch(`${api.origin}/api/jobs?${all}`, { method: "POST", body });
    if (answer.status !== 201) return { status: answer.status, history: [] as HistoryView[] };
    const job = (await answer.json()) as JobView;
    const { status } = await desk.service.ended(job.jobId, "parts", 60_000);
    return { status, job, history: desk.job(job.jobId).executions[0].history };
  }

  it("a component alone: on trial after a restart, then what the application opens", async () => {
    deepEqual(components[0], { assets: null, certs: null });
    const assets = component("assets", "1.0.0", 1);
    equal((await deploy({ fileType: "10" }, assets)).status, "SUCCEEDED");
    const sha256 = Buffer.from(digest(assets.subarray(256))).toString("hex");
    deepEqual(components.at(-1), { assets: { version: "1.0.0", bytes: 9000, sha256 }, certs: null });
  });

  it("firmware and two components by one switch; the view has the files, the history the state of each", async () => {
    const image = demoImage({ chip: "esp32c3", version: "2.0.0", size: 40_000 });
    const assets = component("assets", "1.1.0", 2);
    const certs = component("certs", "1.0.0", 3);
    const entries = [
      { name: "firmware", version: "2.0.0", digest: digest(image) },
      { name: "assets", version: "1.1.0", digest: digest(assets) },
      { name: "certs", version: "1.0.0", digest: digest(certs) },
    ];
    const set = buildStatement({ sequence: 1, projectName: PROJECT, entries });
    const rows = [
      `10:${assets.length}:assets.xac`,
      `11:${certs.length}:certs.xac`,
      `255:${set.length}:set.xas`,
    ];
    const signatureKey = "sig-sha256-ecdsa";
    const sign = (bytes: Uint8Array) => signImage(bytes, identity.privateKeyPem).value;
    // Signed by the one who deploys, as by the command line's --key.
    const signed = { signatureKey, signature: sign(image), fileSignature: [assets, certs, set].map(sign) };
    const { status, job, history } = await deploy({ file: rows, ...signed }, image, assets, certs, set);
    equal(status, "SUCCEEDED", JSON.stringify(history));
    deepEqual(
      job?.files?.map(({ type, path, size }) => [type, path, size]),
      [
        [0, "/device/updates", image.length],
        [10, "/device/updates/assets.xac", assets.length],
        [11, "/device/updates/certs.xac", certs.length],
        [255, "/device/updates/set.xas", set.length],
      ],
    );
    const told = history.map(({ text }) => text);
    for (const pattern of [
      /^file 2 of 4, block \d+ of \d+; files 255 ready, 0 \d+%, 10 waits, 11 waits$/,
      /files .*0 ready, 10 \d+%, 11 waits/,
      /10 ready, 11 \d+%/,
    ])
      ok(
        told.some((text) => pattern.test(text)),
        `${pattern} is not in ${told.join("\n")}`,
      );
    equal(fleet.versions().get("2.0.0"), 1);
    const { assets: a, certs: c } = components.at(-1) ?? {};
    deepEqual([a?.version, c?.version], ["1.1.0", "1.0.0"]);
  });

  it("a set replayed, or one without a statement, ends FAILED and changes nothing", async () => {
    const image = demoImage({ chip: "esp32c3", version: "3.0.0", size: 40_000 });
    const assets = component("assets", "1.2.0", 4);
    const entries = [
      { name: "firmware", version: "3.0.0", digest: digest(image) },
      { name: "assets", version: "1.2.0", digest: digest(assets) },
    ];
    const old = buildStatement({ sequence: 0, projectName: PROJECT, entries });
    const row = `10:${assets.length}:assets.xac`;
    const replayed = await deploy({ file: [row, `255:${old.length}:set.xas`] }, image, assets, old);
    equal(replayed.status, "FAILED");
    ok(replayed.history.at(-1)?.text.includes("sequence 0"), JSON.stringify(replayed.history.at(-1)));
    const loose = await deploy({ file: row }, image, assets);
    equal(loose.status, "FAILED");
    ok(loose.history.at(-1)?.text.includes("without a statement"), JSON.stringify(loose.history.at(-1)));
    equal(fleet.versions().get("2.0.0"), 1);
    equal(components.at(-1)?.assets?.version, "1.1.0");
  });

  it("rows of files that are none are refused", async () => {
    const image = demoImage({ chip: "esp32c3", version: "4.0.0", size: 40_000 });
    for (const file of ["0:9:a", "256:9:a", "10:0:a", "10:9:a/b", `10:${image.length}:a`])
      equal((await deploy({ file }, image)).status, 400, file);
    equal((await deploy({ file: "10:9:a", fileSignature: "x" }, image)).status, 400);
  });
});
