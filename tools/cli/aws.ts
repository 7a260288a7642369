/**
 * `xs-ota aws`
 * @module
 */
import { randomUUID } from "node:crypto";
import { basename } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { otaStreamId, type Protocol } from "../../service/documents.js";
import { Cloud, type ThingExecution } from "./aws/cloud.js";
import { type AwsCall, type AwsUpdate, jobCalls, otaUpdateCalls } from "./aws/plan.js";
import { FAILED, Failure, INTERRUPTED, OK } from "./failure.js";
import { readBytes } from "./files.js";
import { interruption, pause } from "./interrupt.js";
import {
  examples,
  httpUrl,
  jsonOption,
  KEY_FILE,
  SIGNER_NAME,
  seconds,
  things,
  wholeNumber,
} from "./options.js";
import { printable } from "./printable.js";
import { requireImage, signFile } from "./sign.js";
import { paint, print } from "./text.js";

interface AwsOptions {
  readonly thing?: readonly string[];
  readonly target?: readonly string[];
  readonly bucket: string;
  readonly objectKey?: string;
  readonly role: string;
  readonly region: string;
  readonly via: "ota-update" | "job";
  readonly protocol: readonly ("mqtt" | "http")[];
  readonly key: string;
  readonly signer: string;
  readonly filePath: string;
  readonly updateId?: string;
  readonly urlSeconds: number;
  readonly jobTimeout?: number;
  readonly execute: boolean;
  readonly wait: boolean;
  readonly timeout?: number;
  readonly poll: number;
  readonly endpoint?: string;
  readonly json: boolean;
}

const ROLE = /^arn:aws[\w-]*:iam::(\d{12}):role\/.+$/;
const TARGET = /^arn:aws[\w-]*:iot:[\w-]+:\d{12}:thing(group)?\/.+$/;
const OPEN: readonly string[] = Object.freeze(["QUEUED", "IN_PROGRESS"]);

export function awsCommand(): Command {
  const command = new Command("aws")
    .summary("the same update through AWS IoT Core")
    .description("Updates devices through AWS IoT Core, with AWS's own SDK.");
  command.addCommand(awsDeployCommand());
  return command;
}

function awsDeployCommand(): Command {
  return new Command("deploy")
    .summary("upload an image to S3 and make an OTA update or a job of it")
    .description(
      "Signs an image, uploads it to S3, and updates devices to it through AWS IoT. Without --execute it only " +
        "prints the calls it would make.",
    )
    .argument("<file>", "the image")
    .option("--thing <name>", "a device; several with commas, or given several times", things)
    .option("--target <arn>", "ARN of a thing or thing group; may be given several times", arns)
    .requiredOption("--bucket <name>", "S3 bucket for the image; it has to keep versions")
    .option("--object-key <key>", "name of the object in the bucket (default: xs-ota/<update>/<file>)")
    .requiredOption("--role <arn>", "role by which AWS IoT reads the bucket", roleArn)
    .addOption(new Option("--region <name>", "AWS region").env("AWS_REGION").makeOptionMandatory())
    .addOption(
      new Option("--via <way>", "ota-update: CreateOTAUpdate; job: CreateStream and CreateJob")
        .choices(["ota-update", "job"])
        .default("ota-update"),
    )
    .addOption(
      new Option("--protocol <names...>", "what the devices may use")
        .choices(["mqtt", "http"])
        .default(["mqtt"]),
    )
    .option("--key <file>", "signing key in PEM", KEY_FILE)
    .option("--signer <name>", "what the job calls the signer", SIGNER_NAME)
    .option("--file-path <path>", "name of the file on the device", "/device/updates")
    .option("--update-id <name>", "name of the update (default: a new one)", updateName)
    .option("--url-seconds <count>", "how long HTTP URLs are good", wholeNumber(60, 3600), 1800)
    .option("--job-timeout <minutes>", "end a device's execution after so long", wholeNumber(1, 10_080))
    .option("--execute", "make the calls", false)
    .option("--no-wait", "do not wait for the devices")
    .option("--timeout <seconds>", "stop waiting after so long", seconds)
    .option("--poll <seconds>", "how often AWS is asked for progress", seconds, 5)
    .option("--endpoint <url>", "another service that speaks AWS's protocols", httpUrl)
    .addOption(jsonOption("print the calls, progress and outcome as JSON, one object a line"))
    .addHelpText(
      "after",
      `${examples([
        [
          "xs-ota aws deploy app.bin --thing board-1 --bucket fw --role arn:aws:iam::123456789012:role/ota",
          "",
        ],
        ["  --region eu-central-1", "prints the calls"],
        ["xs-ota aws deploy … --execute", "makes them, and follows the job"],
        ["xs-ota aws deploy … --via job --protocol http", "CreateJob with a pre-signed URL"],
      ])}

Credentials come from where the AWS SDK finds them. The SDK is not part of this package:
npm install @aws-sdk/client-iot @aws-sdk/client-s3. This command has been tested with the SDK against a local
stand-in that records requests, not against AWS itself.

Exit code: 0 when it printed the calls or every device succeeded, 1 when one did not or AWS refused, 2 for
unusable input, 130 after Ctrl-C.`,
    )
    .action(async (file: string, options: AwsOptions) => {
      process.exitCode = await awsDeploy(file, options);
    });
}

