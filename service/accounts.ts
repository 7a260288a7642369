/**
 * Accounts of the service: people with passwords, programs and devices with tokens, in a file that is read again when
 * it changes. Passwords are kept as scrypt makes of them; tokens are random, so that a plain digest keeps them.
 * @module
 */
import { createHash, randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { checkThingName } from "./job-records.js";

/** Looks; deploys, too; or is a device, which speaks for itself at the broker and nowhere else. */
export type Role = "read" | "deploy" | "device";

export interface Account {
  readonly name: string;
  readonly role: Role;
}

export interface AccountEntry extends Account {
  /** `scrypt:N:r:p:salt:hash`, salt and hash in base64. */
  readonly password?: string;
  /** `sha256:` and the digest in hexadecimal. */
  readonly token?: string;
}

export const ROLES: readonly Role[] = Object.freeze(["read", "deploy", "device"]);
/** Why nobody is let in for the moment. */
export const BUSY = "busy";

/** OWASP Password Storage Cheat Sheet, scrypt: 32 MB, three times. */
const COST = Object.freeze({ N: 32_768, r: 8, p: 3 });
const HASH_BYTES = 32;
const SALT_BYTES = 16;
const TOKEN_PREFIX = "xsota_";
/** scrypt takes its memory at once: so many at a time, and so many that wait. */
const AT_ONCE = 2;
const WAITING = 16;
/** A password that was good stays so for a while: browsers send it with every request. */
const REMEMBER_MS = 600_000;
const REMEMBERED = 100;
const LOOK_MS = 1000;
const ENTRIES_LIMIT = 100_000;
const NAME = /^[\w.@:-]{1,128}$/;
const PASSWORD = /^scrypt:(\d{1,7}):(\d{1,2}):(\d{1,2}):([\w+/=]{16,64}):([\w+/=]{40,100})$/;
const TOKEN = /^sha256:[\da-f]{64}$/;

/** @returns what a file keeps of a password */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, salt, COST);
  return `scrypt:${COST.N}:${COST.r}:${COST.p}:${salt.toString("base64")}:${hash.toString("base64")}`;
}

/** @returns a new token, and what a file keeps of it */
export function makeToken(): { text: string; kept: string } {
  const text = TOKEN_PREFIX + randomBytes(24).toString("base64url");
  return { text, kept: digestOf(text) };
}

/** @throws TypeError with what is wrong with the file's text */
export function parseAccounts(text: string): AccountEntry[] {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch {
    throw new TypeError("it is no JSON");
  }
  const users = (file as { users?: unknown } | null)?.users;
  if (!Array.isArray(users)) throw new TypeError('it has no list "users"');
  if (users.length > ENTRIES_LIMIT) throw new TypeError(`it has more than ${ENTRIES_LIMIT} users`);
  const entries = users.map((user: unknown, index) => checkEntry(user, index + 1));
  const names = new Set(entries.map(({ name }) => name));
  if (names.size < entries.length) throw new TypeError("a name is in it twice");
  return entries;
}

function checkEntry(user: unknown, number: number): AccountEntry {
  const { name, role, password, token } = (user ?? {}) as Record<string, unknown>;
  const isText = (value: unknown, pattern: RegExp) => typeof value === "string" && pattern.test(value);
  if (!isText(name, NAME)) throw new TypeError(`user ${number} has no usable name`);
  if (!ROLES.includes(role as Role)) throw new TypeError(`${name} has no role of ${ROLES.join(", ")}`);
  if (role === "device") checkThingName(name as string);
  if (password !== undefined && !isText(password, PASSWORD))
    throw new TypeError(`the password of ${name} is not as it must be`);
  if (token !== undefined && !isText(token, TOKEN))
    throw new TypeError(`the token of ${name} is not as it must be`);
  return { name, role, password, token } as AccountEntry;
}

export class Accounts {
  readonly #path: string;
  readonly #failed: (error: Error) => void;
  #entries = new Map<string, AccountEntry>();
  #tokens = new Map<string, AccountEntry>();
  #stamp = "";
  #looked = Number.NEGATIVE_INFINITY;
  #running = 0;
  readonly #waiting: (() => void)[] = [];
  readonly #good = new Map<string, { readonly entry: AccountEntry; readonly until: number }>();

