/**
 * `xs-ota push` for a board on the desk: a listener that has the agent fetch what a developer's machine offers. A module of its
 * own (`xs-ota-agent/push`), for builds of the development; no product in the field should listen.
 * @module
 */
import Listener from "embedded:io/socket/listener";
import TCP from "embedded:io/socket/tcp";
import { bootControl } from "moddable:xs-ota-agent/platform";
import type { ControlPlane, Log, OtaAgentOptions } from "xs-ota-agent";
import { ModdableClock } from "./clock.js";
import { ModdableCrypto } from "./crypto.js";
import { traceLog } from "./log.js";
import { PushDesk, type PushSession } from "./push-desk.js";
import type { UrlUpdater } from "./url.js";

export const PUSH_PORT = 8266;

export interface PushOptions {
  readonly updates: UrlUpdater;
  /** At least 16 characters; `XS_OTA_PUSH_SECRET` of `xs-ota push`. */
  readonly secret: string;
  /** Default 8266. */
  readonly port?: number;
  readonly log?: Log;
}

export interface PushReceiver {
  /** For `createOtaAgent`, in place of those of `urlUpdates`. */
  readonly options: UrlUpdater["options"];
  close(): void;
}

/** Listens from now on. @throws RangeError for a short secret; Error when the port is taken */
export function receivePush({
  updates,
  secret,
  port = PUSH_PORT,
  log = traceLog,
}: PushOptions): PushReceiver {
  let job: object | undefined;
  const desk = new PushDesk({
    ...{ secret, log, crypto: new ModdableCrypto(), clock: new ModdableClock(), random: () => Math.random() },
    status: () => ({ ...bootControl().running, job }),
    update: (url) => updates.updateFrom(url),
  });
  const listener = new Listener({
    port,
    onReadable(count) {
      for (; count > 0; count--) {
        const from = this.read();
        if (from) serve(desk, from);
      }
    },
  });
  const { controlPlane, dataPlanes } = updates.options;
  const watched: NonNullable<OtaAgentOptions["controlPlane"]> = (context, tell) => {
    const plane: ControlPlane = controlPlane(context, tell);
    const update = plane.update.bind(plane);
    const value: ControlPlane["update"] = (reference, status, details, done) => {
      job = { id: reference.jobId, status, details };
      update(reference, status, details, done);
    };
    // Its class is in ROM: what a frozen prototype has cannot be assigned.
    return Object.defineProperty(plane, "update", { value });
  };
  return {
    options: { controlPlane: watched, dataPlanes },
    close: () => (listener as unknown as { close(): void }).close(),
  };
}

/** What a callback of native code throws would end the application. */
function guarded<T extends unknown[]>(action: (...values: T) => void): (...values: T) => void {
  return (...values) => {
    try {
      action(...values);
    } catch (error) {
      trace(`push: ${(error as Error).message}\n`);
    }
  };
}

function serve(desk: PushDesk, from: TCP): void {
  let socket: TCP | undefined;
  let session: PushSession | undefined;
  let waiting = new Uint8Array(0);
  let room = 0;
  let ended = false;
  const close = () => {
    socket?.close();
    socket = undefined;
  };
  const flush = () => {
    if (!socket) return;
    const part = waiting.subarray(0, room);
    if (part.length) {
      room -= part.length;
      waiting = waiting.slice(part.length);
      socket.write(part);
    }
    if (ended && !waiting.length) close();
  };
  socket = new TCP({
    from,
    onReadable: guarded((count) => {
      const bytes = socket?.read(count) as ArrayBuffer | undefined;
      if (bytes) session?.received(new Uint8Array(bytes));
    }),
    onWritable: guarded((count) => {
      room = count;
      flush();
    }),
    onError: guarded(() => {
      close();
      session?.closed();
    }),
  });
  session = desk.accept({
    send: (bytes) => {
      const longer = new Uint8Array(waiting.length + bytes.length);
      longer.set(waiting);
      longer.set(bytes, waiting.length);
      waiting = longer;
      flush();
    },
    end: () => {
      ended = true;
      flush();
    },
  });
  if (!session) close();
}
