/**
 * The MQTT connection and the HTTP client of the XS host, with both ends of the bridge in this process.
 * @module
 */
import { type HostPorts, XsCalls } from "../../hosts/xs/calls.js";
import { XsHttp } from "../../hosts/xs/runtime/http.js";
import { XsMqtt } from "../../hosts/xs/runtime/mqtt.js";
import { Command, Reader } from "../../hosts/xs/wire.js";
import type { HttpClient, MqttConnection } from "../../src/ports.js";

/** Joins the two ends: commands arrive in turns of their own, as in the worker. */
function bridge(ports: Partial<HostPorts>, perform: (command: number, fields: Reader) => void): XsCalls {
  const calls = new XsCalls(ports as HostPorts, (command, ...fields) => {
    const bytes = new Uint8Array(Buffer.concat(fields));
    setImmediate(() => perform(command, new Reader(bytes)));
  });
  Object.assign(globalThis, {
    issueCommand: (message: ArrayBuffer) => new Uint8Array(calls.answer(new Uint8Array(message))).buffer,
  });
  return calls;
}

export function xsHttpClient(http: HttpClient): HttpClient {
  const client = new XsHttp();
  bridge({ http }, (command, fields) => {
    if (command === Command.httpHeaders) client.headers(fields);
    else if (command === Command.httpData) client.data(fields);
    else if (command === Command.httpDone) client.done(fields);
    else throw new Error(`command ${command}`);
  });
  return {
    get: (url, headers, handler) => client.get(url, headers, handler),
    send: (...request) => client.send(...request),
    close() {
      client.close();
      http.close();
    },
  };
}

/** @param mqtt the connection behind it */
export function xsMqttConnection(
  mqtt: MqttConnection & { close(): unknown },
): MqttConnection & { close(): unknown } {
  const client = new XsMqtt();
  bridge({ mqtt, log: () => {} }, (command, fields) => {
    if (command === Command.message) client.message(fields);
    else if (command === Command.published) client.published(fields);
    else if (command === Command.subscribed) client.subscribed(fields);
    else throw new Error(`command ${command}`);
  });
  mqtt.addObserver({ online: () => client.online(), offline: () => client.offline() });
  if (mqtt.connected) client.online();
  return Object.assign(client, { close: () => mqtt.close() });
}
