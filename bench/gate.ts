/**
 * What must not get worse: each repeatable figure against its last accepted value, and against the limits the
 * product promises.
 * @module
 */
import type { RomFigures } from "../tools/moddable/figures.js";
import type { Figures } from "./figures.js";

/** Figures may grow by this share before they count as worse. */
const TOLERANCE = 0.03;
/** Bytes may grow by this share: more asks for a decision, and a new baseline. */
const SIZE_TOLERANCE = 0.02;
/** Figures of the SDK's linker: there is not one on every machine. */
const ROM = "rom: ";

export type Flat = Record<string, number>;

/**
 * One number for each figure; the lower the better.
 * @param rom where the SDK's linker is at hand
 */
export function flatten({ links, flash, trouble, wire, polite, xs, sizes }: Figures, rom?: RomFigures): Flat {
  const flat: Flat = {};
  for (const row of links) {
    const name = `link ${row.bandwidth / 1024} KB/s ${row.rtt} ms ${row.loss * 100} %`;
    flat[`${name}: seconds`] = row.seconds;
    flat[`${name}: requests`] = row.requests;
  }
  for (const row of flash) flat[`flash ${row.bandwidth / 1024} KB/s ${row.rtt} ms: seconds`] = row.seconds;
  for (const { what, seconds, messageDelay } of trouble) {
    flat[`${what}: seconds`] = seconds;
    if (messageDelay) flat[`${what}: delay of a message`] = messageDelay;
  }
  for (const row of polite) flat[`polite, ${row.options}: longest turn`] = row.longestStall;
  for (const row of wire)
    flat[`wire ${row.blockSize} ${row.streamName}: bytes`] = row.upBytes + row.downBytes;
  for (const [name, value] of Object.entries(xs)) flat[`xs: ${name}`] = value;
  for (const [name, value] of Object.entries(sizes)) flat[`size: ${name}`] = value;
  if (rom) for (const name of ["agent", "bundle", "package"] as const) flat[ROM + name] = rom[name];
  return flat;
}

/**
 * What the product promises, and where it is not kept.
 * @param rom where the SDK's linker is at hand
 */
export function broken({ links, flash, trouble, wire, xs }: Figures, rom?: RomFigures): string[] {
  const faults: string[] = [];
  const check = (name: string, value: number | undefined, limit: number) => {
    if (!(Number(value) <= limit)) faults.push(`${name}: ${value?.toFixed(4)}, at most ${limit} is promised`);
  };
  for (const { bandwidth, rtt, loss, ratio } of links)
    check(
      `${bandwidth / 1024} KB/s, ${rtt} ms, ${loss * 100} % loss: time over bound`,
      ratio,
      loss === 0 ? 1.1 : loss <= 0.01 ? 1.17 : 1.42,
    );
  for (const { bandwidth, rtt, ratio } of flash)
    check(`${bandwidth / 1024} KB/s, ${rtt} ms, with flash: time over bound`, ratio, 1.1);
  for (const row of trouble) {
    const { what, loss } = row;
    if (loss === 0) check(`${what}: blocks sent again`, row.again, 0.01 * row.blocks);
    else check(`${what}: time over bound`, row.seconds / row.bound, loss <= 0.01 ? 1.3 : 1.6);
    // One second, and a block at 20 kB/s.
    check(`${what}: delay of a message`, row.messageDelay, 1_205);
    // What the application's messages wait for is what the original keeps on its way: it is not a race then.
    if (row.messageDelay) continue;
    for (const original of [row.original1, row.original8, row.original32])
      if (!Number.isNaN(original)) check(`${what}: seconds against the original`, row.seconds, original);
  }
  for (const { blockSize, streamName, overhead } of wire)
    if (streamName.length < 20 && blockSize <= 8192)
      check(`wire overhead with blocks of ${blockSize}`, overhead, blockSize === 4096 ? 0.025 : 0.014);
  check("computrons for a block", xs["perBlock"], 2700);
  check("computrons for a block from the socket on", xs["perBlockFromSocket"], 5200);
  if (rom) {
    check("bytes of ROM for jobs of several files, with firmware alone", rom.sets, 1024);
    check("bytes of ROM for the port for other fleet services, with AWS alone", rom.port, 300);
  }
  check("slots of a transfer", xs["transferSlots"] - xs["idleSlots"], 495);
  check("bytes of buffers of a transfer", xs["transferBytes"], 11_852);
  return faults;
}

/**
 * Figures that are worse than in `baseline` by more than the tolerance, with both numbers. Those of the linker only
 * when `now` has any of them.
 */
export function worse(now: Flat, baseline: Flat): string[] {
  const linked = Object.keys(now).some((name) => name.startsWith(ROM));
  const faults: string[] = [];
  for (const [name, old] of Object.entries(baseline)) {
    if (name.startsWith(ROM) && !linked) continue;
    const value = now[name];
    const tolerance = /^(rom|size): /.test(name) ? SIZE_TOLERANCE : TOLERANCE;
    if (value === undefined) faults.push(`${name}: was ${old}, is not measured any more`);
    else if (!(value <= old * (1 + tolerance)))
      faults.push(`${name}: was ${old}, is ${value} (${((value / old - 1) * 100).toFixed(1)} % more)`);
  }
  return faults;
}
