/**
 * The order of version texts: Semantic Versioning 2.0.0 where a text follows it, and what ESP-IDF projects carry besides:
 * `git describe`, four numbers, dates, `rc4`, `b1`. The rule: docs/SPEC.md, "Versions".
 * @module
 */

import { findRow } from "../errors.js";

export interface Version {
  /** Four; those a text does not have are 0. */
  readonly numbers: readonly number[];
  /** Words and numbers of the pre-release, in lower case; empty for a release. */
  readonly preRelease: readonly string[];
  /** Commits behind the tag, as `git describe` counts them. */
  readonly commits: number;
}

/** From so many digits on a number alone may be the name of a commit, as `git describe` gives it without a tag. */
const HASH_DIGITS = 7;

/**
 * Reads a version.
 * @returns undefined when the text is no version that has an order
 */
export function parseVersion(text: string): Version | undefined {
  // Regular expressions are made where they are used: one in ROM cannot set its lastIndex, and throws at every use.
  let lower = text.toLowerCase();
  if (/^v?\d{4}(-)\d{1,2}(-)\d{1,2}(?![\d.])/.test(lower)) lower = lower.replace("-", ".").replace("-", ".");
  // Numbers; a word of a pre-release that may stand right behind them, and its number; the rest; build; variant.
  const match =
    /^v?(\d{1,15}(?:\.\d{1,15}){0,3})(?:(alpha|beta|rc|dev|pre|[abc](?=\d))(\d*))?((?:-[a-z\d.-]+)?)(?:\+[a-z\d.-]+)?(?:\([a-z\d._-]*\))?$/.exec(
      lower,
    );
  if (!match) return undefined;
  const [, dotted, word = "", count = "", behind] = match;
  let rest = behind.replace(/-dirty$/, "");
  // Identifiers are never empty, and a hyphen alone says nothing.
  if (/\.\.|-\.|\.-|[.-]$/.test(rest)) return undefined;
  // A number alone that is a date, with a time or a count behind it.
  const stamp = /^20\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])(\d{2}|\d{4}|\d{6})?$/;
  if (!dotted.includes(".") && dotted.length >= HASH_DIGITS && !stamp.test(dotted)) return undefined;
  // What `git describe` appends: commits since the tag and the commit's name; changes that are in no commit.
  const described = /-(\d{1,15})-g[\da-f]{4,40}$/.exec(rest);
  if (described) rest = rest.slice(0, described.index);
  const numbers = dotted.split(".").map(Number);
  while (numbers.length < 4) numbers.push(0);
  // Letters and digits are identifiers of their own: rc10 is rc.10.
  const preRelease = `${word} ${count}${rest}`.match(/\d+|[a-z]+/g) ?? [];
  return { numbers, preRelease, commits: Number(described?.[1] ?? 0) };
}

/** Short for other words; and the word of builds that come before those of any other. */
const WORDS = `
a alpha
b beta
c rc
pre !pre
dev !dev
`;

/**
 * A text that stands in the order of strings where the pre-release has its place (Semantic Versioning 2.0.0, item
 * 11): numbers by value (of up to 32 digits) and before words, a release behind its pre-releases.
 */
function rank({ preRelease }: Version): string {
  let text = "";
  for (const identifier of preRelease)
    text += /^\d/.test(identifier)
      ? `\t ${identifier.padStart(32, "0")}`
      : `\t${findRow(WORDS, identifier)?.[1] ?? identifier}`;
  return text || "~";
}

/**
 * Order of two version texts by precedence. Build metadata, a variant in parentheses, the name of a commit and "dirty"
 * play no part.
 * @returns negative when `a` is older, positive when newer, 0 when neither; NaN when one of them has no order
 */
export function compareVersions(a: string, b: string): number {
  const x = parseVersion(a);
  const y = parseVersion(b);
  if (!x || !y) return Number.NaN;
  for (let n = 0; n < 4; n++) if (x.numbers[n] !== y.numbers[n]) return x.numbers[n] - y.numbers[n];
  return (rank(x) < rank(y) ? -1 : rank(x) > rank(y) ? 1 : 0) || x.commits - y.commits;
}

/**
 * The version as the original agent writes it in `updatedBy`: major << 24 | minor << 16 | build. A number that does
 * not fit (255, 255, 65535) becomes the largest that does, so that of two such versions the same may come out;
 * what the other numbers say is kept. A text that is no version gives 0, the original's "unknown".
 */
export function packVersion(text: string): number {
  const version = parseVersion(text);
  if (!version) return 0;
  const [major, minor, build] = version.numbers;
  return Math.min(major, 255) * 0x1000000 + Math.min(minor, 255) * 0x10000 + Math.min(build, 65535);
}
