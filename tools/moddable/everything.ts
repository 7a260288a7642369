/**
 * An application with all options (test/moddable/apps/everything) on the desk: over mutual TLS, firmware with a component and a mod
 * as one set over HTTP, then firmware by a delta over MQTT.
 * @module
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { buildImage } from "../../hosts/formats/image-builder.js";
import { freePort } from "../../test/support/daemon.js";
import { startMosquitto } from "../../test/support/mosquitto.js";
import { deltaKind, deltaOf } from "../cli/payload.js";
import { FILE_TYPE, NAME, pageFile, statementOf } from "./components.js";
import { onDesk, PROJECT } from "./desk.js";
import { FILE_TYPE as MOD_TYPE, modFile } from "./mods.js";
import { makeMutualTls } from "./mutual-tls.js";
import { ROOT, type Sdk } from "./sdk.js";

export const EVERYTHING = join(ROOT, "test/moddable/apps/everything");

/** Imports nothing: the application grants nothing. */
const MOD = 'export const version = "one";\n';

const DELTA = "a delta over MQTT";

/** @returns what was seen, for people @throws Error when a job ends otherwise, or the mod does not run */
export async function updateEverything(options: {
  readonly sdk: Sdk;
  readonly size: number;
  readonly seconds: number;
  readonly line: (text: string) => void;
}): Promise<string> {
  const { sdk, size } = options;
  const lines: string[] = [];
  const line = (text: string) => {
    lines.push(text);
    options.line(text);
  };
  const { settings, nvs } = await makeMutualTls(sdk);
  const port = await freePort();
  const broker = await startMosquitto([`listener ${port} 127.0.0.1`, "allow_anonymous true", ...settings]);
  const firmware = (version: string) =>
    buildImage({ chip: "esp32", projectName: PROJECT, version, size }, () => createHash("sha256"));
  const [two, three] = [firmware("2.0.0"), firmware("3.0.0")];
  const page = pageFile("1.0.0", "<!doctype html>");
  const mod = modFile(sdk, { version: "1.0.0", main: MOD });
  const set = [
    { kind: "/assets.xac", fileType: FILE_TYPE, bytes: page },
    { kind: "/mod.xam", fileType: MOD_TYPE, bytes: mod },
    statementOf(1, [
      { name: "firmware", version: "2.0.0", bytes: two },
      { name: NAME, version: "1.0.0", bytes: page },
      { name: "mod", version: "1.0.0", bytes: mod },
    ]),
  ];
  const delta = { kind: deltaKind(two), bytes: deltaOf(two, three) };
  const setup = { ...options, line, application: EVERYTHING, broker: broker.url, nvs, restarts: 6 };
  try {
    return await onDesk({ ...setup, config: { host: "127.0.0.1", port } }, async (deploy) => {
      const jobs = [
        ["a set over HTTP", deploy.bind(undefined, two, { payloads: set, protocols: ["HTTP"] })],
        [DELTA, deploy.bind(undefined, three, { payloads: [delta], protocols: ["MQTT"] })],
      ] as const;
      for (const [what, job] of jobs) {
        const { status, statusDetails } = await job();
        const small = what !== DELTA || statusDetails?.["payload"];
        if (status !== "SUCCEEDED" || !small)
          throw new Error(`${what}: ${status} ${JSON.stringify(statusDetails)}`);
      }
      const last = lines.findLast((text) => text.startsWith("mod: "));
      if (last !== "mod: one") throw new Error(`the mod does not run: ${last}`);
      return `over mutual TLS ${jobs.map(([what]) => what).join(", ")}, of ${delta.bytes.length} bytes for ${three.length}`;
    });
  } finally {
    await broker.stop();
  }
}
