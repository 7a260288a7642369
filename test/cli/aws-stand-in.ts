/**
 * Stands in for AWS: records what is asked, and answers as S3 and AWS IoT do (REST-JSON shapes of their API
 * references). It decides nothing and checks no signature of requests.
 * @module
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export interface Recorded {
  readonly method: string;
  readonly path: string;
  /** Parsed when it is JSON. */
  readonly body: unknown;
  readonly authorization: string;
}

export class AwsStandIn {
  readonly requests: Recorded[] = [];
  /** Statuses of the job's one device, one more for every time they are asked for; the last stays. */
  statuses: string[] = ["QUEUED", "IN_PROGRESS", "SUCCEEDED"];
  /** Answers this operation's path with an error. */
  refuse: RegExp | undefined;
  versioned = true;
  #updatePolls = 0;
  readonly #server: Server;

  static async start(): Promise<AwsStandIn> {
    const standIn = new AwsStandIn();
    await new Promise<void>((resolve) => standIn.#server.listen(0, "127.0.0.1", resolve));
    return standIn;
  }

  private constructor() {
    this.#server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("end", () => {
        const { method = "", url = "", headers } = request;
        const path = decodeURIComponent(url.split("?")[0]);
        const raw = Buffer.concat(parts);
        const isJson = headers["content-type"] === "application/json" && raw.length > 0;
        const body = isJson ? JSON.parse(raw.toString()) : raw;
        this.requests.push({ method, path, body, authorization: headers.authorization ?? "" });
        const refused = this.refuse?.test(`${method} ${path}`);
        response.statusCode = refused ? 403 : 200;
        response.setHeader("Content-Type", "application/json");
        if (refused) response.setHeader("x-amzn-errortype", "UnauthorizedException");
        if (this.versioned && method === "PUT" && path.startsWith("/firmware/"))
          response.setHeader("x-amz-version-id", "version-7");
        response.end(refused ? JSON.stringify({ message: "not for you" }) : this.#answer(method, path));
      });
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #answer(method: string, path: string): string {
    const id = path.split("/")[2];
    if (method === "GET" && path.startsWith("/otaUpdates/")) {
      // Made some time after the request.
      const made = this.#updatePolls++ > 0;
      const otaUpdateStatus = made ? "CREATE_COMPLETE" : "CREATE_PENDING";
      return JSON.stringify({
        otaUpdateInfo: { otaUpdateId: id, otaUpdateStatus, awsIotJobId: `AFR_OTA-${id}` },
      });
    }
    if (method === "GET" && path.endsWith("/things")) {
      const status = this.statuses.length > 1 ? this.statuses.shift() : this.statuses[0];
      const thingArn = "arn:aws:iot:eu-central-1:123456789012:thing/board";
      return JSON.stringify({ executionSummaries: [{ thingArn, jobExecutionSummary: { status } }] });
    }
    return path.startsWith("/firmware/") ? "" : "{}";
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
