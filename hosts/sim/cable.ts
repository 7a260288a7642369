/**
 * What stands for the cable at the desk of somebody with a simulator: an application that was built as another version, or with
 * another NVS or other partitions, is another first flash.
 * @module
 */
import { File } from "file";
import { toHex } from "../../src/bytes.js";
import { ModdableCrypto } from "../moddable/crypto.js";
import type { SimulatorSettings } from "./device.js";
import { FileStore, storeFile } from "./file-store.js";

/** Key of the store that tells what the flash began with. */
const BEGAN = "began-with";

/** @param path undefined: nothing @throws Error when there is no such file */
export function readFile(path: string | undefined): Uint8Array | undefined {
  if (!path) return undefined;
  if (!File.exists(path)) throw new Error(`config.ota.nvsFile: there is no ${path}`);
  const file = new File(path);
  const bytes = new Uint8Array(file.read(ArrayBuffer) as ArrayBuffer);
  file.close();
  return bytes;
}

/** Throws away a flash file that another version of the application began with, and says so. */
export function writeByCable(settings: SimulatorSettings): void {
  const { flashFile, projectName, version, nvs, partitions = [] } = settings;
  const hash = new ModdableCrypto().sha256();
  hash.update(nvs ?? new Uint8Array(0));
  const own = partitions.map(({ label, size }) => `, ${label} ${size}`).join("");
  const now = `${projectName} ${version}, NVS ${nvs ? toHex(hash.digest()).slice(0, 8) : "empty"}${own}`;
  const store = storeFile(flashFile);
  const before = File.exists(store) ? new FileStore(store).get(BEGAN) : undefined;
  const isThere = File.exists(flashFile);
  // A flash file without a note is of a version of this package before there were any.
  if (isThere && (before ?? now) === now) return;
  if (isThere) trace(`simulated device: ${flashFile} began with ${before}, the application is ${now}\n`);
  trace(`simulated device: a new flash, with ${now}, as if written by cable\n`);
  for (const path of [flashFile, store]) if (File.exists(path)) File.delete(path);
  // The note last: a run that ends in between begins anew.
  new FileStore(store).set(BEGAN, now);
}
