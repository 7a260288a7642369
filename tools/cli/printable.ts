/**
 * Texts from devices, images and services on their way to a terminal: what could command it, hide or turn text around
 * is shown as `\uXXXX` (also valid inside JSON).
 * @module
 */

/** Control, format, surrogate and private-use characters, and the two line breaks of Unicode. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\u2028\u2029]/gu;
/** What `paint` makes: bold, dim, four colours, and their ends. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these begin with one
const STYLES = /(\x1b\[(?:1|2|22|31|32|33|36|39)m)/;

/** One line of text, without anything a terminal acts upon. */
export function printable(text: string): string {
  return text.replace(HIDDEN, escapeUnits);
}

/** Lines in which the styles of `paint` stay; everything else as `printable`. */
export function printableLines(text: string, styles: boolean): string {
  return text
    .split("\n")
    .map((line) =>
      line
        .split(STYLES)
        .map((part, index) => (index % 2 === 0 ? printable(part) : styles ? part : ""))
        .join(""),
    )
    .join("\n");
}

/** Plain data with every string in it made printable, names of properties too. */
export function printableData<T>(value: T): T {
  if (typeof value === "string") return printable(value) as T;
  if (Array.isArray(value)) return value.map(printableData) as T;
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, item]) => [printable(key), printableData(item)]);
  return Object.fromEntries(entries) as T;
}

function escapeUnits(character: string): string {
  let text = "";
  for (let i = 0; i < character.length; i++)
    text += `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`;
  return text;
}
