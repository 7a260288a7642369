/**
 * The `HttpClient` port over the host's client.
 * @module
 */
import type { HttpClient, HttpHandler } from "../../../src/ports.js";
import { deliverBody } from "../../mqtt/delivery.js";
import { Call, type Reader, toUtf8, Writer } from "../wire.js";
import { call, callNumber } from "./engine.js";
import { asError } from "./mqtt.js";

export class XsHttp implements HttpClient {
  readonly #handlers = new Map<number, HttpHandler>();
  #lastId = 0;

  get(url: string, headers: ReadonlyMap<string, string>, handler: HttpHandler): () => void {
    return this.#request({ url, headers: [...headers] }, handler);
  }

  send(
    method: "POST" | "PUT",
    url: string,
    headers: ReadonlyMap<string, string>,
    body: Uint8Array,
    handler: HttpHandler,
  ): () => void {
    return this.#request({ method, url, headers: [...headers], body: Array.from(body) }, handler);
  }

  #request(what: object, handler: HttpHandler): () => void {
    const id = ++this.#lastId;
    this.#handlers.set(id, handler);
    const request = toUtf8(JSON.stringify(what));
    call(new Writer(5 + request.length).u8(Call.http).u32(id).bytes(request).finish());
    return () => void this.#cancel(id);
  }

  close(): void {
    for (const id of [...this.#handlers.keys()]) this.#cancel(id);
  }

  // What the host reports

  headers(fields: Reader): void {
    const id = fields.u32();
    const status = fields.u16();
    const handler = this.#handlers.get(id);
    if (handler && !handler.headers(status, new Map(JSON.parse(fields.rest())))) this.#stop(id);
  }

  data(fields: Reader): void {
    const id = fields.u32();
    const handler = this.#handlers.get(id);
    if (handler && !deliverBody(handler, fields.bytes(), () => !this.#handlers.has(id))) this.#stop(id);
  }

  done(fields: Reader): void {
    const id = fields.u32();
    const handler = this.#handlers.get(id);
    this.#handlers.delete(id);
    handler?.done(asError(fields.rest()));
  }

  #stop(id: number): void {
    this.#cancel(id)?.done();
  }

  #cancel(id: number): HttpHandler | undefined {
    const handler = this.#handlers.get(id);
    if (this.#handlers.delete(id)) callNumber(Call.httpCancel, id);
    return handler;
  }
}
