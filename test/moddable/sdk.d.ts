/** Modules of the SDK without declarations of their own, as far as the tests use them. */
declare module "mqtt" {
  export default class Client {
    constructor(options: { host: string; port: number; id: string; timeout: number });
    onReady?: () => void;
    onClose?: () => void;
    onMessage?: (topic: string, payload: ArrayBuffer) => void;
    publish(topic: string, payload: ArrayBuffer): void;
    subscribe(topic: string): void;
    unsubscribe(topic: string): void;
    close(): void;
  }
}
declare module "mqtt/js" {
  export function connect(
    url: string,
    options: { clientId: string; keepalive: number; reconnectPeriod: number },
  ): { end(force: boolean): void };
}
