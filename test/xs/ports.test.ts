/** The ports of the XS runtime, with the ports of this process behind them. */
import { join } from "node:path";
import { FlashPartition } from "../../hosts/emulated/flash-partition.js";
import { NorFlash } from "../../hosts/emulated/nor-flash.js";
import { nodeCrypto } from "../../hosts/node/crypto.js";
import { type HostPorts, XsCalls } from "../../hosts/xs/calls.js";
import { declareXsTests } from "./declare.js";

const SIZE = 64 * 4096;

const values = new Map<string, string>();
const ports: Partial<HostPorts> = {
  partitions: [new FlashPartition(new NorFlash(SIZE), { offset: 0, size: SIZE })],
  crypto: nodeCrypto,
  store: { get: (key) => values.get(key), set: (key, value) => void values.set(key, value) },
};
const calls = new XsCalls(ports as HostPorts, () => {});

await declareXsTests("XS: ports", join(import.meta.dirname, "ports.entry.ts"), (message) =>
  calls.answer(message),
);
