/**
 * The machine behind the stand-ins of the Moddable SDK's modules: one device in virtual time, with what its
 * modules share. The stand-ins follow the sources of SDK 8.2.3, each names its file there; where those leave
 * something open, the harsher reading is taken. Pure: runs on Node and on XS.
 * @module
 */
import type { NorFlash } from "../../../hosts/emulated/nor-flash.js";
import { VirtualClock } from "../virtual-clock.js";

/** The far end of a TCP connection. */
export interface FarEnd {
  /** Bytes from the device. */
  received(bytes: Uint8Array): void;
}

/** What the far end has of a connection. */
export interface FarWire {
  send(bytes: Uint8Array): void;
  close(): void;
}

/** Where a socket wants to connect. */
export interface Destination {
  readonly address: string;
  readonly port: number;
}

class Machine {
  clock = new VirtualClock();
  /** Lines the code under test has traced. */
  lines: string[] = [];
  /** Which C sources the stand-ins follow where the platforms differ. */
  platform: "esp32" | "lin" = "esp32";
  /** Reading of the millisecond counter (esp32) or of the wall clock (lin) when the clock's time is 0. */
  tickBase = 0;
  /** Seconds of the epoch that `Time.set` has set, and when; undefined: 1970. */
  time: { readonly seconds: number; readonly at: number } | undefined;
  /** Addresses by host; a host that is not here cannot be resolved. */
  addresses = new Map<string, string>();
  /** Accepts connections; undefined: refused. */
  accept: ((wire: FarWire, to: Destination) => FarEnd) | undefined;
  /** Bytes a socket holds for reading, and takes for writing. */
  readable = 1_536;
  writable = 5_744;
  /** Preferences: domain, key, value. */
  preferences = new Map<string, Map<string, unknown>>();
  /** Called between the steps of a change to the preferences; what it throws is a power cut there. */
  powerCut: ((step: string) => void) | undefined;
  /** Partitions by the name `flash.open` takes. */
  partitions = new Map<string, NorFlash>();
  /** C functions by the name the compiler binds them to. */
  natives: Record<string, (...values: never[]) => unknown> = {};

  /** A device as new. */
  reset(): void {
    Object.assign(this, new Machine());
  }
}

const KEY = "xs-ota-agent stand-ins";
const holder = globalThis as unknown as Record<string, Machine | undefined>;
/** One for the whole program, where each file of tests is bundled with a copy of this module: they share its globals. */
export const sdk = (holder[KEY] ??= new Machine());

Object.assign(globalThis, {
  trace: (...parts: unknown[]) => void sdk.lines.push(parts.join("")),
  native: (name: string) => {
    const action = sdk.natives[name];
    if (!action) throw new Error(`no native function ${name}`);
    return action;
  },
});
