/** A job of several files that are one image, as the development service keeps it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ApiServer } from "../../service/api.js";
import { Desk } from "../../service/desk.js";
import { type MakePayload, PayloadMaker } from "../../service/payload-maker.js";
import { generateIdentity } from "../../service/signer.js";
import { deepEqual, equal, ok, rejects } from "../support/assert.js";
import { appImage, buildIdOf } from "../support/payload-rig.js";

describe("development service: payloads of an image", () => {
  const folder = mkdtempSync(join(tmpdir(), "payloads-"));
  after(() => rmSync(folder, { recursive: true, force: true }));

  it("are files of the job behind the image, with its signature, also after a restart; and go with it", async () => {
    const identity = await generateIdentity();
    const image = appImage("1.1.0");
    const payloads = [
      { kind: ";base=0a1b2c3d", bytes: Uint8Array.of(1, 2, 3) },
      { kind: ";packed", bytes: Uint8Array.of(4, 5) },
    ];
    let desk = await Desk.open({ folder, identity });
    const { jobId } = await desk.deploy({
      image,
      payloads,
      fileName: "v2.bin",
      things: ["thing-1"],
      addThings: true,
    });
    for (let life = 0; life < 2; life++) {
      const { afr_ota } = desk.service.jobs.job(jobId).document as {
        afr_ota: { streamname: string; files: Record<string, unknown>[] };
      };
      deepEqual(
        afr_ota.files.map(({ fileid, filesize }) => [fileid, filesize]),
        [
          [0, image.length],
          [1, 3],
          [2, 2],
        ],
      );
      ok(String(afr_ota.files[1]["filepath"]).endsWith(";base=0a1b2c3d"));
      equal(afr_ota.files[2]["sig-sha256-ecdsa"], afr_ota.files[0]["sig-sha256-ecdsa"]);
      ok(desk.service.streams.has(afr_ota.streamname));
      await desk.close();
      desk = await Desk.open({ folder, identity });
    }
    await desk.delete(jobId);
    await desk.close();
  });
});

describe("development service: making payloads", () => {
  const v1 = appImage("1.0.0");
  const v2 = appImage("2.0.0");
  const base = { name: "v1.bin", bytes: v1 };

  it("makes each once, one at a time, and one that failed again", async () => {
    let atOnce = 0;
    let calls = 0;
    let failures = 1;
    const maker = new PayloadMaker(async (image, old) => {
      equal(++atOnce, 1);
      calls++;
      await new Promise((resolve) => setTimeout(resolve, 1));
      atOnce--;
      if (failures-- > 0) throw new Error("no room in /tmp");
      return Uint8Array.of(image.length & 255, old ? 1 : 0);
    });
    const wish = { bases: [base], packed: true };
    await rejects(maker.make(v2, { bases: [], packed: true }), { code: "InternalError", message: "no room" });
    const [first, second] = await Promise.all([maker.make(v2, wish), maker.make(v2, wish)]);
    deepEqual(first, second);
    deepEqual(
      first.map(({ kind, bytes, base: of }) => [kind, bytes[1], of?.name]),
      [
        [`;base=${buildIdOf(v1)}`, 1, "v1.bin"],
        [";packed", 0, undefined],
      ],
    );
    equal(calls, 3);
  });

  it("refuses bases that make no sense in words, before any work", async () => {
    const maker = new PayloadMaker(() => Promise.reject(new Error("no work was to be done")));
    const other = { name: "other.bin", bytes: appImage("1.0.0", { chip: "esp32" }) };
    for (const [bases, message] of [
      [[base, { ...base, name: "again.bin" }], "again.bin is the same build as v1.bin."],
      [[{ name: "v2.bin", bytes: v2 }], "v2.bin is the same build as the image itself."],
      [[other], "other.bin is for another chip"],
      [[{ name: "text.bin", bytes: new Uint8Array(300) }], "text.bin is no image"],
    ] as const)
      await rejects(maker.make(v2, { bases, packed: false }), { code: "InvalidRequest", message });
  });

  describe("over the API", () => {
    let folder: string;
    let desk: Desk;
    let api: ApiServer;
    const open = async (makePayload?: MakePayload) => {
      desk = await Desk.open({ folder, images: folder, identity: await generateIdentity(), makePayload });
      api = await ApiServer.start({ desk });
      await desk.editDevice("a", {});
    };
    const ask = async (path: string, query: Record<string, string>, body?: Uint8Array) => {
      const all = new URLSearchParams({ name: "v2.bin", all: "1", ...query });
      const answer = await fetch(`${api.origin}/api/${path}?${all}`, {
        method: "POST",
        body: body && new Blob([new Uint8Array(body)]),
      });
      // biome-ignore lint/suspicious/noExplicitAny: an answer of any shape
      return { status: answer.status, body: (await answer.json()) as any };
    };
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), "payloads-"));
      writeFileSync(join(folder, "v1.bin"), v1);
      writeFileSync(join(folder, "v2.bin"), v2);
    });
    afterEach(async () => {
      await api.close();
      await desk.close();
      rmSync(folder, { recursive: true, force: true });
    });

    it("bases lie in the folder or come in the body; the preview tells sizes, the job has the files", async () => {
      await open(async (_, old) => new Uint8Array(old ? 17 : 500));
      const v0 = appImage("0.9.0");
      const query = { from: "v1.bin", base: `${v0.length}:v0.bin`, packed: "1" };
      const body = new Uint8Array(Buffer.concat([v2, v0]));
      const preview = await ask("preview", query, body);
      deepEqual(preview.body.payloads, [
        { base: "v1.bin", things: 0, size: 17 },
        { base: "v0.bin", things: 0, size: 17 },
        { size: 500 },
      ]);
      equal(preview.body.size, v2.length);
      const made = await ask("jobs", query, body);
      equal(made.status, 201);
      const { afr_ota } = desk.service.jobs.job(made.body.jobId).document as {
        afr_ota: { files: { filepath: string; filesize: number }[] };
      };
      deepEqual(
        afr_ota.files.map(({ filepath, filesize }) => [filepath.split(";")[1], filesize]),
        [
          [undefined, v2.length],
          [`base=${buildIdOf(v1)}`, 17],
          [`base=${buildIdOf(v0)}`, 17],
          ["packed", 500],
        ],
      );
      const inFolder = await ask("preview", { image: "v2.bin", base: `${v0.length}:v0.bin` }, v0);
      deepEqual(inFolder.body.payloads, [{ base: "v0.bin", things: 0, size: 17 }]);
    });

    it("refuses lengths that are not those of the body, too many, and what is not in the folder", async () => {
      await open(async () => new Uint8Array(1));
      for (const [query, status] of [
        [{ base: `${v2.length}:v1.bin` }, 400],
        [{ base: "v1.bin" }, 400],
        [{ image: "v2.bin", base: "5:v1.bin" }, 400],
        [{ from: "../v1.bin" }, 404],
      ] as const)
        equal((await ask("jobs", query, v2)).status, status, JSON.stringify(query));
      const many = Array.from({ length: 17 }, () => "&from=v1.bin").join("");
      const answer = await fetch(`${api.origin}/api/jobs?all=1&image=v2.bin${many}`, { method: "POST" });
      equal(answer.status, 400);
      equal(desk.service.jobs.jobs().length, 0);
    });

    it("says so where nobody makes them", async () => {
      await open();
      const { status, body } = await ask("preview", { packed: "1" }, v2);
      equal(status, 400);
      equal(body.error.message, "No deltas are made here.");
    });
  });
});
