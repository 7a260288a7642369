/**
 * `npm run bench`: how fast, how polite and how small, as a table and as JSON.
 * @module
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { measureRom, type RomFigures, romRows } from "../tools/moddable/figures.js";
import { MissingError, Sdk } from "../tools/moddable/sdk.js";
import { FILE_SIZE, type Figures, measure, type TransferRow } from "./figures.js";
import { broken, type Flat, flatten, worse } from "./gate.js";
import { type NativeSize, nativeSize } from "./native-size.js";
import { type OptionMemory, optionsMemory } from "./options-memory.js";
import { measurePayloads, ownPairs, pairsOf, printPayloads } from "./payload.js";
import { type ProcessorFigures, processor } from "./processor.js";
import { fooled, type SocketRow, sockets } from "./sockets.js";
import { type ProtocolRow, wireByProtocol } from "./wire.js";

const BASELINE = new URL("baseline.json", import.meta.url);
const USAGE = `npm run bench [-- options]
  --quick     only what comes out the same on every machine; no sockets
  --check     --quick, and exit code 1 when a figure is worse than in bench/baseline.json by more than 3 %,
              bytes of ROM and bundles by more than 2 %,
              or not as promised
  --update    --quick, and write bench/baseline.json
  --sockets [TEXT]…
              real sockets alone, or their rows with one of these texts; exit code 1 when blocks were asked for again on a link that lost nothing
  --payload [OLD NEW]…
              deltas and packed images alone: of these images, or of the package's own
  --json FILE where the figures go (default build/bench.json)
  --help`;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => row[i].length)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, i) => (i ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

function transferTable(rows: readonly TransferRow[]): string {
  const head = [
    ...["link", "loss", "bound s", "seconds", "worst", "x bound", "requests"],
    ...["original, 1 block", "8 blocks"],
  ];
  const seconds = (value: number) => (Number.isNaN(value) ? "gave up" : value.toFixed(value < 10 ? 2 : 1));
  return table(
    head,
    rows.map((row) => [
      `${row.bandwidth / 1024} KB/s, ${row.rtt} ms`,
      `${row.loss * 100} %`,
      seconds(row.bound),
      seconds(row.seconds),
      seconds(row.worst),
      row.ratio.toFixed(3),
      row.requests.toFixed(0),
      seconds(row.original1),
      seconds(row.original8),
    ]),
  );
}

function print({ links, flash, trouble, wire, polite, xs, sizes }: Figures): void {
  console.log(`An image of ${FILE_SIZE} bytes in blocks of 4096 over MQTT, in virtual time\n`);
  console.log(transferTable(links));
  console.log("\nThe same onto NOR flash (sector erase 45 ms, block erase 150 ms, page program 0.4 ms)\n");
  console.log(transferTable(flash));
  console.log(
    "\nReordering, lumps, a busy device, bursts of loss, a way that changes, the application's messages\n",
  );
  const seconds = (value: number) => (Number.isNaN(value) ? "gave up" : value.toFixed(2));
  console.log(
    table(
      [
        "what",
        "bound s",
        "seconds",
        "over it",
        "original, 1 block",
        "8",
        "32",
        "sent again, most",
        "message waits",
      ],
      trouble.map((row) => [
        row.what,
        ...[row.bound, row.seconds, row.seconds - row.bound].map(seconds),
        ...[row.original1, row.original8, row.original32].map(seconds),
        String(row.again),
        row.messageDelay ? `${row.messageDelay.toFixed(0)} ms` : "",
      ]),
    ),
  );
  console.log("\nWhat the application feels: turns spent on flash, 1 MB/s, 20 ms\n");
  console.log(
    table(
      ["options", "seconds", "longest turn", "busy"],
      polite.map((row) => [
        row.options,
        row.seconds.toFixed(2),
        `${row.longestStall.toFixed(1)} ms`,
        `${(row.busyShare * 100).toFixed(0)} %`,
      ]),
    ),
  );
  console.log("\nBytes on the wire (MQTT packets, without TCP/IP)\n");
  console.log(
    table(
      ["block", "stream name", "requests", "up", "down", "overhead"],
      wire.map((row) => [
        String(row.blockSize),
        `${row.streamName.length} characters`,
        ...[row.requests, row.upBytes, row.downBytes].map(String),
        `${(row.overhead * 100).toFixed(2)} %`,
      ]),
    ),
  );
  console.log("\nIn XS (computrons, heap slots; the whole agent with flash layer and journal)\n");
  console.log(
    table(
      ["figure", "value"],
      Object.entries(xs).map(([name, value]) => [name, String(value)]),
    ),
  );
  console.log("\nBundles, bytes\n");
  console.log(
    table(
      ["bundle", "bytes"],
      Object.entries(sizes).map(([name, value]) => [name, String(value)]),
    ),
  );
}

function printOptions(rows: readonly OptionMemory[] | undefined): void {
  if (!rows) return console.log("\nRAM of options: not measured, the package is not built (npm run build)");
  console.log("\nRAM of options at rest in XS, more than without; a slot has 16 bytes on ESP32\n");
  console.log(
    table(
      ["option", "slots", "bytes of buffers"],
      rows.map(({ what, slots, bytes }) => [what, String(slots), String(bytes)]),
    ),
  );
}

function printSockets(rows: readonly SocketRow[]): void {
  console.log("\nOver real sockets, through a broker and a proxy that delays and loses messages\n");
  console.log(
    table(
      ["who", "link", "seconds", "original, 1 block", "x faster", "asked again", "requests", "up", "down"],
      rows.map((row) => [
        row.who,
        row.what,
        row.seconds.toFixed(2),
        row.original ? row.original.toFixed(2) : "",
        row.original ? (row.original / row.seconds).toFixed(1) : "",
        row.again < 0 ? "" : String(row.again),
        ...[row.requests, row.upBytes, row.downBytes].map(String),
      ]),
    ),
  );
}

function printProcessor({ node, xs, original, originalWall }: ProcessorFigures): void {
  console.log("\nWork from the job to the verified image, medians of nine (MQTT on loopback, no delay)\n");
  console.log(
    table(
      ["device", "seconds"],
      [
        ["Node, processor", node.toFixed(3)],
        ["XS, wall clock", xs.toFixed(3)],
        ["the original's policy on Node, without flash or verification: processor", original.toFixed(3)],
        ["and its wall clock", originalWall.toFixed(3)],
      ],
    ),
  );
}

function printProtocols(rows: readonly ProtocolRow[]): void {
  console.log(
    "\nThe same image over each protocol (bytes of the TCP streams, real sockets, an empty network)\n",
  );
  console.log(
    table(
      ["protocol", "block", "requests", "up", "down", "overhead"],
      rows.map((row) => [
        row.protocol,
        ...[row.blockSize, row.requests, row.upBytes, row.downBytes].map(String),
        `${(row.overhead * 100).toFixed(2)} %`,
      ]),
    ),
  );
}

function printNative(size: NativeSize | undefined): void {
  if (!size) {
    console.log("\nThe decoder of payloads in C: not measured, there is no riscv64-unknown-elf-gcc");
    return;
  }
  const { core, whole, state } = size;
  const rows = [
    ["code", String(core)],
    ["with the functions XS calls", whole === undefined ? "" : String(whole)],
    ["RAM of its state", String(state)],
  ];
  console.log("\nThe decoder of payloads in C, which option payload brings to ESP32, RISC-V, bytes\n");
  console.log(table(["what", "bytes"], rows));
}

/** ROM needs the SDK's linker: measured for those who have it. */
async function rom(): Promise<RomFigures | undefined> {
  if (!process.env["MODDABLE"]) return;
  const sdk = Sdk.find();
  try {
    return await measureRom(sdk);
  } finally {
    sdk.close();
  }
}

