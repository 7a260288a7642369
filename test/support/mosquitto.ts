/**
 * Starts the mosquitto broker for a test: on loopback, on a free port, with a directory of its own.
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, startDaemon } from "./daemon.js";

export interface Mosquitto {
  /** `mqtt://127.0.0.1:port` */
  readonly url: string;
  /** Ends the process and removes its files. */
  stop(): Promise<void>;
}

/**
 * @param settings further lines of mosquitto.conf
 * @throws Error when mosquitto is not installed or does not start
 */
export async function startMosquitto(settings: readonly string[] = []): Promise<Mosquitto> {
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), "mosquitto-"));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  const file = join(directory, "mosquitto.conf");
  const lines = [
    `listener ${port} 127.0.0.1`,
    "allow_anonymous true",
    "persistence false",
    "set_tcp_nodelay true",
    ...settings,
  ];
  writeFileSync(file, `${lines.join("\n")}\n`);
  try {
    const end = await startDaemon("mosquitto", ["-c", file], port);
    return { url: `mqtt://127.0.0.1:${port}`, stop: () => end().finally(remove) };
  } catch (error) {
    remove();
    throw error;
  }
}
