/**
 * What `aws setup` makes, as a CloudFormation template: for accounts in which stacks alone may make things.
 * Names of types and properties: AWS CloudFormation Template Reference, read 2026-11-28.
 * @module
 */
import { type AwsAccount, devicePolicy, operatorPolicy, servicePolicy, trustPolicy } from "./policies.js";
import { blockedAccess, PROFILE_PLATFORM, ROLE_POLICY } from "./setup-calls.js";

export function template(to: AwsAccount): object {
  const { bucket, role, signing } = to;
  return {
    AWSTemplateFormatVersion: "2010-09-09",
    Description: "Firmware updates over AWS IoT: images, roles and policies",
    Resources: {
      Images: {
        Type: "AWS::S3::Bucket",
        // Images of devices in the field stay when the stack goes.
        ...{ DeletionPolicy: "Retain", UpdateReplacePolicy: "Retain" },
        Properties: {
          BucketName: bucket,
          VersioningConfiguration: { Status: "Enabled" },
          PublicAccessBlockConfiguration: blockedAccess,
        },
      },
      Role: {
        Type: "AWS::IAM::Role",
        Properties: {
          RoleName: role,
          AssumeRolePolicyDocument: trustPolicy(to),
          Policies: [{ PolicyName: ROLE_POLICY, PolicyDocument: servicePolicy(to) }],
        },
      },
      DevicePolicy: {
        Type: "AWS::IoT::Policy",
        Properties: { PolicyName: to.devicePolicy, PolicyDocument: devicePolicy(to) },
      },
      OperatorPolicy: {
        Type: "AWS::IAM::ManagedPolicy",
        Properties: { ManagedPolicyName: to.operatorPolicy, PolicyDocument: operatorPolicy(to) },
      },
    },
    Outputs: {
      Bucket: { Value: { Ref: "Images" } },
      Role: { Value: { "Fn::GetAtt": ["Role", "Arn"] } },
      OperatorPolicy: { Value: { Ref: "OperatorPolicy" } },
    },
    // AWS::Signer::SigningProfile has no property for the certificate of a profile for devices.
    ...(signing && {
      Metadata: {
        Signing: `Make the profile ${signing.profile} with aws signer put-signing-profile, platform ${PROFILE_PLATFORM}`,
      },
    }),
  };
}
