/**
 * Who asks over HTTP, and what he may: by name and password (RFC 7617, as browsers have it) or by token (RFC 6750).
 * @module
 */
import type { IncomingMessage } from "node:http";
import { type Account, type Accounts, BUSY } from "./accounts.js";

/** Why a request is not let in. */
export interface GateRefusal {
  readonly status: 401 | 403 | 429 | 503;
  readonly message: string;
  /** Who it is, where that is known. */
  readonly name?: string;
}

/** Wrong answers of one address within the window; then nothing is computed for it. */
const WRONG_LIMIT = 10;
const WINDOW_MS = 60_000;
const ADDRESSES = 1000;
/** What only looks, though it is sent with a body. */
const LOOKS: readonly string[] = Object.freeze(["/api/inspect", "/api/preview"]);

export class Gate {
  readonly #accounts: Accounts | undefined;
  readonly #wrong = new Map<string, { count: number; readonly since: number }>();

  /** @param accounts undefined: whoever comes may do all */
  constructor(accounts: Accounts | undefined) {
    this.#accounts = accounts;
  }

  /** Who it is; null where there are no accounts. */
  async admit(request: IncomingMessage, path: string): Promise<Account | GateRefusal | null> {
    if (!this.#accounts) return null;
    const address = request.socket.remoteAddress ?? "";
    const { authorization = "" } = request.headers;
    if (authorization === "") return { status: 401, message: "Sign in, or set XS_OTA_TOKEN." };
    const wrong = this.#wrongOf(address);
    if (wrong !== undefined && wrong.count >= WRONG_LIMIT)
      return { status: 429, message: "Too many wrong passwords or tokens: try again in a minute." };
    const account = await identify(this.#accounts, authorization);
    if (account === BUSY) return { status: 503, message: "Too many sign in at once: try again." };
    if (!account) {
      this.#count(address, wrong);
      return { status: 401, message: "The name, the password or the token is wrong." };
    }
    const isWriting = request.method !== "GET" && request.method !== "HEAD" && !LOOKS.includes(path);
    if (isWriting && account.role !== "deploy")
      return { status: 403, message: `${account.name} may look, and nothing else.`, name: account.name };
    return account;
  }

  #wrongOf(address: string): { count: number; readonly since: number } | undefined {
    const wrong = this.#wrong.get(address);
    if (!wrong || performance.now() - wrong.since < WINDOW_MS) return wrong;
    this.#wrong.delete(address);
    return undefined;
  }

  #count(address: string, wrong: { count: number } | undefined): void {
    if (wrong) wrong.count++;
    else this.#wrong.set(address, { count: 1, since: performance.now() });
    if (this.#wrong.size > ADDRESSES) this.#wrong.delete(this.#wrong.keys().next().value!);
  }
}

async function identify(
  accounts: Accounts,
  authorization: string,
): Promise<Account | typeof BUSY | undefined> {
  const [, scheme, value] = /^(Basic|Bearer) +(\S{1,1024})$/i.exec(authorization) ?? [];
  if (scheme === undefined) return undefined;
  if (scheme.toLowerCase() === "bearer") return accounts.byToken(value);
  const [, name, password] = /^([^:]*):([\s\S]*)$/.exec(Buffer.from(value, "base64").toString()) ?? [];
  return name === undefined ? undefined : await accounts.byPassword(name, password);
}