  /**
   * @param failed told when the file, changed while it is used, cannot be: what it was before holds
   * @throws TypeError when it cannot be used; as `readFileSync` when it cannot be read
   */
  constructor(path: string, failed: (error: Error) => void = () => {}) {
    this.#path = path;
    this.#failed = failed;
    this.#stamp = stampOf(path);
    this.#take(parseAccounts(readFileSync(path, "utf8")));
  }

  /** A person: resolves with undefined unless name and password belong together. */
  async byPassword(name: string, password: string): Promise<Account | typeof BUSY | undefined> {
    this.#look();
    const entry = this.#entries.get(name);
    const isPerson = entry?.password !== undefined && entry.role !== "device";
    const key = digestOf(`${name}\n${password}`);
    const known = this.#good.get(key);
    if (known && known.entry === entry && known.until > performance.now()) return entry;
    if (this.#running >= AT_ONCE && this.#waiting.length >= WAITING) return BUSY;
    await this.#turn();
    try {
      // Names that are not there take as long.
      const isGood = await checkPassword(password, isPerson ? entry.password! : DECOY);
      if (!isPerson || !isGood) return undefined;
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
    this.#good.set(key, { entry, until: performance.now() + REMEMBER_MS });
    if (this.#good.size > REMEMBERED) this.#good.delete(this.#good.keys().next().value!);
    return entry;
  }

  /** A program, by its token. */
  byToken(token: string): Account | undefined {
    this.#look();
    const entry = this.#tokens.get(digestOf(token));
    return entry?.role === "device" ? undefined : entry;
  }

  /** Whether a device's token is its own. */
  isDevice(thingName: string, token: string): boolean {
    this.#look();
    const { role, token: kept } = this.#entries.get(thingName) ?? {};
    return role === "device" && kept !== undefined && isSame(Buffer.from(kept), Buffer.from(digestOf(token)));
  }

  /** Whether a device is known here, by whatever it shows. */
  hasDevice(thingName: string): boolean {
    this.#look();
    return this.#entries.get(thingName)?.role === "device";
  }

  async #turn(): Promise<void> {
    if (this.#running >= AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running++;
  }

  #look(): void {
    const now = performance.now();
    if (now - this.#looked < LOOK_MS) return;
    this.#looked = now;
    const stamp = stampOf(this.#path);
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    try {
      this.#take(parseAccounts(readFileSync(this.#path, "utf8")));
    } catch (error) {
      this.#failed(
        new Error(`${this.#path} cannot be used, what it was before holds: ${(error as Error).message}`),
      );
    }
  }

  #take(entries: readonly AccountEntry[]): void {
    this.#entries = new Map(entries.map((entry) => [entry.name, entry]));
    this.#tokens = new Map(entries.flatMap((entry) => (entry.token ? [[entry.token, entry]] : [])));
  }
}

/** Of nobody's password. */
const DECOY = `scrypt:${COST.N}:${COST.r}:${COST.p}:${"A".repeat(22)}==:${"A".repeat(43)}=`;

async function checkPassword(password: string, kept: string): Promise<boolean> {
  const [, N, r, p, salt, hash] = PASSWORD.exec(kept)!;
  const wanted = Buffer.from(hash, "base64");
  const cost = { N: Number(N), r: Number(r), p: Number(p) };
  return isSame(await derive(password, Buffer.from(salt, "base64"), cost, wanted.length), wanted);
}

function derive(password: string, salt: Buffer, cost: ScryptOptions, bytes = HASH_BYTES): Promise<Buffer> {
  // As people type it, whatever keyboard it comes from.
  const text = password.normalize("NFKC");
  return new Promise((resolve, reject) => {
    const options = { ...cost, maxmem: 256 * (cost.N ?? 0) * (cost.r ?? 0) };
    scrypt(text, salt, bytes, options, (error, key) => (error ? reject(error) : resolve(key)));
  });
}

function isSame(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

function digestOf(text: string): string {
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}

function stampOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat ? `${stat.ino} ${stat.size} ${stat.mtimeMs}` : "";
}
