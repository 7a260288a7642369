/**
 * Programs of the system that a test starts and ends: found, waited for, and stopped by their process.
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { delimiter, join } from "node:path";

/** How long a program may take to answer, or to end, in ms. */
const PATIENCE = 10_000;

/**
 * Starts a program that stays in the foreground and listens on a port of loopback.
 * @returns what ends it
 * @throws Error when it is not installed or does not answer
 */
export async function startDaemon(
  name: string,
  parameters: readonly string[],
  port: number,
): Promise<() => Promise<void>> {
  const child = spawn(find(name), parameters, { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.on("data", (text) => {
    log = (log + text).slice(-4000);
  });
  try {
    await answering(port, child);
  } catch (error) {
    await end(child);
    throw new Error(`${name} did not start: ${(error as Error).message}\n${log}`);
  }
  return () => end(child);
}

/** @throws Error when there is no such program */
function find(name: string): string {
  const directories = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
  for (const directory of directories) {
    const path = join(directory, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // The next directory may have it.
    }
  }
  throw new Error(`${name} is not installed (Debian: apt-get install ${name})`);
}

/** A port of loopback nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function answering(port: number, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + PATIENCE;
  let failure: Error | undefined;
  child.once("error", (error) => {
    failure = error;
  });
  while (Date.now() < deadline) {
    if (failure) throw failure;
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
    const socket = connect(port, "127.0.0.1");
    try {
      await once(socket, "connect");
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    } finally {
      socket.destroy();
    }
  }
  throw new Error("it does not answer");
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
  await ended;
  clearTimeout(timer);
}
