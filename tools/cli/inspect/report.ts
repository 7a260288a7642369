/**
 * Inspections as a person reads them.
 * @module
 */
import type { ImageInspection, SlotFit } from "../../../service/inspection.js";
import type { Comparison } from "../comparison.js";
import { paint, table } from "../text.js";
import type { FlashInspection, OtadataInspection, TableInspection } from "./inspections.js";

export function reportImage(image: ImageInspection, indent = ""): string[] {
  const { app, flash } = image;
  const rest = image.fileSize - image.imageSize;
  const limits = `${image.minChipRevision} to ${image.maxChipRevision ?? "any"}`;
  const facts: [string, string][] = [
    ["Chip", `${image.chip} (id ${image.chipId}), revision ${limits}`],
    ...(app
      ? ([
          ["Project", app.projectName],
          ["Version", app.version],
          ["Secure version", String(app.secureVersion)],
          ["Compiled", app.compileTime],
          ["ESP-IDF", app.idfVersion],
          ["ELF SHA-256", app.elfSha256],
        ] satisfies [string, string][])
      : ([["Application", paint("yellow", "no descriptor")]] satisfies [string, string][])),
    ["Size", `${bytes(image.imageSize)}${rest > 0 ? `, ${bytes(rest)} follow in the file` : ""}`],
    ["Entry point", hex(image.entry)],
    ["Flash", `${flash.mode ?? "?"}, ${flash.frequency ?? "?"}, ${flash.size ?? "?"}`],
    ["Checksum", `0x${image.checksum.toString(16).padStart(2, "0")}`],
    ["SHA-256", image.sha256 ?? "not appended"],
    [
      "Verdict",
      image.problem
        ? paint("red", `ESP-IDF refuses it: ${image.problem}`)
        : paint("green", `checksum${image.sha256 ? " and SHA-256 are" : " is"} right: it boots`),
    ],
  ];
  if (!image.problem && image.refusal) facts.push(["Agent", paint("red", `refuses it: ${image.refusal}`)]);
  return facts.map(([name, value]) => `${indent}${name.padEnd(15)} ${value}`);
}

export function reportSegments({ segments }: ImageInspection): string[] {
  return table(
    ["Segment", "Offset", "Length", "Load address", "Memory"],
    segments.map(({ offset, length, loadAddress, memory }, index) => [
      String(index),
      hex(offset),
      hex(length),
      hex(loadAddress),
      memory,
    ]),
  );
}

export function reportComparison({ running, text, refused }: Comparison): string[] {
  return [`${"Where it runs".padEnd(15)} ${running}: ${paint(refused ? "red" : "green", text)}`];
}

export function reportFits(fits: readonly SlotFit[]): string[] {
  return fits.map(({ slot, size, fits: does, resumable }) => {
    const verdict = !does
      ? paint("red", "does not fit")
      : resumable
        ? paint("green", "fits, with room for the journal: an interrupted transfer is resumed")
        : paint("yellow", "fits, without room for the journal: an interrupted transfer starts again");
    return `${slot.padEnd(15)} ${bytes(size)}: ${verdict}`;
  });
}

export function reportTable({ partitions, slots, problem }: TableInspection): string[] {
  return [
    ...table(
      ["Label", "Type", "Offset", "Size", "", "Flags"],
      partitions.map(({ label, name, offset, size, encrypted, readOnly }) => [
        label,
        name,
        hex(offset),
        hex(size),
        kilobytes(size),
        [encrypted && "encrypted", readOnly && "readonly"].filter(Boolean).join(" "),
      ]),
    ),
    "",
    problem ? paint("red", `Against ESP-IDF's rules: ${problem}`) : `${slots} OTA slots`,
    ...(slots < 2 && !problem ? [paint("yellow", "An update over the air needs two OTA slots.")] : []),
  ];
}

export function reportOtadata({ entries, meaning, slots }: OtadataInspection): string[] {
  const lines = entries.map((entry, index) => {
    if (entry.empty) return `Entry ${index}         empty`;
    const sum = entry.checksumRight ? "checksum right" : paint("red", "checksum wrong");
    const slot = entry.slot ? ` → ${entry.slot} of ${slots}` : "";
    return `Entry ${index}         sequence ${entry.sequence}, ${entry.state}, ${sum}${slot}${entry.active ? " (active)" : ""}`;
  });
  return [...lines, `Meaning         ${meaning}`];
}

export function reportFlash(flash: FlashInspection): string[] {
  const { boot } = flash;
  const starts = boot.slot
    ? paint("green", `${boot.slot}${boot.version ? `, version ${boot.version}` : ""}`)
    : paint("red", "nothing");
  return [
    `Flash of ${bytes(flash.size)}`,
    "",
    ...reportTable(flash.table),
    ...(flash.otadata ? ["", ...reportOtadata(flash.otadata)] : ["", "No otadata partition"]),
    ...flash.apps.flatMap(({ slot, offset, size, image, problem }) => [
      "",
      `${slot} at ${hex(offset)}, ${kilobytes(size)}`,
      ...(image ? reportImage({ ...image, fileSize: image.imageSize }, "  ") : [`  ${problem}`]),
    ]),
    "",
    `Would boot      ${starts}, by a boot loader ${boot.rollback ? "with" : "without"} rollback:`,
    ...boot.steps.map((step) => `  ${step}`),
  ];
}

function bytes(count: number): string {
  return `${count.toLocaleString("en-US")} bytes`;
}

function kilobytes(count: number): string {
  return count % 1024 ? bytes(count) : `${count / 1024} KB`;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