function report(title: string, faults: readonly string[]): void {
  if (faults.length === 0) return;
  console.log(`\n${title}`);
  for (const fault of faults) console.log(`  ${fault}`);
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: "boolean", default: false },
      check: { type: "boolean", default: false },
      update: { type: "boolean", default: false },
      payload: { type: "boolean", default: false },
      sockets: { type: "boolean", default: false },
      json: { type: "string", default: "build/bench.json" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  if (values.payload) {
    const pairs = positionals.length ? pairsOf(positionals) : ownPairs();
    printPayloads(await measurePayloads(pairs), table);
    return 0;
  }
  if (values.sockets) {
    const rows = await sockets(console.error, positionals);
    printSockets(rows);
    const faults = fooled(rows);
    report("Not as promised:", faults);
    return faults.length ? 1 : 0;
  }
  const figures = await measure();
  print(figures);
  const options = await optionsMemory();
  printOptions(options);
  const quick = values.quick || values.check || values.update;
  const protocols = quick ? undefined : await wireByProtocol(FILE_SIZE);
  if (protocols) printProtocols(protocols);
  const real = quick ? undefined : await sockets(console.error);
  if (real) printSockets(real);
  const work = quick ? undefined : await processor();
  if (work) printProcessor(work);
  const linked = await rom();
  if (linked) {
    console.log("\nROM on ESP32 by the SDK's linker, preloaded, bytes\n");
    console.log(table(["what", "bytes"], romRows(linked)));
  } else console.log("\nROM on ESP32: not measured, MODDABLE names no Moddable SDK");
  printNative(nativeSize(process.env["MODDABLE"]));
  const baseline = JSON.parse(readFileSync(BASELINE, "utf8")) as Flat;
  const flat = flatten(figures, linked);
  mkdirSync(new URL("../build/", import.meta.url), { recursive: true });
  writeFileSync(
    values.json,
    `${JSON.stringify({ ...figures, protocols, sockets: real, processor: work, options, rom: linked, flat }, undefined, 2)}\n`,
  );
  const promises = [...broken(figures, linked), ...fooled(real ?? [])];
  report("Not as promised:", promises);
  if (values.update) {
    // What was not linked here keeps its last value.
    const kept = Object.entries(baseline).filter(([name]) => name.startsWith("rom: "));
    const next = { ...Object.fromEntries(kept), ...flat };
    writeFileSync(BASELINE, `${JSON.stringify(next, undefined, 2)}\n`);
    return 0;
  }
  const faults = worse(flat, baseline);
  report("Worse than before:", faults);
  return values.check && faults.length + promises.length > 0 ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof MissingError)) throw error;
  console.error(`ROM cannot be measured with this MODDABLE. Missing:\n${error.message}`);
  process.exitCode = 1;
}
