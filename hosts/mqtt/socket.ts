/**
 * The part of ECMA-419 networking that the MQTT and HTTP clients use: sockets and name resolution, as
 * Moddable's `embedded:io/socket/tcp`, `embedded:io/socket/tcp/tls` and DNS resolvers offer them.
 * @module
 */

/** Options of a socket's constructor. Callbacks come in a turn of their own. */
export interface SocketOptions {
  readonly address: string;
  readonly host: string;
  readonly port: number;
  /** `count`: bytes that can be read now, those announced earlier and not yet read included. */
  readonly onReadable: (count: number) => void;
  /** `count`: bytes that can be written now. The first call says that the connection is made. */
  readonly onWritable: (count: number) => void;
  /** The connection is gone; bytes announced before cannot be read any more. */
  readonly onError: (error?: unknown) => void;
}

export interface Socket {
  /** Whether `read()` without argument and `write` deal in single bytes or in buffers. */
  format: "number" | "buffer";
  /** Format "number": the next byte. */
  read(): number | ArrayBuffer | undefined;
  /** Format "buffer": fills `into`, which must not be longer than what was announced. */
  read(into: Uint8Array): unknown;
  /** Writes all of `bytes`. @returns bytes that can still be written, if the socket knows @throws Error */
  write(bytes: Uint8Array): number | undefined;
  close(): void;
}

export type SocketConstructor = new (options: SocketOptions) => Socket;

export interface Resolver {
  /** Calls back once. `onResolved`'s address is in dotted form. */
  resolve(query: {
    readonly host: string;
    readonly onResolved: (host: string, address: string) => void;
    readonly onError: (error?: unknown) => void;
  }): void;
}

/** As ECMA-419 network clients take it: the constructors with options of their own, which are handed on. */
export interface NetworkOptions {
  readonly dns: { readonly io: new (options: never) => Resolver };
  readonly socket: { readonly io: new (options: never) => Socket };
}

/** Resolves `host`, then makes a socket. What goes wrong in between is told by `onError`, never thrown. */
export function openSocket(
  network: NetworkOptions,
  { onReadable, onWritable, onError, host, port }: Omit<SocketOptions, "address">,
  opened: (socket: Socket) => void,
): void {
  const { dns, socket } = network;
  try {
    new dns.io(dns as never).resolve({
      host,
      onResolved: (_host, address) => {
        try {
          const options = { ...socket, address, host, port, onReadable, onWritable, onError };
          opened(new socket.io(options as never));
        } catch (error) {
          onError(error);
        }
      },
      onError: () => onError(new Error(`no address for ${host}`)),
    });
  } catch (error) {
    onError(error);
  }
}
