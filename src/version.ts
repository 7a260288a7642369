/**
 * Version texts of applications: numbers in the manner of Semantic Versioning 2.0.0, with what ESP-IDF projects
 * really carry ("1", "v1.2", "2024.01.05").
 * @module
 */

export interface Version {
  readonly major: number;
  readonly minor: number;
  readonly build: number;
  /** Identifiers behind the hyphen; empty for a release. */
  readonly preRelease: readonly string[];
}

/** More digits would not be counted exactly. */
const MAX_DIGITS = 15;

function isNumeric(text: string): boolean {
  for (const character of text) if (character < "0" || character > "9") return false;
  return text !== "";
}

function isIdentifier(text: string): boolean {
  for (const character of text) {
    const lower = character.toLowerCase();
    if (!(lower >= "a" && lower <= "z") && !isNumeric(character) && character !== "-") return false;
  }
  return text !== "";
}

/**
 * Reads `[v]major[.minor[.build]][-pre.release][+build.metadata]`. Missing numbers are 0; leading zeros do not
 * count. What `git describe` appends ("1.2.3-4-gabcdef0") reads as a pre-release of 1.2.3.
 * @returns undefined when the text is no version
 */
export function parseVersion(text: string): Version | undefined {
  const [core, ...metadata] = text.split("+");
  const hyphen = core.indexOf("-");
  const release = hyphen < 0 ? core : core.slice(0, hyphen);
  const numbers = (release[0] === "v" || release[0] === "V" ? release.slice(1) : release).split(".");
  const preRelease = hyphen < 0 ? [] : core.slice(hyphen + 1).split(".");
  if (numbers.length > 3 || metadata.length > 1) return undefined;
  for (const number of numbers) if (!isNumeric(number) || number.length > MAX_DIGITS) return undefined;
  if (!preRelease.every(isIdentifier) || !(metadata[0]?.split(".").every(isIdentifier) ?? true))
    return undefined;
  const [major, minor = 0, build = 0] = numbers.map(Number);
  return { major, minor, build, preRelease };
}

/** Order of two identifiers of a pre-release (Semantic Versioning 2.0.0, item 11.4). */
function compareIdentifiers(a: string, b: string): number {
  const numeric = isNumeric(a);
  if (numeric !== isNumeric(b)) return numeric ? -1 : 1;
  if (numeric) {
    const difference = Number(a) - Number(b);
    if (difference !== 0) return difference;
  }
  return a < b ? -1 : a > b ? 1 : 0;
}

function comparePreReleases(a: readonly string[], b: readonly string[]): number {
  // A release comes behind its pre-releases.
  if (a.length === 0 || b.length === 0) return b.length - a.length;
  const length = Math.min(a.length, b.length);
  for (let n = 0; n < length; n++) {
    const order = compareIdentifiers(a[n], b[n]);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/**
 * Order of two version texts by precedence: build metadata plays no part.
 * @returns negative when `a` is older, positive when newer, 0 when neither; NaN when one of them is no version
 */
export function compareVersions(a: string, b: string): number {
  const x = parseVersion(a);
  const y = parseVersion(b);
  if (!x || !y) return Number.NaN;
  return (
    x.major - y.major ||
    x.minor - y.minor ||
    x.build - y.build ||
    comparePreReleases(x.preRelease, y.preRelease)
  );
}

/**
 * The version as the original agent writes it in `updatedBy`: major << 24 | minor << 16 | build. A number that does
 * not fit (255, 255, 65535) becomes the largest that does, so that of two such versions the same may come out;
 * what the other numbers say is kept. A text that is no version gives 0, the original's "unknown".
 */
export function packVersion(text: string): number {
  const version = parseVersion(text);
  if (!version) return 0;
  const { major, minor, build } = version;
  return Math.min(major, 255) * 0x1000000 + Math.min(minor, 255) * 0x10000 + Math.min(build, 65535);
}
