import { ModelBootControl } from "../../hosts/emulated/boot-control.js";
import { boot } from "../../hosts/emulated/boot-loader.js";
import { DeviceFlash, type DeviceOptions } from "../../hosts/emulated/device-flash.js";
import { buildFlashDump, slotTable } from "../../hosts/emulated/flash-dump.js";
import { FlashPartition } from "../../hosts/emulated/flash-partition.js";
import { MemoryStorage, NorFlash } from "../../hosts/emulated/nor-flash.js";
import { buildImage } from "../../hosts/formats/image-builder.js";
import { makeEntry, STATE_VALID } from "../../hosts/formats/otadata.js";
import { PureSha256 } from "../../hosts/formats/sha256.js";
import { ClassicFlash, EcmaFlash } from "../../hosts/moddable/flash.js";
import { type BootHarness, bootConformance } from "../conformance/boot-control.js";
import { flashConformance } from "../conformance/flash.js";
import { ClassicFlashStandIn, EcmaFlashStandIn } from "../support/moddable-flash.js";

const SIZE = 40 * 4096;

for (const encrypted of [false, true]) {
  const chip = new NorFlash(2 * SIZE);
  const title = `emulated flash${encrypted ? ", encrypted" : ""}`;
  flashConformance(title, () => new FlashPartition(chip, { offset: SIZE, size: SIZE, encrypted }), encrypted);
}

{
  const chip = new NorFlash(SIZE);
  flashConformance("ECMA-419 flash", () => new EcmaFlash(new EcmaFlashStandIn(chip)));
  flashConformance("classic flash", () => new ClassicFlash(new ClassicFlashStandIn(chip)));
}

function model(): BootHarness {
  const sha256 = () => new PureSha256();
  const image = (version: string) =>
    buildImage({ chip: "esp32c3", projectName: "p", version, size: 1024 }, sha256);
  const dump = buildFlashDump({
    flashSize: 0x50000,
    table: slotTable({ slotSize: 0x10000 }),
    otadata: [makeEntry(1, STATE_VALID)],
    content: { ota_0: image("1.0.0") },
  });
  const flash = new NorFlash(new MemoryStorage(dump));
  const options: DeviceOptions = { flash, target: { chipId: 5 }, sha256, rollback: true };
  let control: ModelBootControl;
  const reboot = () => {
    const running = boot(options);
    if (!running) throw new Error("nothing boots");
    control = new ModelBootControl(new DeviceFlash(options), running, () => {});
    return control;
  };
  const other = () => new DeviceFlash(options).open(control.otherPartition);
  return {
    fresh: reboot,
    reboot,
    install(version) {
      other().eraseBlock(0, 16);
      other().write(image(version), 0);
    },
    spoil() {
      other().eraseBlock(0, 1);
    },
  };
}

bootConformance("boot control of the model", model);
