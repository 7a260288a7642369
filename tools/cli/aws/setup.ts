/**
 * `xs-ota aws setup`
 * @module
 */
import { Command, InvalidArgumentError, Option } from "commander";
import { Failure } from "../failure.js";
import { examples, httpUrl, jsonOption, SIGNER_NAME } from "../options.js";
import { paint, print, printJson } from "../text.js";
import { tell } from "./place.js";
import { type AwsAccount, operatorPolicyArn, partitionOf, roleArn } from "./policies.js";
import { Preparer } from "./preparer.js";
import { type SetupCall, setupCalls } from "./setup-calls.js";
import { template } from "./template.js";

interface SetupOptions {
  readonly account: string;
  readonly region: string;
  readonly bucket: string;
  readonly role: string;
  readonly devicePolicy: string;
  readonly operatorPolicy: string;
  readonly signingProfile?: string;
  readonly certificate?: string;
  readonly signer: string;
  readonly template: boolean;
  readonly execute: boolean;
  readonly endpoint?: string;
  readonly json: boolean;
}

const WORDS = Object.freeze({
  made: "is made",
  there: "is there already",
  changed: "is changed to what it should be",
  set: "is set",
});

export function awsSetupCommand(): Command {
  return new Command("setup")
    .summary("prepare an account: bucket, role, policies")
    .description(
      "Makes what updates through AWS IoT need: an S3 bucket that keeps versions and is open to nobody, the role by " +
        "which AWS IoT reads it, the devices' policy and the operators' policy. Without --execute it only prints the " +
        "calls it would make.",
    )
    .requiredOption("--account <id>", "number of the AWS account", accountId)
    .addOption(new Option("--region <name>", "AWS region").env("AWS_REGION").makeOptionMandatory())
    .requiredOption("--bucket <name>", "S3 bucket for images", bucketName)
    .option("--role <name>", "name of the role AWS IoT takes on", name, "xs-ota-service")
    .option("--device-policy <name>", "name of the devices' policy", name, "xs-ota-device")
    .option("--operator-policy <name>", "name of the operators' policy", name, "xs-ota-operator")
    .option(
      "--signing-profile <name>",
      "let AWS Signer sign, by this profile (default: your key signs)",
      profileName,
    )
    .option("--certificate <arn>", "certificate of the profile, in ACM", certificateArn)
    .option("--signer <name>", "what jobs call the profile's signer", SIGNER_NAME)
    .option("--template", "print a CloudFormation template instead", false)
    .option("--execute", "make the calls", false)
    .option("--endpoint <url>", "another service that speaks AWS's protocols", httpUrl)
    .addOption(jsonOption("print JSON, one object a line"))
    .addHelpText(
      "after",
      `${examples([
        [
          "xs-ota aws setup --account 123456789012 --region eu-central-1 --bucket acme-fw",
          "prints the calls",
        ],
        ["xs-ota aws setup … --execute", "makes them; again: makes what is missing"],
        ["xs-ota aws setup … --template > ota.json", "for aws cloudformation deploy"],
      ])}

It changes what has these names to what it should be, and deletes nothing. Credentials come from where the AWS SDK
finds them, which is not part of this package:
npm install @aws-sdk/client-s3 @aws-sdk/client-iam @aws-sdk/client-iot @aws-sdk/client-signer. Tested with the SDK
against a local stand-in that checks requests, not against AWS itself.`,
    )
    .action(setUp);
}

async function setUp(options: SetupOptions): Promise<void> {
  const { signingProfile, certificate, region, account, bucket } = options;
  if ((signingProfile === undefined) !== (certificate === undefined))
    throw new Failure("--signing-profile and --certificate belong together");
  const to: AwsAccount = {
    ...{ account, region, bucket, partition: partitionOf(region), role: options.role },
    ...{ devicePolicy: options.devicePolicy, operatorPolicy: options.operatorPolicy },
    ...(signingProfile && certificate
      ? { signing: { profile: signingProfile, certificateArn: certificate } }
      : {}),
  };
  if (options.template) return printJson(template(to));
  const calls = setupCalls(to, options.signer);
  if (!options.execute) return printPlan(calls, options);
  const preparer = await Preparer.connect(to, options.endpoint);
  try {
    for (const call of calls) {
      const prepared = await preparer.perform(call);
      const { service, operation } = call;
      const text = `${nameOf(call)} ${WORDS[prepared]}`;
      tell(options, { event: prepared, service, operation, name: nameOf(call) }, text);
    }
  } finally {
    preparer.close();
  }
  conclude(to, options);
}

