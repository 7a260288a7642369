/**
 * What a transfer costs in the real XS engine: computrons for each block, slots of the heap and bytes of
 * buffers; the same from run to run.
 * @module
 */
import { generateKeyPairSync } from "node:crypto";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { buildImage } from "../hosts/formats/image-builder.js";
import { PureSha256 } from "../hosts/formats/sha256.js";
import { XsWorker } from "../hosts/xs/worker.js";

export interface Metering {
  /** Computrons of the agent for one block in steady state: journal, flash layer, status reports included. */
  perBlock: number;
  /** The same from the bytes of the socket on, MQTT client and connection included. */
  perBlockFromSocket: number;
  /** Computrons from the job document to the last block but one. */
  transfer: number;
  /** Heap slots after a collection: agent made and idle; during the transfer. */
  idleSlots: number;
  transferSlots: number;
  /** Slots of garbage a block leaves. */
  garbageSlotsPerBlock: number;
  /** Bytes of the buffers a transfer holds after a collection: the message buffer is one. */
  transferBytes: number;
}

const HARNESS = fileURLToPath(new URL("xs/harness.ts", import.meta.url));
/** Blocks before the measurement: the window has opened by then. */
const WARM = 128;
const MEASURED = 128;

/** Keeps account of the buffers of typed arrays that are made with a length, without keeping them. */
export const COUNTING = `
  globalThis.buffers = [];
  for (const name of ["Uint8Array", "Uint16Array", "Uint32Array", "Float32Array", "Float64Array"])
    globalThis[name] = class extends globalThis[name] {
      constructor(...values) {
        super(...values);
        if (typeof values[0] === "number") globalThis.buffers.push(new WeakRef(this.buffer));
      }
    };`;

/** In the place of the MQTT connection, where the agent alone is measured: its heap, too. */
const NO_MQTT = "export class MqttClient {} export class EcmaMqttConnection {}";

interface Reply {
  readonly compute: number;
  readonly slots: number;
  readonly result: { readonly state: string; readonly processed: number; readonly held: number };
}

/** The harness with the agent in it, in an engine of its own. */
class Rig {
  readonly #worker = new XsWorker();

  async load(config: object, script: string, before = ""): Promise<void> {
    await this.#worker.evaluate(`globalThis.config = ${JSON.stringify(config)};${before}`);
    await this.#worker.evaluate(script);
  }

  async run(command: string): Promise<Reply> {
    const { meter, result } = await this.#worker.command(Buffer.from(command));
    const { compute, currentHeapCount: slots } = meter;
    return { compute, slots, result: JSON.parse(Buffer.from(result).toString()) };
  }

  /** @returns computrons of the agent alone */
  async blocks(count: number): Promise<number> {
    const live = await this.run(`blocks ${count}`);
    return live.compute - (await this.run(`empty ${count}`)).compute;
  }

  async slots(): Promise<number> {
    await this.run("gc");
    return (await this.run("gc")).slots;
  }

  /** @returns bytes of the buffers that are left after a collection */
  async held(): Promise<number> {
    await this.run("gc");
    return (await this.run("gc")).result.held;
  }

  async close(): Promise<void> {
    await this.#worker.close();
  }
}

/** @param agent the agent's bundle, an ES module; @param mqtt that of `xs/mqtt.ts` */
export async function meter(
  agent: string,
  mqtt: string,
  blockSize = 4096,
  fileSize = 1_572_864,
): Promise<Metering> {
  const image = buildImage(
    { version: "1.0.1", projectName: "bench", size: fileSize },
    () => new PureSha256(),
  );
  const { x = "", y = "" } = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({
    format: "jwk",
  });
  const publicKey = [4, ...Buffer.from(x, "base64url"), ...Buffer.from(y, "base64url")];
  const config = {
    ...{ fileSize: image.length, blockSize, head: [...image.subarray(0, 512)], publicKey },
    socket: false,
  };
  const script = await harness(agent, NO_MQTT);
  const rig = new Rig();
  const counting = new Rig();
  const whole = new Rig();
  try {
    await rig.load(config, script);
    await rig.run("make");
    const idleSlots = await rig.slots();
    let transfer = (await rig.run("start")).compute + (await rig.blocks(WARM));
    const before = await rig.slots();
    const steady = await rig.blocks(MEASURED);
    const { slots, result } = await rig.run("empty 0");
    const after = await rig.slots();
    if (result.processed !== WARM + MEASURED)
      throw new Error(`the agent took ${result.processed} blocks: ${result.state}`);
    transfer += steady + (await rig.blocks(Math.ceil(image.length / blockSize) - WARM - MEASURED - 1));

    await whole.load({ ...config, socket: true }, await harness(agent, mqtt));
    await whole.run("make");
    await whole.run("start");
    await whole.blocks(WARM);
    const fromSocket = await whole.blocks(MEASURED);
    const overSocket = (await whole.run("empty 0")).result;
    if (overSocket.processed !== WARM + MEASURED)
      throw new Error(`over a socket the agent took ${overSocket.processed} blocks: ${overSocket.state}`);

    await counting.load(config, script, COUNTING);
    await counting.run("make");
    const idleBytes = await counting.held();
    await counting.run("start");
    await counting.run(`blocks ${WARM}`);
    return {
      perBlock: Math.round(steady / MEASURED),
      perBlockFromSocket: Math.round(fromSocket / MEASURED),
      transfer,
      idleSlots,
      transferSlots: Math.max(before, after),
      garbageSlotsPerBlock: Math.round((slots - before) / MEASURED),
      transferBytes: (await counting.held()) - idleBytes,
    };
  } finally {
    for (const engine of [rig, counting, whole]) await engine.close();
  }
}

async function harness(agent: string, mqtt: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [HARNESS],
    bundle: true,
    write: false,
    format: "iife",
    target: "es2022",
    tsconfigRaw: { compilerOptions: { target: "ES2022", useDefineForClassFields: true } },
    plugins: [
      {
        name: "the bundles in place of the sources",
        setup({ onResolve, onLoad }) {
          onResolve({ filter: /\/src\/index\.js$/ }, () => ({ path: "agent", namespace: "bundle" }));
          onResolve({ filter: /^\.\/mqtt\.js$/ }, () => ({ path: "mqtt", namespace: "bundle" }));
          onLoad({ filter: /.*/, namespace: "bundle" }, ({ path }) => ({
            contents: path === "agent" ? agent : mqtt,
          }));
        },
      },
    ],
  });
  return outputFiles[0].text;
}
