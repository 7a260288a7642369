/**
 * What the file of a component says of itself, and the statement of a set.
 * @module
 */
import { createHash } from "node:crypto";
import { type ComponentHeader, parseComponentHeader } from "../../../src/components/header.js";
import { parseStatement } from "../../../src/components/statement.js";
import { ARCHIVE_AT, parseModHeader } from "../../../src/mods/header.js";
import { table } from "../text.js";

export interface ComponentInspection extends ComponentHeader {
  readonly kind: "component";
  readonly bytes: number;
  readonly sha256: string;
  /** Whether it is a mod, of which `xs-ota mod inspect` shows more. */
  readonly mod: boolean;
}

export interface SetInspection {
  readonly kind: "set";
  readonly sequence: number;
  readonly projectName: string;
  readonly members: readonly { readonly name: string; readonly version: string; readonly sha256: string }[];
}

/** @throws OtaError when the header is damaged */
export function inspectComponent(bytes: Uint8Array): ComponentInspection {
  const header = parseComponentHeader(bytes, bytes.length);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return { kind: "component", ...header, bytes: bytes.length, sha256, mod: isMod(bytes) };
}

/** @throws OtaError when it is damaged */
export function inspectSet(bytes: Uint8Array): SetInspection {
  const { sequence, projectName, entries } = parseStatement(bytes);
  const members = entries.map(({ name, version, digest }) => ({
    ...{ name, version },
    sha256: Buffer.from(digest).toString("hex"),
  }));
  return { kind: "set", sequence, projectName, members };
}

function isMod(bytes: Uint8Array): boolean {
  try {
    return bytes.length > ARCHIVE_AT && parseModHeader(bytes, bytes.length) !== undefined;
  } catch {
    return false;
  }
}

export function reportComponent(inspection: ComponentInspection): string[] {
  const { name, version, projectName, minFirmware, maxFirmware, bytes, sha256, mod } = inspection;
  const range = [minFirmware && `from ${minFirmware}`, maxFirmware && `up to ${maxFirmware}`];
  const rows = [
    [mod ? "Mod" : "Component", `${name} ${version} of ${projectName}`],
    ["Firmware", range.filter(Boolean).join(" ") || "any"],
    ["Size", `${bytes.toLocaleString("en-US")} bytes, the header included`],
    ["SHA-256", sha256],
  ];
  return rows
    .map(([title, value]) => `${title.padEnd(15)} ${value}`)
    .concat(mod ? ["", "More: xs-ota mod inspect"] : []);
}

export function reportSet({ sequence, projectName, members }: SetInspection): string[] {
  return [
    `Set ${sequence} of ${projectName}`,
    "",
    ...table(
      ["Member", "Version", "SHA-256"],
      members.map(({ name, version, sha256 }) => [name, version, sha256]),
    ),
  ];
}