function conclude(to: AwsAccount, options: SetupOptions): void {
  const { bucket, region, devicePolicy, signing } = to;
  const role = roleArn(to);
  tell(
    options,
    { event: "ready", bucket, role, devicePolicy, operatorPolicy: operatorPolicyArn(to) },
    [
      "",
      paint("green", "Ready."),
      `Devices:    aws iot attach-policy --policy-name ${devicePolicy} --target <certificate ARN>`,
      `Operators:  aws iam attach-user-policy --user-name <name> --policy-arn ${operatorPolicyArn(to)}`,
      `Signing:    ${signing ? `by the profile ${signing.profile}` : "by your key; its certificate goes into the devices (xs-ota keygen)"}`,
      `Updates:    xs-ota aws deploy <file> --thing <name> --bucket ${bucket} --role ${role} --region ${region}` +
        (signing ? ` --signing-profile ${signing.profile}` : ""),
    ].join("\n"),
  );
}

function printPlan(calls: readonly SetupCall[], { json }: SetupOptions): void {
  if (json) return print(...calls.map((call) => JSON.stringify(call)));
  calls.forEach(({ service, operation, input }, index) => {
    print(
      `${index + 1}. ${service} ${paint("bold", operation)}`,
      JSON.stringify(readable(input), null, 2),
      "",
    );
  });
  print("Nothing was sent. --execute makes these calls, as far as something is missing or differs.");
}

/** Documents inside of documents, as what they are. */
function readable(input: SetupCall["input"]): object {
  const entries = Object.entries(input).map(([key, value]) => [
    key,
    /document$/i.test(key) && typeof value === "string" ? JSON.parse(value) : value,
  ]);
  return Object.fromEntries(entries);
}

function nameOf({ operation, input }: SetupCall): string {
  const { Bucket, RoleName, policyName, PolicyName, profileName } = input as Record<string, string>;
  switch (operation) {
    case "CreateBucket":
      return `Bucket ${Bucket}`;
    case "PutBucketVersioning":
      return `Keeping versions in ${Bucket}`;
    case "PutPublicAccessBlock":
      return `The block of public access to ${Bucket}`;
    case "CreateRole":
      return `Role ${RoleName}`;
    case "PutRolePolicy":
      return `Policy of the role ${RoleName}`;
    case "CreatePolicy":
      return policyName ? `Devices' policy ${policyName}` : `Operators' policy ${PolicyName}`;
    case "PutSigningProfile":
      return `Signing profile ${profileName}`;
  }
}

function accountId(text: string): string {
  if (!/^\d{12}$/.test(text)) throw new InvalidArgumentError("It must have 12 digits.");
  return text;
}

/** Amazon S3 User Guide, "Bucket naming rules"; dots do not go with its certificates. */
function bucketName(text: string): string {
  if (!/^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(text))
    throw new InvalidArgumentError("It must have 3 to 63 characters of a-z 0-9 -, no - at its ends.");
  return text;
}

/** Of roles and policies, at IAM and IoT. */
function name(text: string): string {
  if (!/^[\w+=,.@-]{1,64}$/.test(text))
    throw new InvalidArgumentError("It must have 1 to 64 characters of a-z A-Z 0-9 _ + = , . @ -.");
  return text;
}

export function profileName(text: string): string {
  if (!/^\w{2,64}$/.test(text))
    throw new InvalidArgumentError("It must have 2 to 64 characters of a-z A-Z 0-9 _.");
  return text;
}

function certificateArn(text: string): string {
  if (!/^arn:aws[\w-]*:acm:[\w-]+:\d{12}:certificate\/.+$/.test(text))
    throw new InvalidArgumentError("It must be the ARN of a certificate in ACM.");
  return text;
}
