/**
 * Starts nginx for a test: files over HTTPS on loopback, on a free port, with a directory of its own.
 * @module
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServerCertificate } from "../../service/test-ca.js";
import { freePort, startDaemon } from "./daemon.js";

export interface NginxRequest {
  readonly status: number;
  /** The range as the client wrote it. */
  readonly range: string;
  readonly bodyBytes: number;
  /** Number of the connection it came over. */
  readonly connection: number;
}

export interface Nginx {
  /** `https://127.0.0.1:port` */
  readonly origin: string;
  /** What was served so far, oldest first. */
  requests(): NginxRequest[];
  /** Ends the process and removes its files. */
  stop(): Promise<void>;
}

/**
 * @param files content by name
 * @throws Error when nginx is not installed or does not start
 */
export async function startNginx(
  files: Readonly<Record<string, Uint8Array>>,
  { cert, key }: ServerCertificate,
): Promise<Nginx> {
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), "nginx-"));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  const at = (name: string) => join(directory, name);
  mkdirSync(at("files"));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(at("files"), name), content);
  writeFileSync(at("cert.pem"), cert);
  writeFileSync(at("key.pem"), key, { mode: 0o600 });
  writeFileSync(at("nginx.conf"), configuration(directory, port));
  try {
    const end = await startDaemon("nginx", ["-p", directory, "-e", "stderr", "-c", at("nginx.conf")], port);
    return {
      origin: `https://127.0.0.1:${port}`,
      requests: () => readFileSync(at("access.log"), "utf8").split("\n").filter(Boolean).map(parseLine),
      stop: () => end().finally(remove),
    };
  } catch (error) {
    remove();
    throw error;
  }
}

/** As Debian sets it up where it matters to a client; every path is below the test's own directory. */
function configuration(directory: string, port: number): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return `
${process.getuid?.() === 0 ? "user root;" : ""}
daemon off;
worker_processes 1;
error_log stderr;
pid ${directory}/nginx.pid;
events {}
http {
  ${temporary.map((name) => `${name}_temp_path ${directory}/${name};`).join("\n  ")}
  log_format served '$status $connection $body_bytes_sent $http_range';
  access_log ${directory}/access.log served;
  default_type application/octet-stream;
  sendfile on;
  gzip on;
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${directory}/cert.pem;
    ssl_certificate_key ${directory}/key.pem;
    root ${directory}/files;
  }
}
`;
}

function parseLine(line: string): NginxRequest {
  const [status, connection, bodyBytes, range = ""] = line.split(" ");
  return { status: Number(status), connection: Number(connection), bodyBytes: Number(bodyBytes), range };
}
