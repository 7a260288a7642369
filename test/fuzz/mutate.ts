/**
 * Changes an input the way faults and attackers do.
 * @module
 */
import type { Random } from "./random.js";

/** Numbers at which parsers go wrong. */
const EDGES = [
  0, 1, 0x1f, 0x20, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000,
  0xffffffff,
];

/** The input without [from, to), and with `middle` there instead. */
function replace(input: Uint8Array, from: number, to: number, middle: Uint8Array): Uint8Array {
  const result = new Uint8Array(input.length - (to - from) + middle.length);
  result.set(input.subarray(0, from));
  result.set(middle, from);
  result.set(input.subarray(to), from + middle.length);
  return result;
}

type Mutation = (
  input: Uint8Array,
  random: Random,
  other: Uint8Array,
  dictionary: readonly Uint8Array[],
) => Uint8Array;

/** Mutations that keep the length write into `input` itself. */
const MUTATIONS: readonly Mutation[] = [
  function flipBit(input, random) {
    if (input.length) input[random.below(input.length)]! ^= 1 << random.below(8);
    return input;
  },
  function setByte(input, random) {
    if (input.length)
      input[random.below(input.length)] = random.oneIn(2) ? random.next() : random.pick(EDGES);
    return input;
  },
  function addToByte(input, random) {
    if (input.length) input[random.below(input.length)]! += random.below(9) - 4;
    return input;
  },
  function setNumber(input, random) {
    const width = random.pick([2, 4, 8]);
    if (input.length < width) return input;
    const at = random.below(input.length - width + 1);
    const value = random.pick(EDGES) + random.below(3) - 1;
    const little = random.oneIn(2);
    for (let n = 0; n < width; n++) {
      const shift = little ? n : width - 1 - n;
      input[at + n] = shift > 3 ? (random.oneIn(2) ? 0 : 255) : value >>> (shift * 8);
    }
    return input;
  },
  function cut(input, random) {
    return input.slice(0, random.below(input.length + 1));
  },
  function cutFront(input, random) {
    return input.slice(random.below(Math.min(input.length, 16) + 1));
  },
  function remove(input, random) {
    const at = random.below(input.length + 1);
    return replace(input, at, Math.min(input.length, at + 1 + random.below(8)), new Uint8Array(0));
  },
  function insert(input, random) {
    const at = random.below(input.length + 1);
    return replace(input, at, at, random.bytes(1 + random.below(8)));
  },
  function insertWord(input, random, _other, dictionary) {
    if (dictionary.length === 0) return input;
    const at = random.below(input.length + 1);
    return replace(input, at, at, random.pick(dictionary));
  },
  function overwriteWithWord(input, random, _other, dictionary) {
    if (dictionary.length === 0) return input;
    const word = random.pick(dictionary);
    const at = random.below(input.length + 1);
    return replace(input, at, Math.min(input.length, at + word.length), word);
  },
  function repeat(input, random) {
    const from = random.below(input.length + 1);
    const part = input.subarray(from, from + 1 + random.below(random.oneIn(20) ? 256 : 8));
    const times = random.oneIn(50) ? random.below(64) : 1 + random.below(3);
    const parts = new Uint8Array(part.length * times);
    for (let n = 0; n < times; n++) parts.set(part, n * part.length);
    return replace(input, from, from, parts);
  },
  function swap(input, random) {
    const from = random.below(input.length + 1);
    const part = input.slice(from, from + 1 + random.below(16));
    const rest = replace(input, from, from + part.length, new Uint8Array(0));
    const to = random.below(rest.length + 1);
    return replace(rest, to, to, part);
  },
  function splice(input, random, other) {
    return replace(
      input,
      random.below(input.length + 1),
      input.length,
      other.slice(random.below(other.length + 1)),
    );
  },
];

/**
 * @param other another input, to mix with
 * @param maxLength what is longer is cut
 */
export function mutate(
  input: Uint8Array,
  random: Random,
  other: Uint8Array,
  dictionary: readonly Uint8Array[],
  maxLength: number,
): Uint8Array {
  let result: Uint8Array = input.slice();
  for (let count = 1 + random.below(random.oneIn(4) ? 8 : 2); count > 0; count--)
    result = random.pick(MUTATIONS)(result, random, other, dictionary);
  return result.length > maxLength ? result.slice(0, maxLength) : result;
}
