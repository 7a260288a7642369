/**
 * An HTTP server on loopback that serves one image with ranges, and misbehaves as it is told.
 * @module
 */
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A range request, and what is needed to answer it in one's own way. */
export interface FaultyExchange {
  readonly response: ServerResponse;
  /** Path and query. */
  readonly target: string;
  /** Counts what was answered wrongly, from 0. */
  readonly turn: number;
  /** The range asked for, both ends included, and its bytes. */
  readonly first: number;
  readonly last: number;
  readonly body: Uint8Array;
  readonly image: Uint8Array;
}

export type Misbehaviour = (exchange: FaultyExchange) => void;

export interface FaultServer {
  readonly url: string;
  /** When each request came (`performance.now`), proper answers included. */
  readonly requests: readonly number[];
  /** Answers given wrongly so far. */
  readonly wrong: number;
  close(): Promise<void>;
}

/**
 * The first request, which is for the head of the image, gets a proper answer; the faults begin behind it.
 * @param times how many requests are answered wrongly
 */
export async function startFaultServer(
  image: Uint8Array,
  misbehave: Misbehaviour,
  times = Number.POSITIVE_INFINITY,
): Promise<FaultServer> {
  const requests: number[] = [];
  let turn = 0;
  const server = createServer((request, response) => {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
    if (from === undefined) {
      response.writeHead(400).end();
      return;
    }
    const first = Number(from);
    const last = Math.min(Number(to), image.length - 1);
    const body = image.subarray(first, last + 1);
    const proper = requests.push(performance.now()) === 1 || turn >= times;
    if (proper) partial(response, first, last, image.length, body.length).end(body);
    else misbehave({ response, target: request.url ?? "", turn: turn++, first, last, body, image });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/image.bin`,
    requests,
    get wrong() {
      return turn;
    },
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/**
 * The header of a response with a range.
 * @param length Content-Length; undefined: the body is chunked
 */
export function partial(
  response: ServerResponse,
  first: number,
  last: number,
  total: number,
  length?: number,
): ServerResponse {
  if (length !== undefined) response.setHeader("Content-Length", length);
  return response.writeHead(206, { "Content-Range": `bytes ${first}-${last}/${total}` });
}
