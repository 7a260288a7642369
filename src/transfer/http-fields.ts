/**
 * The few HTTP header fields the agent reads, strictly.
 * @module
 */

/** Longest wait a server can impose, milliseconds. */
const MAX_RETRY_AFTER_MS = 3_600_000;

/**
 * `Content-Range: bytes first-last/total` (RFC 9110 §14.4); `total` is −1 for `*`. Undefined when it is
 * anything else or contradicts itself.
 */
export function parseContentRange(
  value: string | undefined,
): { readonly first: number; readonly last: number; readonly total: number } | undefined {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/i.exec(value ?? "");
  if (!match) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2]);
  const total = match[3] === "*" ? -1 : Number(match[3]);
  return first <= last && (total < 0 || last < total) ? { first, last, total } : undefined;
}

/** `Retry-After` (RFC 9110 §10.2.3), seconds or a date, as milliseconds; 0 when absent or unusable. */
export function retryAfter(headers: ReadonlyMap<string, string>): number {
  const value = headers.get("retry-after") ?? "";
  // A device may not know the time: a date is read against the server's own.
  const ms = /^\d{1,9}$/.test(value)
    ? Number(value) * 1000
    : Date.parse(value) - Date.parse(headers.get("date") ?? "");
  return ms > 0 ? Math.min(ms, MAX_RETRY_AFTER_MS) : 0;
}

/** Longest URL, in characters, and longest Location, which grows where it has to be encoded. */
const MAX_URL = 8192;
const MAX_LOCATION = 4096;

/** True for an absolute URL of HTTP or HTTPS, one word of ASCII. */
export function isUrl(url: string): boolean {
  return url.length <= MAX_URL && /^https?:\/\/[!-~]+$/i.test(url);
}

/**
 * True when a body is the object itself: `Content-Encoding` is absent, `identity`, or what S3 keeps of an upload in
 * chunks, `aws-chunked` (RFC 9110 §8.4: names in any case).
 */
export function isPlain(coding = ""): boolean {
  return coding.split(",").every((name) => /^\s*(identity|aws-chunked)?\s*$/i.test(name));
}

/**
 * Where `location` leads from `base` (RFC 3986 §5, without dot segments): an absolute URL, or undefined when it
 * is none the agent follows. Blanks and bytes of UTF-8 in it, which servers send, are written as they should have been.
 * Never from https to http.
 */
export function resolveUrl(base: string, location: string): string | undefined {
  const [, origin, scheme, directory = "/", file = ""] =
    /^((https?:)\/\/[^/?#]+)([^?#]*\/)?([^?#]*)/i.exec(base) ?? [];
  if (!origin || location.length > MAX_LOCATION) return undefined;
  let url = location
    // Not trim, which takes byte A0 from the end of a character of UTF-8.
    .replace(/^[ \t]+|[ \t]+$/g, "")
    .replace(/#.*/, "")
    .replace(/[ \x80-\uffff]+/g, encode);
  if (url.startsWith("//")) url = scheme + url;
  else if (url[0] === "/") url = origin + url;
  else if (url[0] === "?" || url === "") url = origin + directory + file + url;
  else if (!/^[a-z][a-z\d+.-]*:/i.test(url)) url = origin + directory + url;
  return isUrl(url) && !/^https:.* http:/i.test(`${base} ${url}`) ? url : undefined;
}

/** What clients make of the bytes of a header field: a character for each, or of each character of UTF-8. */
function encode(text: string): string {
  try {
    return /[\u0100-\uffff]/.test(text) ? encodeURIComponent(text) : escape(text);
  } catch {
    // Half of a character: no URL can have it.
    return " ";
  }
}
