/**
 * Lets the faults of a scenario happen when they are due, and ends them all at the horizon.
 * @module
 */
import type { Fate, FlashCommand, FlashFaults } from "../../hosts/emulated/flash-faults.js";
import type { VirtualTime } from "../support/virtual-clock.js";
import type { Anchor, Fault, Scenario, Zone } from "./scenario.js";

type Of<K extends Fault["kind"]> = Extract<Fault, { kind: K }>;

/** Faults that begin and end. */
type Span = Of<"outage"> | Of<"refuse"> | Of<"service"> | Of<"store"> | Of<"mute"> | Of<"line">;

const SPANS: readonly string[] = Object.freeze(["outage", "refuse", "service", "store", "mute", "line"]);

export class Trouble {
  readonly #scenario: Scenario;
  readonly #time: VirtualTime;
  readonly #act: (fault: Fault) => void;
  readonly #counts = new Map<Anchor, number>();
  readonly #active = new Set<Span>();
  /** How often each trouble took effect. */
  readonly effects = new Map<string, number>();

  /** @param act lets a fault without a span happen; told also of the begin of one with a span */
  constructor(scenario: Scenario, time: VirtualTime, act: (fault: Fault) => void) {
    this.#scenario = scenario;
    this.#time = time;
    this.#act = act;
    for (const fault of scenario.faults)
      if ("when" in fault && "at" in fault.when) this.#arrange(fault, fault.when.at);
  }

  get over(): boolean {
    return this.#time.now >= this.#scenario.horizon;
  }

  /** Something happened that faults may be tied to. */
  happened(anchor: Anchor): void {
    const count = this.#counts.get(anchor) ?? 0;
    this.#counts.set(anchor, count + 1);
    for (const fault of this.#scenario.faults) {
      if (!("when" in fault) || !("on" in fault.when)) continue;
      const { on, nth, delay } = fault.when;
      if (on === anchor && nth === count) this.#arrange(fault, this.#time.now + delay);
    }
  }

  /** A trouble took effect: it is counted by `name`. */
  took(name: string, times = 1): void {
    if (times) this.effects.set(name, (this.effects.get(name) ?? 0) + times);
  }

  /** Those of a sort that are in effect. */
  active<K extends Span["kind"]>(kind: K): Of<K>[] {
    if (this.over) return [];
    return [...this.#active].filter((fault) => fault.kind === kind) as Of<K>[];
  }

  #arrange(fault: Fault, at: number): void {
    this.#time.at(at, () => {
      if (this.over) return;
      if (SPANS.includes(fault.kind)) {
        const span = fault as Span;
        this.#active.add(span);
        this.#time.at(this.#time.now + span.span, () => this.#active.delete(span));
      }
      this.#act(fault);
    });
  }
}

/** What the flash needs to know of the device. */
export interface FlashView {
  /** Where a byte of the chip belongs, seen from the application that runs. */
  zone(offset: number): Zone | undefined;
  /** The power fails now. */
  cut(off: number): void;
  /** A trouble took effect. */
  took(name: string): void;
  readonly over: boolean;
}

/** The faults of a scenario that concern the chip. */
export class FlashTrouble implements FlashFaults {
  readonly #faults: readonly Fault[];
  readonly #view: FlashView;
  readonly #slots: readonly number[];
  readonly #slotSize: number;
  /** Commands so far, by zone and sort. */
  readonly #counts = new Map<string, number>();

  constructor(faults: readonly Fault[], view: FlashView, slots: readonly number[], slotSize: number) {
    this.#faults = faults;
    this.#view = view;
    this.#slots = slots;
    this.#slotSize = slotSize;
  }

  fate({ kind, offset }: FlashCommand): Fate | undefined {
    if (this.#view.over) return undefined;
    const zone = this.#view.zone(offset);
    const inZone = zone ? this.#count(`${zone} ${kind}`) : 0;
    const commands = zone && kind !== "read" ? this.#count(zone) : 0;
    const all = kind === "read" ? -1 : this.#count("any");
    for (const fault of this.#faults) {
      if (fault.kind === "cut" && kind !== "read") {
        if (fault.nth !== (fault.zone === "any" ? all : fault.zone === zone ? commands : -1)) continue;
        const { moment, tear } = fault;
        this.#view.took(`power cut ${moment} a command`);
        this.#view.cut(fault.off);
        if (moment === "before" || moment === "after") return { cut: moment };
        return { cut: "middle", tear: moment, seed: tear };
      }
      if (fault.kind === "flash" && fault.zone === zone && fault.command === kind)
        if (inZone >= fault.nth && inZone < fault.nth + fault.count) {
          this.#view.took(`flash ${kind} ${fault.fate === "fail" ? "fails" : "does nothing"}`);
          return fault.fate;
        }
    }
    return undefined;
  }

  alter(offset: number, bits: Uint8Array): void {
    for (const fault of this.#faults) {
      if (fault.kind !== "stuck" || (this.#view.over && !fault.lasting)) continue;
      const at = this.#slots[fault.slot] + Math.floor(fault.place * this.#slotSize) - offset;
      if (at < 0 || at >= bits.length) continue;
      const stuck = (bits[at] & ~fault.mask) | (fault.value & fault.mask);
      if (stuck !== bits[at]) this.#view.took("stuck bits");
      bits[at] = stuck;
    }
  }

  #count(what: string): number {
    const count = this.#counts.get(what) ?? 0;
    this.#counts.set(what, count + 1);
    return count;
  }
}
