/**
 * What a machine says of itself and of the names of an archive, in lines of text, and an engine that says the same elsewhere:
 * decisions about many archives are quicker on Node, and those that are started are known by their digest.
 * @module
 */
import { toHex } from "../../src/bytes.js";
import { hex } from "./hex.js";
import type { Program } from "./mod-engine.js";
import type { RigEngine } from "./mod-rig.js";
import { sha256 } from "./sha256.js";

export interface EngineRecord {
  readonly xs: readonly [number, number, number];
  readonly host: string;
  readonly codeSizes: readonly number[];
  readonly profileCode: number;
  readonly keyRoom: number;
  /** Ids the machine has for the names it was asked for. */
  readonly ids: Readonly<Record<string, number>>;
  /** SHA-256 of each archive that it ran. */
  readonly ran: readonly string[];
}

const MARK = "engine: ";
/** Characters in a line, as far as a runtime's log takes them. */
const LINE = 400;

export function recordLines(engine: EngineRecord): string[] {
  const text = JSON.stringify(engine);
  const lines: string[] = [];
  for (let at = 0; at < text.length; at += LINE) lines.push(MARK + text.slice(at, at + LINE));
  return lines;
}

/** Whether a line is one of `recordLines`. */
export function isRecord(line: string): boolean {
  return line.startsWith(MARK);
}

/** @param lines those of `recordLines` @throws SyntaxError when some are missing */
export function recordOf(lines: readonly string[]): EngineRecord {
  return JSON.parse(lines.map((line) => line.slice(MARK.length)).join("")) as EngineRecord;
}

/** A name as XS has it, bytes with a NUL behind them. */
export function nameOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes.subarray(0, -1));
}

export class RecordedEngine implements RigEngine {
  readonly xs: readonly [number, number, number];
  readonly host: Uint8Array;
  readonly codeSizes: Int8Array;
  readonly profileCode: number;
  readonly keyRoom: number;
  readonly #ids: ReadonlyMap<string, number>;

  constructor(record: EngineRecord) {
    this.xs = record.xs;
    this.host = hex(record.host);
    this.codeSizes = Int8Array.from(record.codeSizes);
    this.profileCode = record.profileCode;
    this.keyRoom = record.keyRoom;
    this.#ids = new Map(Object.entries(record.ids));
  }

  has(name: Uint8Array): boolean {
    return this.#ids.has(nameOf(name));
  }

  /** @throws Error for a name the machine was not asked for: nobody has signed it */
  id(name: Uint8Array): number {
    const id = this.#ids.get(nameOf(name));
    if (id === undefined) throw new Error(`asked for the name "${nameOf(name)}"`);
    return id;
  }

  /** Says which archive it is. */
  run(archive: Uint8Array): Program {
    return { symbols: [], code: [toHex(sha256(archive))] };
  }
}
