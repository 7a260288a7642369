/**
 * Makes payloads in a process of its own: encoding takes seconds of a processor, in which the service has to answer
 * devices.
 * @module
 */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { MakePayload } from "../../service/payload-maker.js";

const run = promisify(execFile);

/** Ten times what the largest image takes. */
const LIMIT_MS = 200_000;

/** @param program arguments of Node that start this command line */
export function payloadProcess(program: readonly string[]): MakePayload {
  return async (image, base) => {
    const folder = await mkdtemp(join(tmpdir(), "xs-ota-payload-"));
    const [old, fresh, output] = ["old", "new", "payload"].map((name) => join(folder, name));
    try {
      await writeFile(fresh, image);
      if (base) await writeFile(old, base);
      const command = base ? ["delta", old, fresh] : ["pack", fresh];
      await run(process.execPath, [...program, ...command, "-o", output], { timeout: LIMIT_MS });
      return new Uint8Array(await readFile(output));
    } catch (error) {
      const { stderr } = error as { stderr?: string };
      throw stderr ? new Error(stderr.trim().replaceAll(`${folder}/`, "")) : error;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  };
}
