/**
 * What an update costs this machine: processor time of the device on Node, wall time of the device on XS, from the
 * job to the verified image; service and broker are a process of their own.
 * @module
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AppEvent } from "../hosts/emulated/device-app.js";
import { buildFlashDump, slotTable } from "../hosts/emulated/flash-dump.js";
import { NorFlash } from "../hosts/emulated/nor-flash.js";
import { nodeClock } from "../hosts/node/clock.js";
import { SimulatedDevice } from "../hosts/node/device.js";
import type { EngineName } from "../hosts/node/engine.js";
import { FileStorage } from "../hosts/node/file-storage.js";
import { NodeMqttConnection } from "../hosts/node/mqtt-connection.js";
import { OriginalPolicy } from "./original.js";
import { CERTIFICATE, FILE_SIZE, firmware, Site } from "./site.js";
import { jobFile, THING } from "./virtual.js";

export interface ProcessorFigures {
  /** Processor seconds of the device on Node; wall seconds of the device on XS. Medians. */
  node: number;
  xs: number;
  /** Processor and wall seconds of the original's policy on Node, which writes nothing anywhere. Medians. */
  original: number;
  originalWall: number;
}

interface Cost {
  cpu: number;
  wall: number;
}

const RUNS = 9;
const SLOT_SIZE = 0x1f0000;

function watch(): () => Cost {
  const before = process.cpuUsage();
  const started = performance.now();
  return () => {
    const { user, system } = process.cpuUsage(before);
    return { cpu: (user + system) / 1e6, wall: (performance.now() - started) / 1000 };
  };
}

let things = 0;

/** One update onto a flash file, from the job to the verified image. */
async function update(site: Site, engine: EngineName): Promise<Cost> {
  const thingName = `processor-${++things}`;
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  const content = { ota_0: firmware("1.0.0") };
  const table = slotTable({ slotSize: SLOT_SIZE });
  const storage = new FileStorage(join(folder, "flash.bin"), () =>
    buildFlashDump({ flashSize: 0x400000, table, content }),
  );
  const device = new SimulatedDevice({
    engine,
    chip: new NorFlash(storage),
    chipId: 5,
    broker: { url: site.url },
    app: { thingName, trustedKeys: { [CERTIFICATE]: site.certificate } },
    store: { get: () => undefined, set: () => {} },
  });
  let stop = watch();
  const verified = new Promise<Cost>((resolve, reject) => {
    device.on("app", (event: AppEvent) => {
      if (event.type === "job") stop = watch();
      else if (event.type === "verified") resolve(stop());
      else if (event.type === "fail") reject(new Error(event.error.message));
    });
  });
  try {
    await device.powerOn();
    await site.deploy(thingName);
    return await verified;
  } finally {
    await device.powerOff();
    rmSync(folder, { recursive: true });
  }
}

/** The same image by the original's policy, onto nothing. */
async function original(site: Site): Promise<Cost> {
  const mqtt = new NodeMqttConnection({ url: site.url, clientId: THING });
  while (!mqtt.connected) await new Promise((resolve) => setTimeout(resolve, 5));
  const stop = watch();
  await new Promise<boolean>((done) =>
    new OriginalPolicy(
      {
        mqtt,
        clock: nodeClock,
        file: jobFile(FILE_SIZE, "processor"),
        blockSize: 4096,
        blocksPerRequest: 1,
        thing: THING,
      },
      { write: () => {}, done },
    ).start(),
  );
  const cost = stop();
  await mqtt.close();
  return cost;
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1];

export async function processor(): Promise<ProcessorFigures> {
  const site = await Site.start();
  try {
    await site.stream("processor");
    const runs: Record<"node" | "xs" | "original", Cost[]> = { node: [], xs: [], original: [] };
    // Side by side, so that whatever else the machine does is felt by all.
    for (let run = 0; run < RUNS; run++) {
      runs.original.push(await original(site));
      runs.node.push(await update(site, "node"));
      runs.xs.push(await update(site, "xs"));
    }
    return {
      node: median(runs.node.map(({ cpu }) => cpu)),
      xs: median(runs.xs.map(({ wall }) => wall)),
      original: median(runs.original.map(({ cpu }) => cpu)),
      originalWall: median(runs.original.map(({ wall }) => wall)),
    };
  } finally {
    await site.close();
  }
}
