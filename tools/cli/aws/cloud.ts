/**
 * AWS through its official SDK, which is loaded only when it is needed: an optional peer dependency.
 * @module
 */
import type { IoTClient } from "@aws-sdk/client-iot";
import type { S3Client } from "@aws-sdk/client-s3";
import { FAILED, Failure, oneLine } from "../failure.js";
import type { AwsCall } from "./plan.js";

/** Where a job is: how many things in which status (JobProcessDetails). */
export interface JobProgress {
  readonly jobId: string;
  readonly status: string;
  readonly counts: Readonly<Record<string, number>>;
  readonly targetSelection?: string;
  readonly reasonCode?: string;
  readonly comment?: string;
  readonly createdAt?: number;
}

/** One thing's execution, with what the device said of it. */
export interface ThingExecution {
  readonly thing: string;
  readonly status: string;
  readonly details: Readonly<Record<string, string>>;
}

/** Statuses that are counted, in the order told. */
const COUNTS = Object.freeze({
  QUEUED: "numberOfQueuedThings",
  IN_PROGRESS: "numberOfInProgressThings",
  SUCCEEDED: "numberOfSucceededThings",
  FAILED: "numberOfFailedThings",
  REJECTED: "numberOfRejectedThings",
  TIMED_OUT: "numberOfTimedOutThings",
  CANCELED: "numberOfCanceledThings",
  REMOVED: "numberOfRemovedThings",
} as const);

export class Cloud {
  readonly #iot: IoTClient;
  readonly #s3: S3Client;
  readonly #sdk: Awaited<ReturnType<typeof loadSdk>>;

  /**
   * @param endpoint another service than AWS that speaks its protocols
   * @throws Failure when the SDK is not installed
   */
  static async connect(region: string, endpoint?: string): Promise<Cloud> {
    return new Cloud(await loadSdk(), region, endpoint);
  }

  private constructor(
    sdk: Awaited<ReturnType<typeof loadSdk>>,
    region: string,
    endpoint: string | undefined,
  ) {
    this.#sdk = sdk;
    this.#iot = new sdk.iot.IoTClient({ region, endpoint });
    this.#s3 = new sdk.s3.S3Client({ region, endpoint, forcePathStyle: endpoint !== undefined });
  }

  /** @returns the version of the object. @throws Failure */
  async putObject(call: AwsCall, image: Uint8Array): Promise<string> {
    const { Bucket, Key } = call.input as { Bucket: string; Key: string };
    const { VersionId } = await ask("PutObject", () =>
      this.#s3.send(new this.#sdk.s3.PutObjectCommand({ Bucket, Key, Body: image })),
    );
    if (!VersionId)
      throw new Failure(
        `the bucket ${Bucket} keeps no versions, which AWS IoT needs: enable versioning`,
        FAILED,
      );
    return VersionId;
  }

  /** Any of the plan's calls but PutObject. @throws Failure */
  async send({ operation, input }: AwsCall): Promise<void> {
    const { iot } = this.#sdk;
    await ask(operation, async () => {
      switch (operation) {
        case "CreateOTAUpdate":
          return await this.#iot.send(new iot.CreateOTAUpdateCommand(withBytes(input)));
        case "CreateStream":
          return await this.#iot.send(new iot.CreateStreamCommand(input as never));
        case "CreateJob":
          return await this.#iot.send(new iot.CreateJobCommand(input as never));
        case "PutObject":
          throw new TypeError("PutObject needs its bytes");
      }
    });
  }

  /** The job of an update, once the OTA service has made it. @throws Failure when it could not */
  async jobOf(otaUpdateId: string): Promise<string | undefined> {
    const { otaUpdateInfo: info } = await ask("GetOTAUpdate", () =>
      this.#iot.send(new this.#sdk.iot.GetOTAUpdateCommand({ otaUpdateId })),
    );
    if (info?.otaUpdateStatus === "CREATE_FAILED")
      throw new Failure(
        `AWS could not make the update: ${info.errorInfo?.message ?? "no reason given"}`,
        FAILED,
      );
    return info?.otaUpdateStatus === "CREATE_COMPLETE" ? info.awsIotJobId : undefined;
  }

