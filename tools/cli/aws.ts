/**
 * `xs-ota aws`
 * @module
 */
import { randomUUID } from "node:crypto";
import { basename } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { otaJobId, otaStreamId, type Protocol } from "../../service/documents.js";
import type { Schedule } from "../../service/schedule.js";
import type { UpdatePayload } from "../../service/updates.js";
import { Cloud } from "./aws/cloud.js";
import { follow } from "./aws/follow.js";
import { type AwsPlace, addPlaceOptions, tell } from "./aws/place.js";
import {
  type AwsCall,
  type AwsFile,
  type AwsUpdate,
  documentOf,
  jobCalls,
  otaUpdateCalls,
} from "./aws/plan.js";
import { awsCancelCommand, awsJobsCommand, awsVersionsCommand, awsWatchCommand } from "./aws/running.js";
import { awsSetupCommand, profileName } from "./aws/setup.js";
import { Failure, OK } from "./failure.js";
import { readBytes } from "./files.js";
import { interruption } from "./interrupt.js";
import { examples, KEY_FILE, SIGNER_NAME, things, wholeNumber } from "./options.js";
import { addPayloadOptions, makePayloads, type PayloadOptions } from "./payload.js";
import { addRolloutOptions, ROLLOUT_HELP, type RolloutOptions, scheduleOf } from "./rollout-options.js";
import { requireImage, signFile } from "./sign.js";
import { paint, print } from "./text.js";

interface AwsOptions extends RolloutOptions, PayloadOptions, AwsPlace {
  readonly group?: readonly string[];
  readonly description?: string;
  readonly thing?: readonly string[];
  readonly target?: readonly string[];
  readonly bucket: string;
  readonly objectKey?: string;
  readonly role: string;
  readonly via: "ota-update" | "job";
  readonly protocol: readonly ("mqtt" | "http")[];
  readonly key: string;
  readonly signingProfile?: string;
  readonly signer: string;
  readonly filePath: string;
  readonly updateId?: string;
  readonly urlSeconds: number;
  readonly execute: boolean;
  readonly wait: boolean;
}

const ROLE = /^arn:aws[\w-]*:iam::(\d{12}):role\/.+$/;
const HALF_HOUR = 1_800_000;
const YEAR = 365 * 86_400_000;
const TARGET = /^arn:aws[\w-]*:iot:[\w-]+:\d{12}:thing(group)?\/.+$/;
export function awsCommand(): Command {
  const command = new Command("aws")
    .summary("the same update through AWS IoT Core")
    .description("Updates devices through AWS IoT Core, with AWS's own SDK.");
  for (const make of [
    ...[awsSetupCommand, awsDeployCommand],
    ...[awsWatchCommand, awsJobsCommand, awsCancelCommand, awsVersionsCommand],
  ])
    command.addCommand(make());
  return command;
}

function awsDeployCommand(): Command {
  const command = new Command("deploy")
    .summary("upload an image to S3 and make an OTA update or a job of it")
    .description(
      "Signs an image, uploads it to S3, and updates devices to it through AWS IoT. Without --execute it only " +
        "prints the calls it would make.",
    )
    .argument("<file>", "the image")
    .option("--thing <name>", "a device; several with commas, or given several times", things)
    .option("--group <name>", "a thing group; several with commas, or given several times", things)
    .option("--target <arn>", "ARN of a thing or thing group; may be given several times", arns)
    .requiredOption("--bucket <name>", "S3 bucket for the image; it has to keep versions")
    .option("--object-key <key>", "name of the object in the bucket (default: xs-ota/<update>/<file>)")
    .requiredOption("--role <arn>", "role by which AWS IoT reads the bucket", roleArn)
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
    .option("--signing-profile <name>", "let AWS Signer sign with this profile", profileName)
    .option("--signer <name>", "what the job calls the signer", SIGNER_NAME)
    .option("--file-path <path>", "name of the file on the device", "/device/updates")
    .option("--update-id <name>", "name of the update (default: a new one)", updateName)
    .option("--url-seconds <count>", "how long HTTP URLs are good", wholeNumber(60, 3600), 1800)
    .option("--description <text>", "what it is for")
    .option("--execute", "make the calls", false)
    .option("--no-wait", "do not wait for the devices")
    .addHelpText(
      "after",
      `${examples([
        [
          "xs-ota aws deploy app.bin --thing board-1 --bucket fw --role arn:aws:iam::123456789012:role/ota",
          "",
        ],
        ["  --region eu-central-1", "prints the calls"],
        ["xs-ota aws deploy … --execute", "makes them, and follows the job"],
        ["xs-ota aws deploy … --from v1.bin --packed", "smaller files for devices that take them"],
        ["xs-ota aws deploy … --via job --protocol http", "CreateJob with a pre-signed URL"],
        ["xs-ota aws deploy … --group beta --rollout 10x1.5/50 --abort 5%/20", "carefully"],
      ])}
${ROLLOUT_HELP}
--retries, --start-at, --end-at and --window need --via job: CreateOTAUpdate has no field for them.

Credentials come from where the AWS SDK finds them. The SDK is not part of this package:
npm install @aws-sdk/client-iot @aws-sdk/client-s3. This command has been tested with the SDK against a local
stand-in that checks requests, not against AWS itself.

Exit code: 0 when it printed the calls or every device succeeded, 1 when one did not or AWS refused, 2 for
unusable input, 130 after Ctrl-C.`,
    )
    .action(async (file: string, options: AwsOptions) => {
      process.exitCode = await awsDeploy(file, options);
    });
  return addPlaceOptions(addRolloutOptions(addPayloadOptions(command)));
}

