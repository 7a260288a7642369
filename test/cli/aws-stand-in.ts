/**
 * Stands in for AWS: records what is asked, and answers as S3 and AWS IoT do (REST-JSON shapes of their API
 * references). It refuses bodies that are not as the SDK's own schemas have them, and checks no signature of requests.
 * @module
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import * as iot from "@aws-sdk/client-iot";
import { type AccountStandIn, allows } from "./aws-account.js";
import { modelProblem } from "./aws-model.js";

/** Fields of JobProcessDetails. */
const COUNTED: Readonly<Record<string, string>> = {
  QUEUED: "numberOfQueuedThings",
  IN_PROGRESS: "numberOfInProgressThings",
  SUCCEEDED: "numberOfSucceededThings",
  FAILED: "numberOfFailedThings",
  REJECTED: "numberOfRejectedThings",
  TIMED_OUT: "numberOfTimedOutThings",
};
/** Of one page of a list (LaserMaxResults). */
const PAGE_LIMIT = 250;
/** What each call's body has to look like, in the SDK's own schemas. */
const SCHEMAS: readonly (readonly [RegExp, unknown])[] = [
  [/^POST \/otaUpdates\//, iot.CreateOTAUpdateRequest$],
  [/^POST \/streams\//, iot.CreateStreamRequest$],
  [/^PUT \/jobs\/[^/]+$/, iot.CreateJobRequest$],
  [/^PUT \/jobs\/[^/]+\/cancel$/, iot.CancelJobRequest$],
];

export interface Recorded {
  readonly method: string;
  readonly path: string;
  /** Parsed when it is JSON. */
  readonly body: unknown;
  readonly authorization: string;
}

interface Located {
  readonly bucket?: string;
  readonly key?: string;
  readonly version?: string;
}

export class AwsStandIn {
  readonly requests: Recorded[] = [];
  /** Statuses of the job's one device, one more for every time they are asked for; the last stays. */
  statuses: string[] = ["QUEUED", "IN_PROGRESS", "SUCCEEDED"];
  /** How many devices of a large job are in which status, in the place of `statuses`; one more each time, the last stays. */
  fleet: Readonly<Record<string, number>>[] | undefined;
  /** Answers this operation's path with an error. */
  refuse: RegExp | undefined;
  versioned = true;
  /** What has been set up; undefined: all that deployments need is there. */
  account: AccountStandIn | undefined;
  /** Text of the policy that whoever asks has; undefined: he may do all. */
  policy: string | undefined;
  /** Objects of the bucket "firmware" by key, each with the id of its version. */
  readonly objects = new Map<string, string>();
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
        const answer = this.account?.answer(method, url, headers, raw);
        if (answer) {
          response.writeHead(answer.status, { "Content-Type": "application/json", ...answer.headers });
          response.end(answer.body);
          return;
        }
        const schema = SCHEMAS.find(([pattern]) => pattern.test(`${method} ${path}`))?.[1];
        const problem =
          (schema === undefined || !isJson ? undefined : modelProblem(schema, body, path)) ??
          this.#missing(method, path, body) ??
          pageProblem(new URL(url, "http://localhost").searchParams) ??
          this.#locationProblem(body);
        const refused = this.refuse?.test(`${method} ${path}`) || problem !== undefined;
        response.statusCode = refused ? 403 : 200;
        response.setHeader("Content-Type", "application/json");
        if (refused) response.setHeader("x-amzn-errortype", "UnauthorizedException");
        if (this.#isVersioned() && method === "PUT" && path.startsWith("/firmware/")) {
          const version = `version-${7 + this.objects.size}`;
          this.objects.set(path.slice("/firmware/".length), version);
          response.setHeader("x-amz-version-id", version);
        }
        response.end(
          refused
            ? JSON.stringify({ message: problem ?? "not for you" })
            : this.#answer(method, path, new URL(url, "http://localhost").searchParams),
        );
      });
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #isVersioned(): boolean {
    return this.account ? this.account.buckets.get("firmware")?.versioned === true : this.versioned;
  }

  /** What is not there of what a request takes for granted, or is not allowed by the policy of whoever asks. */
  #missing(method: string, path: string, body: unknown): string | undefined {
    const [, kind, id, part] = path.split("/");
    if (this.account && kind === "firmware" && !this.account.buckets.has("firmware")) return "no such bucket";
    const { roleArn } = body as { roleArn?: string };
    const role = roleArn && this.account ? roleArn.split("/")[1] : undefined;
    if (role !== undefined && !this.account!.roles.has(role)) return `no role ${role}`;
    if (this.policy === undefined) return undefined;
    const iot = (resource: string) => `arn:aws:iot:eu-central-1:123456789012:${resource}`;
    const uses: readonly (readonly [boolean, string, string])[] = [
      [kind === "firmware", "s3:PutObject", `arn:aws:s3:::firmware/${path.slice(10)}`],
      [role !== undefined, "iam:PassRole", roleArn ?? ""],
      [kind === "otaUpdates", `iot:${method === "POST" ? "Create" : "Get"}OTAUpdate`, iot(`otaupdate/${id}`)],
      [kind === "streams", "iot:CreateStream", iot(`stream/${id}`)],
      [kind === "jobs" && method === "PUT" && !part, "iot:CreateJob", iot(`job/${id}`)],
      [kind === "jobs" && part === "cancel", "iot:CancelJob", iot(`job/${id}`)],
      [kind === "jobs" && method === "GET" && id !== undefined && !part, "iot:DescribeJob", iot(`job/${id}`)],
      [kind === "jobs" && part === "things", "iot:ListJobExecutionsForJob", iot(`job/${id}`)],
      [kind === "jobs" && id === undefined, "iot:ListJobs", "*"],
      [kind === "things", "iot:DescribeJobExecution", iot(`thing/${id}`)],
      [kind === "indices", "iot:GetBucketsAggregation", iot("index/AWS_Things")],
    ];
    const wanted = uses.filter(([applies]) => applies);
    if (wanted.length === 0) return `nobody knows the action of ${method} ${path}`;
    const [, action] = wanted.find(([, name, resource]) => !allows(this.policy!, name, resource)) ?? [];
    return action && `not authorized to perform ${action}`;
  }

  /** AWS IoT reads the objects when it makes a stream or an update: they have to be there, in these versions. */
  #locationProblem(body: unknown): string | undefined {
    const { files = [] } = body as {
      files?: { s3Location?: Located; fileLocation?: { s3Location: Located } }[];
    };
    for (const { s3Location, fileLocation } of files) {
      const { bucket, key, version } = s3Location ?? fileLocation?.s3Location ?? {};
      if (bucket !== "firmware" || version === undefined || this.objects.get(key ?? "") !== version)
        return `there is no version ${version} of ${bucket}/${key}`;
    }
    return undefined;
  }

  #answer(method: string, path: string, query: URLSearchParams): string {
    const id = path.split("/")[2];
    if (method === "GET" && path.startsWith("/otaUpdates/")) {
      // Made some time after the request.
      const made = this.#updatePolls++ > 0;
      const otaUpdateStatus = made ? "CREATE_COMPLETE" : "CREATE_PENDING";
      return JSON.stringify({
        otaUpdateInfo: { otaUpdateId: id, otaUpdateStatus, awsIotJobId: `AFR_OTA-${id}` },
      });
    }
    if (method === "GET" && path.endsWith("/things") && this.fleet) {
      const status = query.get("status") ?? "";
      const count = this.fleet[0][status] ?? 0;
      const limit = Math.min(count, Number(query.get("maxResults") ?? PAGE_LIMIT));
      const executionSummaries = Array.from({ length: limit }, (_, index) => ({
        thingArn: `arn:aws:iot:eu-central-1:123456789012:thing/${status}-${index + 1}`,
        jobExecutionSummary: { status },
      }));
      return JSON.stringify({ executionSummaries, ...(limit < count && { nextToken: "more" }) });
    }
    if (method === "GET" && path.endsWith("/things")) {
      const thingArn = "arn:aws:iot:eu-central-1:123456789012:thing/board";
      return JSON.stringify({
        executionSummaries: [{ thingArn, jobExecutionSummary: { status: this.statuses[0] } }],
      });
    }
    if (method === "GET" && path.startsWith("/things/")) {
      const detailsMap = {
        code: "signature-check",
        message: "the signature is not good\u001b[2J",
        ...{ phase: "verify", causes: "3 x bad block: a block of another file; 1 x flash lost # bytes" },
        ...{ log_before: "0 s job, 20480 bytes", log: "4 s image 2.0.0+aabbccdd | 9 s fail" },
      };
      return JSON.stringify({
        execution: { jobId: id, status: this.statuses[0], statusDetails: { detailsMap } },
      });
    }
    if (method === "GET" && path === "/jobs")
      return JSON.stringify({
        jobs: [{ jobId: "AFR_OTA-one", status: "COMPLETED", targetSelection: "SNAPSHOT", createdAt: 1 }],
      });
    if (method === "GET" && path.startsWith("/jobs/") && this.fleet) {
      const counts = this.fleet.length > 1 ? this.fleet.shift()! : this.fleet[0];
      const isOpen = "QUEUED" in counts || "IN_PROGRESS" in counts;
      const details = Object.entries(counts).map(([name, count]) => [COUNTED[name], count]);
      const jobProcessDetails = Object.fromEntries(details);
      return JSON.stringify({
        job: { jobId: id, status: isOpen ? "IN_PROGRESS" : "COMPLETED", jobProcessDetails },
      });
    }
    if (method === "GET" && path.startsWith("/jobs/")) {
      const status = this.statuses.length > 1 ? this.statuses.shift()! : this.statuses[0];
      const isOpen = status === "QUEUED" || status === "IN_PROGRESS";
      const jobProcessDetails = { [COUNTED[status]]: 1 };
      return JSON.stringify({
        job: { jobId: id, status: isOpen ? "IN_PROGRESS" : "COMPLETED", jobProcessDetails },
      });
    }
    if (method === "POST" && path === "/indices/buckets")
      return JSON.stringify({
        totalCount: 3,
        buckets: [
          { keyValue: "1.0.0", count: 2 },
          { keyValue: "2.0.0", count: 1 },
        ],
      });
    return path.startsWith("/firmware/") ? "" : "{}";
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function pageProblem(query: URLSearchParams): string | undefined {
  const limit = Number(query.get("maxResults") ?? 1);
  return Number.isInteger(limit) && limit >= 1 && limit <= PAGE_LIMIT
    ? undefined
    : `maxResults must be from 1 to ${PAGE_LIMIT}`;
}
