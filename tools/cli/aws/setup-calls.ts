/**
 * The calls that prepare an account for updates, as data: what a dry run prints is what an execution sends where
 * nothing is there yet. Names and shapes: API references of Amazon S3, IAM, AWS IoT and AWS Signer.
 * @module
 */
import { type AwsAccount, devicePolicy, operatorPolicy, servicePolicy, trustPolicy } from "./policies.js";

export interface SetupCall {
  readonly service: "S3" | "IAM" | "IoT" | "Signer";
  readonly operation:
    | "CreateBucket"
    | "PutBucketVersioning"
    | "PutPublicAccessBlock"
    | "CreateRole"
    | "PutRolePolicy"
    | "CreatePolicy"
    | "PutSigningProfile";
  readonly input: Readonly<Record<string, unknown>>;
}

/** Name of the role's inline policy. */
export const ROLE_POLICY = "firmware-updates";
/** ECDSA P-256 or RSA with SHA-256, as the key in ACM has it; the signature alone. */
export const PROFILE_PLATFORM = "AmazonFreeRTOS-Default";
/** The only region whose name CreateBucket does not take. */
const FIRST_REGION = "us-east-1";

export const blockedAccess = Object.freeze({
  ...{ BlockPublicAcls: true, IgnorePublicAcls: true },
  ...{ BlockPublicPolicy: true, RestrictPublicBuckets: true },
});

/** @param certificatePath what the jobs call the signer */
export function setupCalls(to: AwsAccount, certificatePath: string): SetupCall[] {
  const { account, region, bucket, role, signing } = to;
  // What is meant for another account ends with the first call that says so.
  const owner = { Bucket: bucket, ExpectedBucketOwner: account };
  const place = region === FIRST_REGION ? {} : { CreateBucketConfiguration: { LocationConstraint: region } };
  return [
    { service: "S3", operation: "CreateBucket", input: { Bucket: bucket, ...place } },
    {
      ...{ service: "S3", operation: "PutBucketVersioning" },
      input: { ...owner, VersioningConfiguration: { Status: "Enabled" } },
    },
    {
      ...{ service: "S3", operation: "PutPublicAccessBlock" },
      input: { ...owner, PublicAccessBlockConfiguration: blockedAccess },
    },
    {
      ...{ service: "IAM", operation: "CreateRole" },
      input: { RoleName: role, AssumeRolePolicyDocument: JSON.stringify(trustPolicy(to)) },
    },
    {
      ...{ service: "IAM", operation: "PutRolePolicy" },
      input: {
        ...{ RoleName: role, PolicyName: ROLE_POLICY },
        PolicyDocument: JSON.stringify(servicePolicy(to)),
      },
    },
    {
      ...{ service: "IoT", operation: "CreatePolicy" },
      input: { policyName: to.devicePolicy, policyDocument: JSON.stringify(devicePolicy(to)) },
    },
    {
      ...{ service: "IAM", operation: "CreatePolicy" },
      input: { PolicyName: to.operatorPolicy, PolicyDocument: JSON.stringify(operatorPolicy(to)) },
    },
    ...(signing
      ? [
          {
            ...({ service: "Signer", operation: "PutSigningProfile" } as const),
            input: {
              ...{ profileName: signing.profile, platformId: PROFILE_PLATFORM },
              signingMaterial: { certificateArn: signing.certificateArn },
              signingParameters: { certname: certificatePath },
            },
          },
        ]
      : []),
  ];
}
