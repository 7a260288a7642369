/** Payloads of images as large as real ones, decoded in XS, as it ships, and in C: byte for byte the image. */
import { deepStrictEqual, ok } from "node:assert/strict";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { buildImage } from "../../hosts/formats/image-builder.js";
import { nodeCrypto } from "../../hosts/node/crypto.js";
import { XsWorker } from "../../hosts/xs/worker.js";
import { makeDelta, packImage } from "../../tools/payload/encoder.js";
import { compileNative, headerOf, NativeDecoder, outcomeOf } from "../support/native-payload.js";
import { beyond } from "./beyond.js";

const SIZE = 1_500_000;
const sha256 = (bytes: Uint8Array) => new Uint8Array(createHash("sha256").update(bytes).digest());

describe("payloads of large images", function () {
  this.timeout(300_000);
  let script: string;
  let program: string;

  before(async () => {
    const { outputFiles, metafile } = await build({
      entryPoints: [fileURLToPath(new URL("../../bench/xs/decode.ts", import.meta.url))],
      ...{ bundle: true, metafile: true, write: false, format: "iife", target: "es2022" },
      plugins: [await beyond()],
      tsconfigRaw: { compilerOptions: { target: "ES2022", useDefineForClassFields: true } },
    });
    ok("dist/payload-decoder.js" in metafile.inputs, Object.keys(metafile.inputs).join());
    script = outputFiles[0].text;
    program = compileNative();
  });

  async function inXs(payload: Uint8Array, base: Uint8Array): Promise<Uint8Array> {
    const worker = new XsWorker();
    try {
      await worker.evaluate(script);
      await worker.command(Buffer.concat([Buffer.from("b"), base]));
      await worker.command(Buffer.concat([Buffer.from("p"), payload]));
      await worker.command(Buffer.from("d"));
      return (await worker.command(Buffer.from("?"))).result;
    } finally {
      await worker.close();
    }
  }

  async function inC(payload: Uint8Array, base: Uint8Array): Promise<string> {
    const native = new NativeDecoder(program, [base]);
    const header = headerOf(payload);
    if (!header) throw new Error("the payload has no usable header");
    const [outcome] = await native.decode([{ base: 0, payload, header }]);
    native.close();
    return outcome;
  }

  function make(kind: string, chip: string, size: number) {
    const plan = { chip, projectName: "large", size, seed: 1 };
    const base = buildImage({ ...plan, version: "1.0.0" }, nodeCrypto.sha256);
    const image = buildImage({ ...plan, version: "1.0.1" }, nodeCrypto.sha256);
    // As if a function had grown: what is behind it has moved.
    const at = size >> 1;
    image.copyWithin(at + 400, at, at + size / 8);
    const payload = kind === "delta" ? makeDelta(base, image, { sha256 }) : packImage(image, { sha256 });
    return { base, image, payload };
  }

  for (const chip of ["esp32", "esp32c3"])
    for (const kind of ["delta", "packed"]) {
      it(`${kind}, ${chip}, in C`, async () => {
        const { base, image, payload } = make(kind, chip, SIZE);
        deepStrictEqual(await inC(payload, base), outcomeOf(0, image.length, image));
      });

      // Every byte of a compressed image is decoded, of a delta those that differ.
      it(`${kind}, ${chip}, in XS`, async () => {
        const { base, image, payload } = make(kind, chip, kind === "delta" ? SIZE : SIZE / 5);
        deepStrictEqual(sha256(await inXs(payload, base)), sha256(image));
      });
    }
});
