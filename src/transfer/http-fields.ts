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

/** True for an absolute URL of HTTP or HTTPS, one word of ASCII. */
export function isUrl(url: string): boolean {
  return /^https?:\/\/[!-~]+$/i.test(url);
}

/**
 * Where `location` leads from `base` (RFC 3986 §5, without dot segments): an absolute URL, or undefined when it
 * is none the agent follows. Never from https to http.
 */
export function resolveUrl(base: string, location: string): string | undefined {
  const [, origin, scheme, directory = "/"] = /^((https?:)\/\/[^/?#]+)([^?#]*\/)?/i.exec(base) ?? [];
  if (!origin) return undefined;
  let url = location;
  if (location.startsWith("//")) url = scheme + location;
  else if (location[0] === "/") url = origin + location;
  else if (!/^[a-z][a-z\d+.-]*:/i.test(location)) url = origin + directory + location;
  return isUrl(url) && !/^https:.* http:/i.test(`${base} ${url}`) ? url : undefined;
}
