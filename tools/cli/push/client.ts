/**
 * The developer's end of a connection to a board that listens (`xs-ota-agent/push`; its module documents the protocol).
 * @module
 */
import { createHmac } from "node:crypto";
import { connect, type Socket } from "node:net";

const GREETING = /^xs-ota-push 1 ([0-9a-f]{32})$/;
const NOT_NOW = "error not now";
const CLOSED = "it closed the connection";
/** A board has so long for each line, milliseconds. */
const PATIENCE_MS = 10_000;
/** Bytes of a line at most. */
const LONGEST_LINE = 8_192;

/** What a board says of itself. */
export interface BoardStatus {
  readonly projectName?: string;
  readonly version?: string;
  readonly buildId?: string;
  /** The job it worked on last, since its start. */
  readonly job?: {
    readonly id: string;
    readonly status: string;
    readonly details: Readonly<Record<string, string>>;
  };
}

/** The board has understood, and said no. */
export class BoardRefusal extends Error {
  override name = "BoardRefusal";
}

/** The board hears nobody at the moment: after a wrong secret, or while too many talk to it. */
export class BoardBusy extends Error {
  override name = "BoardBusy";
}

export class BoardClient {
  /** This machine's address on the way to the board, once there was a connection. */
  localAddress = "";

  constructor(
    readonly host: string,
    readonly port: number,
    readonly secret: string,
  ) {}

  /** @throws Error, BoardRefusal, BoardBusy */
  async status(): Promise<BoardStatus> {
    return JSON.parse(await this.#ask("status")) as BoardStatus;
  }

  /** Has the board's agent look at a manifest. @throws Error, BoardRefusal, BoardBusy */
  async update(url: string): Promise<void> {
    await this.#ask(`update ${url}`);
  }

  async #ask(command: string): Promise<string> {
    const socket = connect(this.port, this.host);
    try {
      socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error("it does not answer")));
      const lines = linesOf(socket);
      const greeting = await greetingOf(lines);
      this.localAddress = socket.localAddress ?? "";
      const nonce = GREETING.exec(greeting)?.[1];
      if (!nonce) throw new Error("what answers there is no board that listens for xs-ota push");
      const code = createHmac("sha256", this.secret)
        .update(`xs-ota-push 1 ${nonce} ${command}`)
        .digest("hex");
      socket.write(`${code} ${command}\n`);
      const answer = await next(lines);
      if (answer === NOT_NOW) throw new BoardBusy("it hears nobody");
      if (answer.startsWith("error ")) throw new BoardRefusal(answer.slice("error ".length));
      if (answer !== "ok" && !answer.startsWith("ok "))
        throw new Error("it answers something else than agreed");
      return answer.slice("ok ".length);
    } finally {
      socket.destroy();
    }
  }
}

async function* linesOf(socket: Socket): AsyncGenerator<string> {
  let text = "";
  socket.setEncoding("utf8");
  for await (const part of socket) {
    text += part;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
      yield text.slice(0, end);
      text = text.slice(end + 1);
    }
    if (text.length > LONGEST_LINE) throw new Error("it sends a line without end");
  }
}

async function next(lines: AsyncGenerator<string>): Promise<string> {
  const { value, done } = await lines.next();
  if (done) throw new Error(CLOSED);
  return value;
}

/** @throws BoardBusy when the board closes the connection in place of a greeting */
async function greetingOf(lines: AsyncGenerator<string>): Promise<string> {
  try {
    return await next(lines);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw code === "ECONNRESET" || message === CLOSED ? new BoardBusy(CLOSED) : error;
  }
}