  /** How a job goes on: one call, however many devices it has. @throws Failure */
  async progress(jobId: string): Promise<JobProgress> {
    const { job = {} } = await ask("DescribeJob", () =>
      this.#iot.send(new this.#sdk.iot.DescribeJobCommand({ jobId })),
    );
    const {
      status = "IN_PROGRESS",
      jobProcessDetails: details = {},
      targetSelection,
      reasonCode,
      comment,
    } = job;
    const counts: Record<string, number> = {};
    for (const [name, field] of Object.entries(COUNTS)) if (details[field]) counts[name] = details[field];
    return {
      jobId,
      status,
      counts,
      targetSelection,
      reasonCode,
      comment,
      createdAt: job.createdAt?.getTime(),
    };
  }

  /** The latest jobs. @throws Failure */
  async jobs(limit: number): Promise<JobProgress[]> {
    const { jobs = [] } = await ask("ListJobs", () =>
      this.#iot.send(new this.#sdk.iot.ListJobsCommand({ maxResults: limit })),
    );
    return jobs.map(({ jobId = "", status = "", targetSelection, createdAt }) => ({
      ...{ jobId, status, targetSelection, counts: {}, createdAt: createdAt?.getTime() },
    }));
  }

  /** Some of a job's things in one status, with what the devices said. @throws Failure */
  async executions(jobId: string, status: string, limit: number): Promise<ThingExecution[]> {
    const { iot } = this.#sdk;
    const { executionSummaries = [] } = await ask("ListJobExecutionsForJob", () =>
      this.#iot.send(
        new iot.ListJobExecutionsForJobCommand({ jobId, status: status as never, maxResults: limit }),
      ),
    );
    const things = executionSummaries.map(({ thingArn }) => thingArn?.split("thing/").at(-1) ?? "");
    const found: ThingExecution[] = [];
    for (const thing of things.slice(0, limit)) {
      const { execution } = await ask("DescribeJobExecution", () =>
        this.#iot.send(new iot.DescribeJobExecutionCommand({ jobId, thingName: thing })),
      );
      found.push({ thing, status, details: execution?.statusDetails?.detailsMap ?? {} });
    }
    return found;
  }

  /** @throws Failure */
  async cancel(jobId: string, force: boolean, comment?: string): Promise<void> {
    const input = { jobId, force, reasonCode: "USER_INITIATED", ...(comment && { comment }) };
    await ask("CancelJob", () => this.#iot.send(new this.#sdk.iot.CancelJobCommand(input)));
  }

  /** How many things run which version, by fleet indexing. @throws Failure */
  async versions(field: string): Promise<[version: string, count: number][]> {
    const { buckets = [] } = await ask("GetBucketsAggregation", () =>
      this.#iot.send(
        new this.#sdk.iot.GetBucketsAggregationCommand({
          queryString: "thingName:*",
          aggregationField: field,
          bucketsAggregationType: { termsAggregation: { maxBuckets: 100 } },
        }),
      ),
    );
    return buckets.map(({ keyValue = "", count = 0 }) => [keyValue, count]);
  }

  close(): void {
    this.#iot.destroy();
    this.#s3.destroy();
  }
}

async function loadSdk() {
  try {
    return { iot: await import("@aws-sdk/client-iot"), s3: await import("@aws-sdk/client-s3") };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new Failure("the AWS SDK is not installed: npm install @aws-sdk/client-iot @aws-sdk/client-s3");
  }
}

/** The SDK takes the signature as bytes. */
function withBytes(input: AwsCall["input"]): never {
  return JSON.parse(JSON.stringify(input), (name, value) =>
    name === "inlineDocument" ? new Uint8Array(Buffer.from(value, "base64")) : value,
  ) as never;
}

/** @throws Failure with what AWS says, in a line */
export async function ask<T>(operation: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    const { name } = error as Error;
    const why =
      name === "CredentialsProviderError" ? "no AWS credentials were found" : `${name}: ${oneLine(error)}`;
    throw new Failure(`${operation}: ${why}`, FAILED);
  }
}
