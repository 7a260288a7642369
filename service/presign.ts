/**
 * Pre-signed URLs as Amazon S3 makes them: AWS Signature Version 4 in the query
 * (S3 API reference, "Authenticating Requests: Using Query Parameters").
 * @module
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface PresignOptions {
  /** Seconds until the URL expires, 1 … 604800. */
  expiresIn: number;
  /** Milliseconds since 1970. */
  now: number;
  /** At least so many characters, made up by a security token as temporary credentials have one. */
  length?: number;
}

/** What is wrong with a signed URL: an error code and text as S3 gives them, and the HTTP status. */
export interface PresignError {
  readonly status: 400 | 403;
  readonly code: string;
  readonly message: string;
  readonly details: Readonly<Record<string, string>>;
}

const ALGORITHM = "AWS4-HMAC-SHA256";
const REGION = "us-east-1";
/** Seven days, the longest SigV4 allows. */
const EXPIRES_LIMIT = 604_800;

/** A key that signs and checks URLs. */
export class UrlSigner {
  readonly #credentials: Credentials;

  /** @param credentials default: random ones */
  constructor(credentials: Credentials = randomCredentials()) {
    this.#credentials = credentials;
  }

  /** @throws RangeError for an `expiresIn` out of range */
  sign(url: string, { expiresIn, now, length = 0 }: PresignOptions): string {
    if (!Number.isInteger(expiresIn) || expiresIn < 1 || expiresIn > EXPIRES_LIMIT)
      throw new RangeError(`a URL expires after 1 to ${EXPIRES_LIMIT} seconds, not ${expiresIn}`);
    const signed = new URL(url);
    const date = basicDate(now);
    signed.searchParams.set("X-Amz-Algorithm", ALGORITHM);
    signed.searchParams.set("X-Amz-Credential", `${this.#credentials.accessKeyId}/${scope(date)}`);
    signed.searchParams.set("X-Amz-Date", date);
    signed.searchParams.set("X-Amz-Expires", String(expiresIn));
    signed.searchParams.set("X-Amz-SignedHeaders", "host");
    const rest = "&X-Amz-Security-Token=&X-Amz-Signature=".length + 64;
    const missing = length - signed.href.length - rest;
    if (missing > 0) {
      const token = randomBytes(missing).toString("base64url").slice(0, missing);
      signed.searchParams.set("X-Amz-Security-Token", token);
    }
    signed.searchParams.set("X-Amz-Signature", this.#signature("GET", signed, date));
    return signed.href;
  }

  /** @returns undefined when the URL may be used for a GET at `now`, milliseconds since 1970 */
  check(url: URL, now: number): PresignError | undefined {
    const { searchParams } = url;
    const signature = searchParams.get("X-Amz-Signature");
    const date = searchParams.get("X-Amz-Date") ?? "";
    const expires = searchParams.get("X-Amz-Expires") ?? "";
    if (signature === null) return error(403, "AccessDenied", "Access Denied");
    const start = parseBasicDate(date);
    if (
      searchParams.get("X-Amz-Algorithm") !== ALGORITHM ||
      Number.isNaN(start) ||
      !/^\d{1,6}$/.test(expires)
    )
      return error(
        400,
        "AuthorizationQueryParametersError",
        "The query-string authentication is incomplete.",
      );
    const unsigned = new URL(url);
    unsigned.searchParams.delete("X-Amz-Signature");
    if (!same(signature, this.#signature("GET", unsigned, date)))
      return error(403, "SignatureDoesNotMatch", "The request signature does not match the one calculated.");
    const end = start + Number(expires) * 1000;
    if (now <= end) return undefined;
    return error(403, "AccessDenied", "Request has expired", {
      "X-Amz-Expires": expires,
      Expires: isoDate(end),
      ServerTime: isoDate(now),
    });
  }

  #signature(method: string, url: URL, date: string): string {
    const query = [...url.searchParams]
      .map(([name, value]) => `${encode(name)}=${encode(value)}`)
      .sort()
      .join("&");
    const request = [method, url.pathname, query, `host:${url.host}`, "", "host", "UNSIGNED-PAYLOAD"].join(
      "\n",
    );
    const digest = createHash("sha256").update(request).digest("hex");
    const parts = [date.slice(0, 8), REGION, "s3", "aws4_request"];
    const key = parts.reduce<Buffer | string>(
      (secret, part) => hmac(secret, part),
      `AWS4${this.#credentials.secretAccessKey}`,
    );
    return hmac(key, [ALGORITHM, date, scope(date), digest].join("\n")).toString("hex");
  }
}

/** In the form of temporary credentials. */
export function randomCredentials(): Credentials {
  return {
    accessKeyId: `ASIA${randomBytes(8).toString("hex").toUpperCase()}`,
    secretAccessKey: randomBytes(30).toString("base64"),
  };
}

function error(
  status: 400 | 403,
  code: string,
  message: string,
  details: PresignError["details"] = {},
): PresignError {
  return { status, code, message, details };
}

function scope(date: string): string {
  return `${date.slice(0, 8)}/${REGION}/s3/aws4_request`;
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

function same(a: string, b: string): boolean {
  const [bytes, others] = [Buffer.from(a), Buffer.from(b)];
  // Characters are not bytes: the comparison throws unless both have as many of these.
  return bytes.length === others.length && timingSafeEqual(bytes, others);
}

/** RFC 3986 percent-encoding of everything but unreserved characters. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** 20250102T030405Z */
function basicDate(now: number): string {
  return isoDate(now).replace(/[-:]/g, "");
}

function isoDate(now: number): string {
  return `${new Date(now).toISOString().slice(0, 19)}Z`;
}

function parseBasicDate(date: string): number {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date);
  if (!match) return Number.NaN;
  const [, year, month, day, hour, minute, second] = match;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}
