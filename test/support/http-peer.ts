/**
 * The other end of HTTP connections, byte by byte: collects the heads of requests and says what a test has it say.
 * Pure.
 * @module
 */
import { encodeUtf8 } from "../../src/bytes.js";
import { join, type Wire } from "./mqtt-peer.js";

const END = "\r\n\r\n";

export class HttpPeer {
  /** Heads of the requests, without the empty line. */
  readonly requests: string[] = [];
  /** Their bodies, as long as the head says, a character a byte. */
  readonly bodies: string[] = [];
  /** Connections accepted so far. */
  readonly wires: Wire[] = [];
  answer: (request: string, wire: Wire) => void = () => {};

  accept(wire: Wire): { received(bytes: Uint8Array): void } {
    this.wires.push(wire);
    let text = "";
    return {
      received: (bytes) => {
        for (const byte of bytes) text += String.fromCharCode(byte);
        for (let end = text.indexOf(END); end >= 0; end = text.indexOf(END)) {
          const request = text.slice(0, end);
          const length = Number(/\r\ncontent-length: *(\d+)/i.exec(request)?.[1] ?? 0);
          const behind = end + END.length + length;
          if (text.length < behind) return;
          this.bodies.push(text.slice(end + END.length, behind));
          text = text.slice(behind);
          this.requests.push(request);
          this.answer(request, wire);
        }
      },
    };
  }
}

/** A response: status line and fields, one a line, and the body. */
export function response(lines: string, body: Uint8Array | string = ""): Uint8Array {
  const head = encodeUtf8(`HTTP/1.1 ${lines.split("\n").join("\r\n")}${END}`);
  return join([head, typeof body === "string" ? encodeUtf8(body) : body]);
}
