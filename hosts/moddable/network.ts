/**
 * Sockets and name resolution of the Moddable runtime, as ECMA-419 network clients take them.
 * @module
 */
import TCP from "embedded:io/socket/tcp";
import TLSSocket from "embedded:io/socket/tcp/tls";
import Net from "moddable:net";
import type { NetworkOptions, Resolver, SocketOptions } from "../mqtt/socket.js";

/** TLS as the SDK's socket takes it. Certificates and keys in DER; `Resource` objects will do. */
export interface TlsOptions {
  /** Certificate of the authority that the server's certificate leads to. */
  readonly certificate?: ArrayBufferLike | ArrayLike<number>;
  /** Certificates of this device, its own first, and its private key (PKCS #8; RSA only). */
  readonly clientCertificates?: readonly unknown[];
  readonly clientKey?: unknown;
  /** Name the server's certificate must be for, when not the host's. */
  readonly serverName?: string;
  readonly applicationLayerProtocolNegotiation?: readonly string[];
  readonly [option: string]: unknown;
}

/**
 * A TCP socket whose owner may fail: what its callbacks throw ends this connection. Without that an exception
 * escapes into native code, which ends the application; on a device, a malformed TLS record restarts it.
 */
class GuardedSocket extends TCP {
  constructor(options: SocketOptions) {
    const { onReadable, onWritable, onError } = options;
    let failed = false;
    const guard =
      <T extends unknown[]>(callback: (...values: T) => void) =>
      (...values: T): void => {
        if (failed) return;
        try {
          callback(...values);
        } catch (error) {
          failed = true;
          trace(`connection failed: ${(error as Error | undefined)?.message ?? error}\n`);
          onError(error);
        }
      };
    super({
      ...options,
      onReadable: guard(onReadable),
      onWritable: guard(onWritable),
      onError: guard(() => onError()),
    } as ConstructorParameters<typeof TCP>[0]);
  }
}

/** The resolver of the system, which knows the name servers of the network it is in. */
class SystemResolver implements Resolver {
  resolve({ host: name, onResolved, onError }: Parameters<Resolver["resolve"]>[0]): void {
    const host = name.replace(/:\d+$/, "");
    if (/^\d+\.\d+\.\d+\.\d+$/.test(host)) return onResolved(host, host);
    // An address of IPv6, where the firmware has it.
    if (host.startsWith("[")) return onResolved(host, host.slice(1, -1));
    Net.resolve(host, (_name: string, address?: string) => {
      if (address) onResolved(host, address);
      else onError(new Error(`no address for ${host}`));
    });
  }
}

/** @param tls undefined: plain TCP */
export function networkOptions(tls: TlsOptions | undefined): NetworkOptions {
  const socket = tls ? { io: TLSSocket, TCP: { io: GuardedSocket }, secure: tls } : { io: GuardedSocket };
  return { dns: { io: SystemResolver }, socket: socket as unknown as NetworkOptions["socket"] };
}
