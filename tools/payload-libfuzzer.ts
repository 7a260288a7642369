/**
 * `npm run fuzz:native -- [seconds]`: libFuzzer over the native decoder of payloads, with AddressSanitizer and
 * UndefinedBehaviorSanitizer. It begins with the payloads of the tests, keeps what it finds in build/fuzz-native, and goes on
 * from there. Needs clang and the libraries of its sanitizers (Debian: clang, libclang-rt-14-dev). Default: 300 seconds.
 * @module
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { encodeCase, headerOf, SOURCE, seedCases } from "../test/support/native-payload.js";

const FOLDER = fileURLToPath(new URL("../build/fuzz-native/", import.meta.url));
/** Bytes: the largest seeds that are worth their time. */
const LONGEST = 24_576;

const [seconds = "300"] = process.argv.slice(2);
mkdirSync(`${FOLDER}corpus`, { recursive: true });
const { bases, cases } = seedCases();
const paths = bases.map((bytes, n) => {
  writeFileSync(`${FOLDER}base-${n}`, bytes);
  return `${FOLDER}base-${n}`;
});
cases.forEach((seed, n) => {
  const bytes = Buffer.concat(encodeCase({ ...seed, header: headerOf(seed.payload)! }));
  if (bytes.length <= LONGEST) writeFileSync(`${FOLDER}corpus/seed-${n}`, bytes);
});
const program = `${FOLDER}fuzz`;
const sanitizers = ["-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"];
try {
  execFileSync("clang", ["-O1", "-g", "-DFUZZER", ...sanitizers, "-o", program, SOURCE], {
    stdio: "inherit",
  });
} catch {
  console.error(
    "This needs clang and the libraries of its sanitizers, in Debian clang and libclang-rt-14-dev.",
  );
  process.exit(1);
}
const limits = [`-max_total_time=${seconds}`, `-max_len=${LONGEST}`, "-timeout=10", "-print_final_stats=1"];
const own = [`-artifact_prefix=${FOLDER}`, `${FOLDER}corpus`, "-ignore_remaining_args=1", ...paths];
const { status } = spawnSync(program, [...limits, ...own], { stdio: "inherit" });
process.exitCode = status ?? 1;
