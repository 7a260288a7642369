import { ModelBootControl } from "../../hosts/emulated/boot-control.js";
import { boot } from "../../hosts/emulated/boot-loader.js";
import { DeviceFlash } from "../../hosts/emulated/device-flash.js";
import { FlashPartition } from "../../hosts/emulated/flash-partition.js";
import { MemoryStorage, NorFlash } from "../../hosts/emulated/nor-flash.js";
import { ClassicFlash, EcmaFlash } from "../../hosts/moddable/flash.js";
import { bootConformance } from "../conformance/boot-control.js";
import { flashConformance } from "../conformance/flash.js";
import { equal } from "../support/assert.js";
import { SceneHarness, sceneDump } from "../support/boot-scene.js";
import { ClassicFlashStandIn, EcmaFlashStandIn } from "../support/sdk/storage-flash.js";
import { newSha256 } from "../support/sha256.js";

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

class Model extends SceneHarness {
  protected control(): ModelBootControl {
    return new ModelBootControl(new DeviceFlash(this.options), this.running, () => {});
  }
}

it("the model of the boot side tells the chip's revision, as the chip does", () => {
  const flash = new NorFlash(new MemoryStorage(sceneDump({ title: "" }, newSha256)));
  const options = { flash, target: { chipId: 5, chipRevision: 101 }, sha256: newSha256, rollback: true };
  const running = boot(options);
  if (!running) throw new Error("nothing boots");
  equal(new ModelBootControl(new DeviceFlash(options), running, () => {}).chipRevision, 101);
});

bootConformance("boot control of the model", (scene) => {
  return new Model(scene, new NorFlash(new MemoryStorage(sceneDump(scene, newSha256))), newSha256);
});
