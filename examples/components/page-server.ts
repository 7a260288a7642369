/**
 * Serves one page over HTTP, read from flash as the socket takes it: no more of it than a piece is in memory.
 * @module
 */

import Listener from "embedded:io/socket/listener";
import TCP from "embedded:io/socket/tcp";
import type { OpenComponent } from "xs-ota-agent/components-device";

/** Bytes that are read from flash at a time. */
const PIECE = 512;
/** More characters of a request are none of a browser's. */
const LONGEST_REQUEST = 8192;
const NOTHING_YET = "<!doctype html><title>No page yet</title>";

/** @param open the page in use; undefined before its first update */
export function servePage(port: number, open: () => OpenComponent | undefined): void {
  new Listener({
    port,
    onReadable(count) {
      for (; count > 0; count--) {
        const from = this.read();
        if (from) serve(from, open());
      }
    },
  });
}

/** Whatever is asked for, the page is the answer; then the connection ends. */
function serve(from: TCP, page: OpenComponent | undefined): void {
  const length = page?.byteLength ?? NOTHING_YET.length;
  const head = `HTTP/1.0 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: ${length}\r\n\r\n`;
  const start = bytesOf(page ? head : head + NOTHING_YET);
  const end = start.length + (page?.byteLength ?? 0);
  let request = "";
  let room = 0;
  let sent = 0;

  const next = (most: number): Uint8Array => {
    if (sent < start.length) return start.subarray(sent, sent + most);
    const piece = new Uint8Array(Math.min(end - sent, most, PIECE));
    page?.read(sent - start.length, piece);
    return piece;
  };
  const write = (socket: TCP) => {
    if (!request.includes("\r\n\r\n")) return;
    while (room > 0 && sent < end) {
      const piece = next(room);
      socket.write(piece);
      room -= piece.length;
      sent += piece.length;
    }
    if (sent === end) socket.close();
  };
  new TCP({
    from,
    onReadable(count) {
      request += String.fromArrayBuffer(this.read(count) as ArrayBuffer);
      if (request.length > LONGEST_REQUEST) this.close();
      else write(this);
    },
    onWritable(count) {
      room = count;
      write(this);
    },
    onError() {
      this.close();
    },
  });
}

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(ArrayBuffer.fromString(text));
}
