/**
 * Versions of applications, as ESP-IDF puts them into the application descriptor: text that usually follows
 * Semantic Versioning 2.0.0, with or without a leading "v".
 * @module
 */

export interface Version {
  /** Major, minor and build (patch). */
  readonly numbers: readonly [number, number, number];
  /** Identifiers of a pre-release ("rc.1" → "rc", "1"); empty for a release. */
  readonly preRelease: readonly string[];
}

const PATTERN = /^v?(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/;

/** @returns undefined for a text that has no place in the order of versions */
export function parseVersion(text: string): Version | undefined {
  const match = PATTERN.exec(text);
  if (!match) return undefined;
  const preRelease = match[4] === undefined ? [] : match[4].split(".");
  if (preRelease.includes("")) return undefined;
  return { numbers: [Number(match[1]), Number(match[2] ?? 0), Number(match[3] ?? 0)], preRelease };
}

/**
 * The order of two versions (Semantic Versioning §11); build metadata does not count.
 * @returns below 0 when `a` is older, 0 when they are equal, above 0 when it is newer; 0 as well when one of them
 *   has no place in the order
 */
export function compareVersions(a: string, b: string): number {
  const left = parseVersion(a);
  const right = parseVersion(b);
  if (!left || !right) return 0;
  for (let i = 0; i < 3; i++) {
    const difference = left.numbers[i] - right.numbers[i];
    if (difference) return difference;
  }
  return comparePreRelease(left.preRelease, right.preRelease);
}

function comparePreRelease(a: readonly string[], b: readonly string[]): number {
  // A release comes after its pre-releases.
  if (!a.length || !b.length) return b.length - a.length;
  for (let i = 0; i < a.length && i < b.length; i++) {
    if (a[i] === b[i]) continue;
    const left = /^\d+$/.test(a[i]);
    const right = /^\d+$/.test(b[i]);
    if (left && right) {
      const difference = Number(a[i]) - Number(b[i]);
      if (difference) return difference;
    } else if (left !== right) return left ? -1 : 1;
    else return a[i] < b[i] ? -1 : 1;
  }
  return a.length - b.length;
}

/**
 * The 32-bit form of the original agent: major << 24 | minor << 16 | build, each part cut off at its greatest value.
 * 0 for a text that is no version.
 */
export function packVersion(text: string): number {
  const version = parseVersion(text);
  if (!version) return 0;
  const [major, minor, build] = version.numbers;
  return ((Math.min(major, 0xff) << 24) | (Math.min(minor, 0xff) << 16) | Math.min(build, 0xffff)) >>> 0;
}
