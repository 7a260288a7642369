/** Components keep what test/conformance asks of them: over emulated flash, and as the hosts for Moddable open them. */
import { FlashPartition } from "../../hosts/emulated/flash-partition.js";
import { MemoryStorage, NorFlash, SECTOR_SIZE } from "../../hosts/emulated/nor-flash.js";
import { buildComponent } from "../../hosts/formats/component-builder.js";
import { DeviceComponents } from "../../hosts/moddable/component-parts.js";
import { EcmaFlash } from "../../hosts/moddable/flash.js";
import { Components } from "../../src/components/index.js";
import type { Flash } from "../../src/ports.js";
import { parseHead } from "../../src/slot/esp-image.js";
import { FlashPal } from "../../src/slot/flash-pal.js";
import { type ComponentHarness, type ComponentLife, componentConformance } from "../conformance/component.js";
import { equal, throws } from "../support/assert.js";
import { ASSETS, ComponentRig, firmwareImage } from "../support/component-rig.js";
import { FakeBoot, fileOf } from "../support/pal-rig.js";
import { EcmaFlashStandIn } from "../support/sdk/storage-flash.js";
import { TEST_KEYS, testCrypto } from "../support/test-crypto.js";
import { VirtualClock } from "../support/virtual-clock.js";

function file(version: string, content: Uint8Array) {
  const header = { name: "assets", projectName: "rig", version, minFirmware: "", maxFirmware: "" };
  const bytes = buildComponent(header, content);
  return { file: fileOf(bytes, { fileType: ASSETS }), bytes };
}

/** A chip with two slots, the log and two places. */
class Emulated implements ComponentHarness {
  readonly #encrypted: boolean;
  #rig!: ComponentRig;

  constructor(encrypted: boolean) {
    this.#encrypted = encrypted;
  }

  fresh(): ComponentLife {
    this.#rig = new ComponentRig({}, this.#encrypted);
    return this.#life();
  }

  restart(): ComponentLife {
    this.#rig.start();
    return this.#life();
  }

  settle(): void {
    this.#rig.clock.run(1000);
  }

  file = file;

  #life(): ComponentLife {
    const { components } = this.#rig;
    return { pal: components, open: () => components.open("assets") };
  }
}

for (const encrypted of [false, true])
  componentConformance(
    `components on emulated flash${encrypted ? ", encrypted" : ""}`,
    () => new Emulated(encrypted),
  );

const SECTORS = 8;

/** The SDK's flash module by the labels of partitions, as `deviceComponents` opens them. */
class Labelled implements ComponentHarness {
  readonly clock = new VirtualClock();
  readonly #chips: Readonly<Record<string, NorFlash>> = {
    nextota: new NorFlash(SECTORS * SECTOR_SIZE),
    components: new NorFlash(2 * SECTOR_SIZE),
    assets_0: new NorFlash(SECTORS * SECTOR_SIZE),
    assets_1: new NorFlash(SECTORS * SECTOR_SIZE),
  };

  fresh(): ComponentLife {
    return this.restart();
  }

  restart(): ComponentLife {
    this.clock.halt();
    const { device, parts } = this.#device();
    const pal = device.layer(new FlashPal({ ...parts, slot: this.#open("nextota") }), parts);
    return { pal, open: () => device.openComponent("assets") };
  }

  settle(): void {
    this.clock.run(1000);
  }

  file = file;

  #device() {
    const device = new DeviceComponents(
      (all) => new Components(all),
      (label) => this.#open(label),
      { components: [{ name: "assets", fileType: ASSETS, places: ["assets_0", "assets_1"] }] },
    );
    const boot = new FakeBoot();
    const image = firmwareImage("1.0.0");
    boot.running = parseHead(image, image.length);
    return { device, parts: { boot, crypto: testCrypto, clock: this.clock, trustedKeys: TEST_KEYS } };
  }

  #open(label: string): Flash {
    const chip = this.#chips[label];
    if (!chip) throw new Error(`can't find partition "${label}"`);
    return new EcmaFlash(new EcmaFlashStandIn(chip));
  }
}

componentConformance("components of the hosts for Moddable", () => new Labelled());

describe("components of the hosts for Moddable: openComponent", () => {
  const create = (places: readonly string[]) =>
    new DeviceComponents(
      (all) => new Components(all),
      (label): Flash => {
        if (label === "nowhere") throw new Error(`can't find partition "${label}"`);
        const chip = new NorFlash(new MemoryStorage(2 * SECTOR_SIZE));
        return new FlashPartition(chip, { offset: 0, size: 2 * SECTOR_SIZE, encrypted: false });
      },
      { components: [{ name: "assets", fileType: ASSETS, places }] },
    );
  const clock = new VirtualClock();
  const boot = new FakeBoot();
  const shared = { boot, crypto: testCrypto, clock, trustedKeys: TEST_KEYS };
  const firmware = () =>
    new FlashPal({ ...shared, slot: new EcmaFlash(new EcmaFlashStandIn(new NorFlash(2 * SECTOR_SIZE))) });

  it("says in words what is missing: the agent, a partition, the name", () => {
    const device = create(["a", "b"]);
    throws(() => device.openComponent("assets"), { message: "openComponent: createOtaAgent comes first" });
    throws(() => create(["a", "nowhere"]).layer(firmware(), shared), { message: 'partition "nowhere"' });
    device.layer(firmware(), shared);
    equal(device.openComponent("assets"), undefined);
    throws(() => device.openComponent("certs"), { message: 'no component "certs"' });
    throws(() => device.layer(firmware(), shared), { message: "one agent" });
  });
});
