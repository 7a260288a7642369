/**
 * AWS through its official SDK, which is loaded only when it is needed: an optional peer dependency.
 * @module
 */
import type { IoTClient } from "@aws-sdk/client-iot";
import type { S3Client } from "@aws-sdk/client-s3";
import { FAILED, Failure, oneLine } from "../failure.js";
import type { AwsCall } from "./plan.js";

export interface ThingExecution {
  readonly thing: string;
  readonly status: string;
}

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

  /** Where every device of a job is. @throws Failure */
  async executions(jobId: string): Promise<ThingExecution[]> {
    const found: ThingExecution[] = [];
    let nextToken: string | undefined;
    do {
      const page = await ask("ListJobExecutionsForJob", () =>
        this.#iot.send(new this.#sdk.iot.ListJobExecutionsForJobCommand({ jobId, nextToken })),
      );
      for (const { thingArn, jobExecutionSummary } of page.executionSummaries ?? [])
        found.push({
          thing: thingArn?.split("thing/").at(-1) ?? "",
          status: jobExecutionSummary?.status ?? "QUEUED",
        });
      nextToken = page.nextToken;
    } while (nextToken);
    return found;
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

async function ask<T>(operation: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    const { name } = error as Error;
    const why =
      name === "CredentialsProviderError" ? "no AWS credentials were found" : `${name}: ${oneLine(error)}`;
    throw new Failure(`${operation}: ${why}`, FAILED);
  }
}