async function awsDeploy(file: string, options: AwsOptions): Promise<number> {
  const stop = interruption();
  const image = readBytes(file);
  requireImage(file, image);
  const payloads = makePayloads(image, options, options.json);
  const contents = [image, ...payloads.map(({ bytes }) => bytes)];
  const update = await readUpdate(file, image, payloads, options);
  const streamId = otaStreamId(randomUUID());
  const plan = (versions?: readonly string[]) =>
    options.via === "job" ? jobCalls(update, streamId, versions) : otaUpdateCalls(update, versions);
  refuseLong(update, streamId);
  if (!options.execute) {
    printPlan(plan(), options);
    return OK;
  }
  const cloud = await Cloud.connect(options.region, options.endpoint);
  try {
    const versions: string[] = [];
    for (const [index, bytes] of contents.entries()) {
      const upload = plan()[index];
      tell(options, { event: "call", operation: upload.operation }, `${upload.operation} …`);
      versions.push(await cloud.putObject(upload, bytes));
    }
    for (const call of plan(versions).slice(contents.length)) {
      tell(options, { event: "call", operation: call.operation }, `${call.operation} …`);
      await cloud.send(call);
    }
    // The OTA service names its job like this as well, some time after the call.
    const jobId = otaJobId(update.updateId);
    tell(options, { event: "made", jobId }, `The job is ${jobId}: xs-ota aws watch, jobs or cancel it.`);
    if (!options.wait) return OK;
    const job = { jobId: options.via === "job" ? jobId : undefined, updateId: update.updateId };
    return await follow(cloud, job, options, stop);
  } finally {
    cloud.close();
  }
}

/** What AWS would refuse after the uploads. @throws Failure */
function refuseLong(update: AwsUpdate, streamId: string): void {
  try {
    documentOf(update, streamId);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new Failure(`${error.message}: offer fewer bases with --from`);
  }
}

async function readUpdate(
  file: string,
  image: Uint8Array,
  payloads: readonly UpdatePayload[],
  options: AwsOptions,
): Promise<AwsUpdate> {
  const {
    thing = [],
    group = [],
    target = [],
    region,
    role,
    bucket,
    signer,
    filePath,
    urlSeconds,
    jobTimeout,
  } = options;
  const account = ROLE.exec(role)![1];
  const partition = role.split(":")[1];
  const targets = [
    ...target,
    ...thing.map((name) => `arn:${partition}:iot:${region}:${account}:thing/${name}`),
    ...group.map((name) => `arn:${partition}:iot:${region}:${account}:thinggroup/${name}`),
  ];
  if (targets.length === 0) throw new Failure("name devices with --thing, --group or --target");
  const schedule = scheduleOf(options);
  refuseImpossible(options, schedule);
  const updateId = options.updateId ?? randomUUID();
  const key = options.objectKey ?? `xs-ota/${updateId}/${basename(file)}`;
  const files: AwsFile[] = [{ kind: "", key, size: image.length }];
  for (const { kind, bytes } of payloads)
    files.push({ kind, key: `${key}.${kind.slice(1).replace("=", "-")}.xsp`, size: bytes.length });
  return {
    ...{ updateId, targets, region, bucket, files, roleArn: role, signer, filePath, urlSeconds },
    protocols: options.protocol.map((name) => name.toUpperCase() as Protocol),
    signing: options.signingProfile
      ? { profile: options.signingProfile }
      : await signFile(image, options.key),
    timeoutInMinutes: jobTimeout,
    ...{ rollout: options.rollout, abort: options.abort, retries: options.retries, schedule },
    ...{ continuous: options.continuous, description: options.description },
  };
}

/** What AWS would refuse, or would take and not do. @throws Failure */
function refuseImpossible(
  { via, retries, abort, jobTimeout, signingProfile }: AwsOptions,
  schedule: Schedule | undefined,
): void {
  if (via === "ota-update" && retries) throw new Failure("CreateOTAUpdate knows no retries: take --via job");
  if (via === "ota-update" && schedule)
    throw new Failure("CreateOTAUpdate knows no schedule and no maintenance windows: take --via job");
  if (via === "job" && signingProfile !== undefined)
    throw new Failure("CreateJob lets nobody sign: take --via ota-update with --signing-profile");
  const timesOut = abort?.some(({ failureType }) => failureType === "TIMED_OUT");
  if ((timesOut || retries?.timedOut) && jobTimeout === undefined)
    throw new Failure("nothing times out without --job-timeout");
  const { startTime, endTime } = schedule ?? {};
  const now = Date.now();
  if (startTime !== undefined && (startTime < now + HALF_HOUR || startTime > now + YEAR))
    throw new Failure("AWS takes a --start-at from 30 minutes to a year ahead");
  if (endTime !== undefined && (endTime < (startTime ?? now) + HALF_HOUR || endTime > now + 2 * YEAR))
    throw new Failure("AWS takes an --end-at from 30 minutes after the start to two years ahead");
}

function printPlan(calls: readonly AwsCall[], { json }: AwsOptions): void {
  if (json) return print(...calls.map((call) => JSON.stringify(call)));
  calls.forEach(({ service, operation, input }, index) => {
    print(`${index + 1}. ${service} ${paint("bold", operation)}`, JSON.stringify(input, null, 2), "");
  });
  print("Nothing was sent. --execute makes these calls.");
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