async function awsDeploy(file: string, options: AwsOptions): Promise<number> {
  const stop = interruption();
  const image = readBytes(file);
  requireImage(file, image);
  const update = await readUpdate(file, image, options);
  const streamId = otaStreamId(randomUUID());
  const plan = (version?: string) =>
    options.via === "job" ? jobCalls(update, streamId, version) : otaUpdateCalls(update, version);
  if (!options.execute) {
    printPlan(plan(), options);
    return OK;
  }
  const cloud = await Cloud.connect(options.region, options.endpoint);
  try {
    const [upload] = plan();
    tell(options, { event: "call", operation: upload.operation }, `${upload.operation} …`);
    const version = await cloud.putObject(upload, image);
    for (const call of plan(version).slice(1)) {
      tell(options, { event: "call", operation: call.operation }, `${call.operation} …`);
      await cloud.send(call);
    }
    if (!options.wait) return OK;
    return await follow(cloud, update, options, stop);
  } finally {
    cloud.close();
  }
}

async function readUpdate(file: string, image: Uint8Array, options: AwsOptions): Promise<AwsUpdate> {
  const { thing = [], target = [], region, role, bucket, signer, filePath, urlSeconds, jobTimeout } = options;
  const account = ROLE.exec(role)![1];
  const partition = role.split(":")[1];
  const targets = [
    ...target,
    ...thing.map((name) => `arn:${partition}:iot:${region}:${account}:thing/${name}`),
  ];
  if (targets.length === 0) throw new Failure("name devices with --thing or --target");
  const updateId = options.updateId ?? randomUUID();
  return {
    ...{ updateId, targets, region, bucket, roleArn: role, signer, filePath, urlSeconds },
    key: options.objectKey ?? `xs-ota/${updateId}/${basename(file)}`,
    protocols: options.protocol.map((name) => name.toUpperCase() as Protocol),
    size: image.length,
    signature: await signFile(image, options.key),
    timeoutInMinutes: jobTimeout,
  };
}

function printPlan(calls: readonly AwsCall[], { json }: AwsOptions): void {
  if (json) return print(...calls.map((call) => JSON.stringify(call)));
  calls.forEach(({ service, operation, input }, index) => {
    print(`${index + 1}. ${service} ${paint("bold", operation)}`, JSON.stringify(input, null, 2), "");
  });
  print("Nothing was sent. --execute makes these calls.");
}

/** Follows the job until every device has ended, the time is up, or Ctrl-C. */
async function follow(
  cloud: Cloud,
  { updateId }: AwsUpdate,
  options: AwsOptions,
  stop: AbortSignal,
): Promise<number> {
  const deadline = options.timeout === undefined ? Infinity : performance.now() + options.timeout * 1000;
  const known = new Map<string, string>();
  let jobId = options.via === "job" ? `AFR_OTA-${updateId}` : undefined;
  for (;;) {
    jobId ??= await cloud.jobOf(updateId);
    const executions = jobId === undefined ? [] : await cloud.executions(jobId);
    for (const { thing, status } of executions) {
      if (known.get(thing) === status) continue;
      known.set(thing, status);
      tell(options, { event: "execution", jobId, thing, status }, printable(`${thing}  ${status}`));
    }
    if (executions.length > 0 && executions.every(({ status }) => !OPEN.includes(status)))
      return conclude(executions, options);
    if (performance.now() > deadline)
      throw new Failure(`the time is up: ${jobId ?? updateId} goes on`, FAILED);
    await pause(options.poll * 1000, stop);
    if (stop.aborted) {
      tell(options, { event: "stopped", jobId }, `Stopped: ${jobId ?? updateId} goes on.`);
      return INTERRUPTED;
    }
  }
}

function conclude(executions: readonly ThingExecution[], options: AwsOptions): number {
  const done = executions.filter(({ status }) => status === "SUCCEEDED").length;
  const isGood = done === executions.length;
  const text = `${done} of ${executions.length} devices SUCCEEDED`;
  tell(options, { event: "outcome", ok: isGood, executions }, paint(isGood ? "green" : "red", text));
  return isGood ? OK : FAILED;
}

function tell({ json }: AwsOptions, data: object, text: string): void {
  print(json ? JSON.stringify(data) : text);
}

function roleArn(text: string): string {
  if (!ROLE.test(text))
    throw new InvalidArgumentError("It must be an ARN such as arn:aws:iam::123456789012:role/name.");
  return text;
}

function arns(text: string, before: readonly string[] = []): string[] {
  if (!TARGET.test(text))
    throw new InvalidArgumentError(
      "It must be an ARN such as arn:aws:iot:eu-west-1:123456789012:thing/name.",
    );
  return [...before, text];
}

function updateName(text: string): string {
  if (!/^[a-zA-Z0-9_-]{1,56}$/.test(text))
    throw new InvalidArgumentError("It must have 1 to 56 characters of a-z A-Z 0-9 _ -.");
  return text;
}
