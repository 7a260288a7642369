/**
 * Which stretches of a new image correspond to which of the old one, a few bytes in them changed: the matching of
 * bsdiff (Percival, "Naive differences of executable code", 2003).
 * @module
 */
import { suffixArray } from "./suffix-array.js";

export interface Stretch {
  /** Offset in the new image, offset in the old one, bytes. */
  readonly at: number;
  readonly from: number;
  readonly length: number;
}

/** A better place has to match so many bytes more than the one at hand. */
const MARGIN = 8;

/** @param progress told the part of the new image that is done, 0 to 1. @returns stretches in the order of the new image */
export function align(old: Uint8Array, fresh: Uint8Array, progress: (part: number) => void): Stretch[] {
  const suffixes = suffixArray(old);
  const stretches: Stretch[] = [];
  let found = 0;
  /** The longest match of what follows `at`; `found` is where. */
  const search = (at: number): number => {
    let low = 0;
    let high = old.length - 1;
    // What both ends have in common with the text needs no second look.
    let lowLength = 0;
    let highLength = 0;
    let best = 0;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const from = suffixes[middle];
      let n = Math.min(lowLength, highLength);
      const most = Math.min(old.length - from, fresh.length - at);
      while (n < most && old[from + n] === fresh[at + n]) n++;
      if (n > best) {
        best = n;
        found = from;
      }
      if (n === fresh.length - at) return best;
      if (n < old.length - from && old[from + n] > fresh[at + n]) {
        high = middle - 1;
        highLength = n;
      } else {
        low = middle + 1;
        lowLength = n;
      }
    }
    return best;
  };

  let scan = 0;
  let length = 0;
  let place = 0;
  let lastScan = 0;
  let lastPlace = 0;
  let lastOffset = 0;
  let told = 0;
  while (scan < fresh.length) {
    let score = 0;
    let counted = (scan += length);
    for (; scan < fresh.length; scan++) {
      if (scan >= told) {
        progress(scan / fresh.length);
        told = scan + 65536;
      }
      length = search(scan);
      place = found;
      for (; counted < scan + length; counted++)
        if (counted + lastOffset < old.length && old[counted + lastOffset] === fresh[counted]) score++;
      if ((length === score && length !== 0) || length > score + MARGIN) break;
      if (scan + lastOffset < old.length && old[scan + lastOffset] === fresh[scan]) score--;
    }
    if (length === score && scan < fresh.length) continue;
    // Extends the stretch before forward, and the one found backward, as long as more than half of the bytes match.
    let forward = 0;
    for (let n = 0, same = 0, best = 0; lastScan + n < scan && lastPlace + n < old.length; ) {
      if (old[lastPlace + n] === fresh[lastScan + n]) same++;
      n++;
      if (same * 2 - n > best * 2 - forward) {
        best = same;
        forward = n;
      }
    }
    let backward = 0;
    if (scan < fresh.length)
      for (let n = 1, same = 0, best = 0; scan >= lastScan + n && place >= n; n++) {
        if (old[place - n] === fresh[scan - n]) same++;
        if (same * 2 - n > best * 2 - backward) {
          best = same;
          backward = n;
        }
      }
    const overlap = lastScan + forward - (scan - backward);
    if (overlap > 0) {
      let cut = 0;
      for (let n = 0, score2 = 0, best = 0; n < overlap; n++) {
        if (fresh[lastScan + forward - overlap + n] === old[lastPlace + forward - overlap + n]) score2++;
        if (fresh[scan - backward + n] === old[place - backward + n]) score2--;
        if (score2 > best) {
          best = score2;
          cut = n + 1;
        }
      }
      forward += cut - overlap;
      backward -= cut;
    }
    if (forward > 0) stretches.push({ at: lastScan, from: lastPlace, length: forward });
    lastScan = scan - backward;
    lastPlace = place - backward;
    lastOffset = place - scan;
  }
  return stretches;
}
