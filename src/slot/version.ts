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

/**
 * Reads `[v]major[.minor[.build]][-pre.release][+build.metadata]`. Missing numbers are 0; leading zeros do not
 * count; more than 15 digits would not be counted exactly. What `git describe` appends ("1.2.3-4-gabcdef0") reads as
 * a pre-release of 1.2.3.
 * @returns undefined when the text is no version
 */
export function parseVersion(text: string): Version | undefined {
  const match =
    /^v?(\d{1,15}(?:\.\d{1,15}){0,2})(?:-([a-z\d-]+(?:\.[a-z\d-]+)*))?(?:\+[a-z\d-]+(?:\.[a-z\d-]+)*)?$/i.exec(
      text,
    );
  if (!match) return undefined;
  const [major, minor = 0, build = 0] = match[1].split(".").map(Number);
  return { major, minor, build, preRelease: match[2]?.split(".") ?? [] };
}

/**
 * A text that stands in the order of strings where the pre-release has its place (Semantic Versioning 2.0.0, item
 * 11): numbers by value (of up to 32 digits) and before other identifiers, a release behind its pre-releases.
 */
function rank({ preRelease }: Version): string {
  let text = "";
  for (const identifier of preRelease)
    text += /^\d+$/.test(identifier) ? `\t ${identifier.padStart(32, "0")}` : `\t${identifier}`;
  return text || "~";
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
    (rank(x) < rank(y) ? -1 : rank(x) > rank(y) ? 1 : 0)
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
