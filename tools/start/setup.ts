/**
 * The device of a run and what is to be deployed onto it: made anew, or taken up where an earlier run left it.
 * @module
 */
import { readFileSync } from "node:fs";
import { boot } from "../../hosts/emulated/boot-loader.js";
import { DeviceFlash, type DeviceOptions } from "../../hosts/emulated/device-flash.js";
import { NorFlash } from "../../hosts/emulated/nor-flash.js";
import { describeApp, imageBytes } from "../../hosts/formats/esp-image-layout.js";
import { nodeCrypto } from "../../hosts/node/crypto.js";
import { FileStorage } from "../../hosts/node/file-storage.js";
import { generateIdentity } from "../../service/signer.js";
import type { AppDescription } from "../../src/ports.js";
import { copyOf } from "./checks.js";
import { type Folder, FolderError, type KeptDevice, type KeptUpdate } from "./folder.js";
import type { StartOptions } from "./options.js";
import { factoryFlash, firstImage, ImageFileError, planUpdate, type Scenario } from "./scenario.js";

export interface Setup {
  readonly device: KeptDevice;
  readonly chip: NorFlash;
  readonly scenario: Scenario;
  /** What ran before the update. */
  readonly before: AppDescription;
  /** An update under way. */
  readonly update: KeptUpdate | undefined;
  close(): void;
}

const THING = "xs-ota-demo";

/** @throws ImageFileError, FolderError */
export async function prepare(options: StartOptions, folder: Folder): Promise<Setup> {
  const file = options.image === undefined ? undefined : readImage(options.image);
  const unfinished = folder.unfinished();
  if (unfinished) {
    const { failure, allowDowngrade, before } = unfinished.update;
    if (options.fail && options.fail !== failure)
      throw new FolderError(`another update is under way in ${folder.path}: finish it without --fail first`);
    const device = folder.device();
    if (!device) throw new FolderError(`${folder.path} holds an update but no device`);
    const { chip, close } = openChip(folder, undefined);
    const scenario = { ...planUpdate(failure, undefined, unfinished.image), allowDowngrade };
    return { device, chip, scenario, before, update: unfinished.update, close };
  }
  const known = folder.device();
  if (known && folder.hasFlash) {
    const { chip, close } = openChip(folder, undefined);
    const before = peek(chip, known.chipId);
    if (!before) throw new FolderError(`no image on the device in ${folder.path} boots`);
    return {
      device: known,
      chip,
      scenario: planUpdate(options.fail, before, file),
      before,
      update: undefined,
      close,
    };
  }
  const scenario = planUpdate(options.fail, undefined, file);
  const from = options.from === undefined ? undefined : readImage(options.from);
  const first = from ?? firstImage(scenario, file !== undefined);
  const before = describeApp(imageBytes(first));
  const device = { thingName: THING, chipId: before.chipId, ...(await generateIdentity()) };
  folder.saveDevice(device);
  const { chip, close } = openChip(folder, factoryFlash(first, scenario));
  return { device, chip, scenario, before, update: undefined, close };
}

/** What the device needs to know to boot. */
export function bootOptions(chip: NorFlash, chipId: number): DeviceOptions {
  return { flash: chip, target: { chipId }, sha256: () => nodeCrypto.sha256(), rollback: true };
}

function openChip(folder: Folder, fresh: Uint8Array | undefined): { chip: NorFlash; close(): void } {
  const storage = new FileStorage(folder.flashPath, () => {
    if (!fresh) throw new FolderError(`there is no flash file in ${folder.path}`);
    return fresh;
  });
  return { chip: new NorFlash(storage), close: () => storage.close() };
}

/** What would boot, without touching the device. */
function peek(chip: NorFlash, chipId: number): AppDescription | undefined {
  const copy = new DeviceFlash(copyOf(bootOptions(chip, chipId)));
  const partition = boot(copy.options);
  return partition && copy.describe(partition);
}

function readImage(path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    throw new ImageFileError(`the image cannot be read: ${(error as Error).message}`);
  }
}
