/**
 * Replays cases recorded from ESP-IDF v6.0.2's own boot and OTA code on the models.
 *
 * A case is text: table | configuration ("rb": rollback enabled) | operation | entry 0 | entry 1 | result |
 * entry 0 afterwards | entry 1 afterwards | flash operations. Numbers index `tables` and `entries`. Operations:
 * E0, E1 erase a sector of otadata, E* both, W0, W1 write an entry. Every app partition holds a good image for
 * ESP32-C3, and ota_0 is running.
 * @module
 */
import { boot } from "../../hosts/emulated/boot-loader.js";
import { DeviceFlash, type DeviceOptions } from "../../hosts/emulated/device-flash.js";
import { buildFlashDump, slotTable } from "../../hosts/emulated/flash-dump.js";
import type { FlashCommand } from "../../hosts/emulated/flash-faults.js";
import { MemoryStorage, NorFlash } from "../../hosts/emulated/nor-flash.js";
import { EspError, OtaOperations } from "../../hosts/emulated/ota-operations.js";
import { hex } from "../../hosts/formats/esp-image-layout.js";
import { buildImage } from "../../hosts/formats/image-builder.js";
import { ENTRY_OFFSETS } from "../../hosts/formats/otadata.js";
import { appName, type Partition, TYPE_APP } from "../../hosts/formats/partition-table.js";
import type { Hash } from "../../src/ports.js";

export interface BootVectors {
  readonly tables: readonly string[];
  /** 64 hexadecimal digits each. */
  readonly entries: readonly string[];
  readonly cases: readonly string[];
}

const OTADATA_OFFSET = 0xd000;
const SLOT_SIZE = 0x10000;
const TABLES: Readonly<Record<string, readonly Partition[]>> = Object.freeze({
  partitions: slotTable({ slotSize: SLOT_SIZE }),
  "partitions-3ota": slotTable({ slotSize: SLOT_SIZE, slots: 3 }),
  "partitions-factory": slotTable({ slotSize: SLOT_SIZE, factory: true }),
});

export class BootVectorReplay {
  readonly #vectors: BootVectors;
  readonly #sha256: () => Hash;
  readonly #storages: readonly MemoryStorage[];

  constructor(vectors: BootVectors, sha256: () => Hash) {
    this.#vectors = vectors;
    this.#sha256 = sha256;
    const image = buildImage({ version: "1.0.0", projectName: "vectors", size: 512 }, sha256);
    this.#storages = vectors.tables.map((name) => {
      const table = TABLES[name];
      const apps = table.filter(({ type }) => type === TYPE_APP).map(({ label }) => [label, image]);
      const content = Object.fromEntries(apps);
      return new MemoryStorage(buildFlashDump({ flashSize: 0x50000, table, content }));
    });
  }

  /** @returns what the models make of a case, in the form of the case */
  replay(text: string): string {
    const [table, configuration, operation, ...rest] = text.split("|");
    const storage = this.#storages[Number(table)];
    const before = rest.slice(0, 2).map(Number);
    before.forEach((index, i) => {
      storage.write(OTADATA_OFFSET + ENTRY_OFFSETS[i], unhex(this.#vectors.entries[index]));
    });
    const commands: FlashCommand[] = [];
    const flash = new NorFlash(storage, {
      faults: {
        fate(command) {
          if (command.kind !== "read") commands.push(command);
          return undefined;
        },
      },
    });
    const rollback = configuration === "rb";
    const result = perform(operation, { flash, target: { chipId: 5 }, sha256: this.#sha256, rollback });
    const after = ENTRY_OFFSETS.map((offset) => this.#entryAt(storage, OTADATA_OFFSET + offset));
    return [table, configuration, operation, ...before, result, ...after, abbreviate(commands)].join("|");
  }

  #entryAt(storage: MemoryStorage, offset: number): string {
    const digits = hex(storage.bytes.subarray(offset, offset + 32));
    const index = this.#vectors.entries.indexOf(digits);
    return index < 0 ? digits : String(index);
  }
}

function perform(operation: string, options: DeviceOptions): string {
  if (operation === "boot") return nameOf(boot(options));
  const device = new DeviceFlash(options);
  const operations = new OtaOperations(device, device.slots[0]);
  const [verb, name] = operation.split(" ");
  const partition = device.partitions.find(({ label }) => label === name);
  if (verb === "get-boot") return nameOf(operations.getBootPartition());
  if (verb === "last-invalid") return nameOf(operations.getLastInvalidPartition());
  if (verb === "rollback-possible") return operations.isRollbackPossible() ? "yes" : "no";
  try {
    if (verb === "set-boot") operations.setBootPartition(partition as Partition);
    else if (verb === "begin") operations.begin(partition as Partition);
    else if (verb === "mark-valid") operations.markAppValid();
    else if (verb === "mark-invalid") operations.markAppInvalid();
    else throw new Error(`unknown operation "${operation}"`);
    return "ESP_OK";
  } catch (error) {
    if (error instanceof EspError) return error.code;
    throw error;
  }
}

function nameOf(partition: Partition | undefined): string {
  return partition ? appName(partition) : "none";
}

function abbreviate(commands: readonly FlashCommand[]): string {
  const text = commands
    .map(({ kind, offset, length }) => {
      const sector = (offset - OTADATA_OFFSET) / 0x1000;
      const expected = kind === "erase" ? 4096 : 32;
      return length === expected ? `${kind === "erase" ? "E" : "W"}${sector}` : `${kind} ${offset}+${length}`;
    })
    .join("");
  // The chip erases the partition sector by sector; the recording shows the one call.
  return text.replace("E0E1", "E*");
}

function unhex(digits: string): Uint8Array {
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) =>
    Number.parseInt(digits.slice(i * 2, i * 2 + 2), 16),
  );
}
