/**
 * `npm run fuzz:payload -- [cases] [seed]`: both decoders of payloads over spoiled ones, the native one under the
 * sanitizers: same bytes or same refusal. Default: 100,000 cases.
 * @module
 */
import { compare, compileNative } from "../test/support/native-payload.js";

const [cases = "100000", seed = "1"] = process.argv.slice(2);
const started = performance.now();
const { usable, decoded } = await compare(compileNative(), Number(cases), Number(seed), (done) => {
  if (done % 100_000 === 0)
    console.log(`${done} cases after ${((performance.now() - started) / 1000).toFixed(0)} s`);
});
console.log(
  `${cases} spoiled payloads: ${usable} with a usable header, ${decoded} decoded to the end; no difference`,
);
