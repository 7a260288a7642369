/**
 * The classic `mqtt` client of the Moddable SDK, which its published typings lack.
 */
declare module "mqtt" {
  export default class Client {
    constructor(options: {
      host: string;
      id: string;
      port?: number;
      user?: string;
      password?: string;
      /** Keep-alive, milliseconds. */
      timeout?: number;
      Socket?: unknown;
      secure?: Record<string, unknown>;
    });
    onConnected?: () => void;
    onReady?: () => void;
    onMessage?: (topic: string, payload: ArrayBuffer) => void;
    onClose?: () => void;
    /** Only an `ArrayBuffer` is sent as bytes. @throws Error "can't write all data" */
    publish(topic: string, payload: ArrayBuffer): void;
    subscribe(topic: string): void;
    unsubscribe(topic: string): void;
    close(): void;
  }
}
