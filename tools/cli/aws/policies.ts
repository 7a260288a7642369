/**
 * Who may do what: the documents of the roles and policies that updates through AWS take, each with the least rights.
 * Sources, read 2026-11-28: FreeRTOS User Guide "Create an OTA Update service role"; AWS managed policy
 * AmazonFreeRTOSOTAUpdate v3; AWS IoT Developer Guide "Managing jobs" (trust, pre-signed URLs with versions) and
 * "Cross-service confused deputy prevention"; Service Authorization Reference, AWS IoT.
 * @module
 */

/** Names of what is set up, and where. */
export interface AwsAccount {
  readonly account: string;
  readonly region: string;
  /** `aws`, `aws-cn`, `aws-us-gov`. */
  readonly partition: string;
  readonly bucket: string;
  /** Names, not ARNs. */
  readonly role: string;
  readonly devicePolicy: string;
  readonly operatorPolicy: string;
  /** AWS Signer signs, with this profile, by a certificate in ACM. */
  readonly signing?: { readonly profile: string; readonly certificateArn: string };
}

export interface PolicyDocument {
  readonly Version: "2012-10-17";
  readonly Statement: readonly Statement[];
}

interface Statement {
  readonly Effect: "Allow";
  readonly Principal?: unknown;
  readonly Action: string | readonly string[];
  readonly Resource?: string | readonly string[];
  readonly Condition?: unknown;
}

/** Stands in IoT policies for the name of the thing whose certificate it is. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: AWS's policy variable
const THING = "${iot:Connection.Thing.ThingName}";
/** Partitions other than `aws` begin their regions so. */
const PARTITIONS: readonly (readonly [start: string, partition: string])[] = Object.freeze([
  ["cn-", "aws-cn"],
  ["us-gov-", "aws-us-gov"],
]);

export function partitionOf(region: string): string {
  return PARTITIONS.find(([start]) => region.startsWith(start))?.[1] ?? "aws";
}

export function roleArn({ partition, account, role }: AwsAccount): string {
  return `arn:${partition}:iam::${account}:role/${role}`;
}

export function operatorPolicyArn({ partition, account, operatorPolicy }: AwsAccount): string {
  return `arn:${partition}:iam::${account}:policy/${operatorPolicy}`;
}

/** AWS IoT takes the role on, for this account's things in this region alone. */
export function trustPolicy({ partition, account, region }: AwsAccount): PolicyDocument {
  return document({
    Effect: "Allow",
    Principal: { Service: "iot.amazonaws.com" },
    Action: "sts:AssumeRole",
    Condition: {
      StringEquals: { "aws:SourceAccount": account },
      ArnLike: { "aws:SourceArn": `arn:${partition}:iot:${region}:${account}:*` },
    },
  });
}

/** What the OTA service, streams and Jobs do with the role. */
export function servicePolicy(to: AwsAccount): PolicyDocument {
  const { partition, bucket, signing } = to;
  const writes = signing ? ["s3:PutObject"] : [];
  return document(
    allow(["s3:GetObject", "s3:GetObjectVersion", ...writes], `arn:${partition}:s3:::${bucket}/*`),
    allow(
      ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketVersions"],
      `arn:${partition}:s3:::${bucket}`,
    ),
    allow(["iam:GetRole", "iam:PassRole"], roleArn(to)),
    allow(["iot:CreateJob"], [iot(to, "job/AFR_OTA*"), iot(to, "thing/*"), iot(to, "thinggroup/*")]),
    allow(["iot:DescribeJob", "iot:DeleteJob"], iot(to, "job/AFR_OTA*")),
    allow(["iot:CreateStream", "iot:DeleteStream"], iot(to, "stream/AFR_OTA*")),
    ...signerStatements(to),
  );
}

/** A device connects under its own name, and uses the topics of its jobs, streams and shadows; nothing else. */
export function devicePolicy(to: AwsAccount): PolicyDocument {
  const own = (kind: "topic" | "topicfilter", ...ends: readonly string[]) =>
    ends.map((end) => iot(to, `${kind}/$aws/things/${THING}/${end}`));
  const both = ["jobs/*", "streams/*"];
  return document(
    { Effect: "Allow", Action: "iot:Connect", Resource: iot(to, `client/${THING}`) },
    {
      Effect: "Allow",
      Action: "iot:Publish",
      Resource: own("topic", ...both, "shadow/update", "shadow/name/$package/update"),
    },
    { Effect: "Allow", Action: "iot:Subscribe", Resource: own("topicfilter", ...both) },
    { Effect: "Allow", Action: "iot:Receive", Resource: own("topic", ...both) },
  );
}

/** A person or a pipeline that runs `xs-ota aws deploy`, `watch`, `jobs`, `cancel` and `versions`. */
export function operatorPolicy(to: AwsAccount): PolicyDocument {
  const { partition, bucket } = to;
  return document(
    allow(["s3:PutObject"], `arn:${partition}:s3:::${bucket}/*`),
    {
      ...allow(["iam:PassRole"], roleArn(to)),
      Condition: { StringEquals: { "iam:PassedToService": "iot.amazonaws.com" } },
    },
    allow(["iot:CreateOTAUpdate", "iot:GetOTAUpdate"], iot(to, "otaupdate/*")),
    allow(["iot:CreateStream"], iot(to, "stream/AFR_OTA*")),
    allow(["iot:CreateJob"], [iot(to, "job/AFR_OTA*"), iot(to, "thing/*"), iot(to, "thinggroup/*")]),
    allow(
      ["iot:DescribeJob", "iot:CancelJob", "iot:ListJobExecutionsForJob", "iot:DescribeJobExecution"],
      [iot(to, "job/AFR_OTA*"), iot(to, "thing/*")],
    ),
    allow(["iot:ListJobs"], "*"),
    allow(["iot:GetBucketsAggregation"], iot(to, "index/*")),
    ...signerStatements(to),
  );
}

function signerStatements({ partition, region, account, signing }: AwsAccount): Statement[] {
  if (!signing) return [];
  const profile = `arn:${partition}:signer:${region}:${account}:/signing-profiles/${signing.profile}`;
  return [
    allow(["signer:GetSigningProfile", "signer:StartSigningJob"], profile),
    // Jobs have names of AWS's making.
    allow(["signer:DescribeSigningJob"], "*"),
  ];
}

function document(...Statement: readonly Statement[]): PolicyDocument {
  return { Version: "2012-10-17", Statement };
}

function allow(Action: readonly string[], Resource: string | readonly string[]): Statement {
  return { Effect: "Allow", Action, Resource };
}

function iot({ partition, region, account }: AwsAccount, resource: string): string {
  return `arn:${partition}:iot:${region}:${account}:${resource}`;
}
