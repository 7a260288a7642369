/**
 * Suffix arrays by induced sorting (Nong, Zhang, Chan: "Two Efficient Algorithms for Linear Time Suffix Array
 * Construction", 2011).
 * @module
 */

type Numbers = Uint8Array | Int32Array;

/** @param upper no element of `text` is larger. @returns the starts of all suffixes of `text`, in their order */
export function suffixArray(text: Numbers, upper = 255): Int32Array {
  const { length } = text;
  const sa = new Int32Array(length);
  if (length < 2) return sa;
  // 1: a suffix that is less than the one behind it.
  const small = new Uint8Array(length);
  for (let at = length - 2; at >= 0; at--)
    small[at] = text[at] === text[at + 1] ? small[at + 1] : Number(text[at] < text[at + 1]);
  // Where the large and the small suffixes of each first element begin.
  const large = new Int32Array(upper + 2);
  const smalls = new Int32Array(upper + 2);
  for (let at = 0; at < length; at++)
    if (small[at]) large[text[at] + 1]++;
    else smalls[text[at]]++;
  for (let element = 0; element <= upper; element++) {
    smalls[element] += large[element];
    large[element + 1] += smalls[element];
  }
  const induce = (leftmost: Int32Array) => {
    sa.fill(-1);
    let ends = smalls.slice();
    for (const at of leftmost) sa[ends[text[at]]++] = at;
    ends = large.slice();
    sa[ends[text[length - 1]]++] = length - 1;
    for (let n = 0; n < length; n++) {
      const at = sa[n] - 1;
      if (at >= 0 && !small[at]) sa[ends[text[at]]++] = at;
    }
    ends = large.slice();
    for (let n = length - 1; n >= 0; n--) {
      const at = sa[n] - 1;
      if (at >= 0 && small[at]) sa[--ends[text[at] + 1]] = at;
    }
  };
  // Small ones that follow a large one.
  const number = new Int32Array(length + 1).fill(-1);
  let count = 0;
  for (let at = 1; at < length; at++) if (!small[at - 1] && small[at]) number[at] = count++;
  const leftmost = new Int32Array(count);
  for (let at = 1; at < length; at++) if (number[at] >= 0) leftmost[number[at]] = at;
  induce(leftmost);
  if (count === 0) return sa;
  const sorted = new Int32Array(count);
  let filled = 0;
  for (let n = 0; n < length; n++) if (number[sa[n]] >= 0) sorted[filled++] = sa[n];
  const names = new Int32Array(count);
  const endOf = (at: number) => (number[at] + 1 < count ? leftmost[number[at] + 1] : length);
  let name = 0;
  for (let n = 1; n < count; n++) {
    let a = sorted[n - 1];
    let b = sorted[n];
    const end = endOf(a);
    let same = end - a === endOf(b) - b;
    if (same) {
      while (a < end && text[a] === text[b]) {
        a++;
        b++;
      }
      same = a !== length && b !== length && text[a] === text[b];
    }
    if (!same) name++;
    names[number[sorted[n]]] = name;
  }
  const order = suffixArray(names, name);
  for (let n = 0; n < count; n++) sorted[n] = leftmost[order[n]];
  induce(sorted);
  return sa;
}
