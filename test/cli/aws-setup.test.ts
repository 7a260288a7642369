import { readFileSync } from "node:fs";
import { deepEqual, equal, ok } from "../support/assert.js";
import { AccountStandIn, allows } from "./aws-account.js";
import { AwsStandIn } from "./aws-stand-in.js";
import { Folder } from "./run.js";

const ACCOUNT = "123456789012";
const ROLE = `arn:aws:iam::${ACCOUNT}:role/xs-ota-service`;
const CERTIFICATE = `arn:aws:acm:eu-central-1:${ACCOUNT}:certificate/11`;

describe("xs-ota aws setup, against a local stand-in", () => {
  let folder: Folder;
  let aws: AwsStandIn;
  let account: AccountStandIn;
  const environment = { ...process.env };

  before(() => {
    Object.assign(process.env, {
      ...{ AWS_ACCESS_KEY_ID: "AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY: "secret" },
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
    });
    folder = new Folder();
  });

  beforeEach(async () => {
    aws = await AwsStandIn.start();
    account = new AccountStandIn(ACCOUNT);
    aws.account = account;
  });

  afterEach(() => aws.close());

  after(async () => {
    process.env = environment;
    await folder.close();
  });

  const setup = (...args: string[]) => [
    ...["aws", "setup", "--account", ACCOUNT, "--region", "eu-central-1", "--bucket", "firmware"],
    ...["--endpoint", aws.url, ...args],
  ];

  it("prints the calls it would make, and sends nothing", async () => {
    const text = await folder.good(...setup());
    for (const part of [
      "1. S3 CreateBucket",
      "4. IAM CreateRole",
      "6. IoT CreatePolicy",
      "Nothing was sent.",
    ])
      ok(text.includes(part), `${part} is not in ${text}`);
    deepEqual(aws.requests, []);
  });

  it("takes an empty account to a finished update, by an operator who may do no more than his policy says", async () => {
    const text = await folder.good(...setup("--execute"));
    for (const part of [`--bucket firmware --role ${ROLE}`, "Devices' policy xs-ota-device is made"])
      ok(text.includes(part), `${part} is not in ${text}`);
    deepEqual(account.buckets.get("firmware"), { versioned: true, closed: true });
    const { trust, inline = "" } = account.roles.get("xs-ota-service")!;
    ok(trust.includes(`"aws:SourceAccount":"${ACCOUNT}"`) && trust.includes("iot.amazonaws.com"), trust);
    ok(allows(inline, "s3:GetObjectVersion", "arn:aws:s3:::firmware/a.bin"), inline);
    ok(!allows(inline, "s3:PutObject", "arn:aws:s3:::firmware/a.bin"), "the role may write images");
    aws.policy = account.iamPolicies.get(account.policyArn("xs-ota-operator"))!.versions[0];
    await folder.good("keygen");
    await folder.good("demo-image", "v2.bin", "--size", "20K");
    const here = ["--region", "eu-central-1", "--endpoint", aws.url];
    const deploy = [
      "aws",
      "deploy",
      "v2.bin",
      "--thing",
      "board",
      "--bucket",
      "firmware",
      "--role",
      ROLE,
      ...here,
    ];
    const done = await folder.good(...deploy, "--execute", "--poll", "0.05");
    ok(done.includes("1 of 1 devices SUCCEEDED"), done);
    aws.statuses = ["FAILED"];
    const again = await folder.run(
      ...deploy,
      "--execute",
      "--poll",
      "0.05",
      "--via",
      "job",
      "--protocol",
      "http",
      "mqtt",
    );
    equal(again.code, 1, again.stderr);
    ok(again.stdout.includes("board  FAILED"), again.stdout);
    await folder.good("aws", "jobs", ...here);
    await folder.good("aws", "cancel", "AFR_OTA-one", ...here);
    await folder.good("aws", "versions", ...here);
    await folder.bad(
      1,
      "not authorized to perform iot:CancelJob",
      "aws",
      "cancel",
      "somebody-elses",
      ...here,
    );
  });

  it("changes nothing the second time, and what differs to what it should be", async () => {
    await folder.good(...setup("--execute"));
    const made = account.changes;
    const again = await folder.good(...setup("--execute"));
    // Settings of the bucket and the role's own policy are put as they are.
    equal(account.changes - made, 3, again);
    ok(again.includes("Role xs-ota-service is there already"), again);
    ok(again.includes("Operators' policy xs-ota-operator is there already"), again);
    const policies = [account.iotPolicies.get("xs-ota-device")!, [...account.iamPolicies.values()][0]];
    const wanted = policies.map(({ versions }) => versions[0]);
    for (const { versions } of policies) versions[0] = '{"Version":"2012-10-17","Statement":[]}';
    account.roles.get("xs-ota-service")!.trust = "{}";
    const changed = await folder.good(...setup("--execute"));
    equal(changed.split("is changed to what it should be").length - 1, 3, changed);
    deepEqual(
      policies.map(({ versions }) => versions.at(-1)),
      wanted,
    );
    for (const { versions } of policies) while (versions.length < 5) versions.push("{}");
    await folder.bad(1, "the policy xs-ota-device has as many versions as AWS keeps", ...setup("--execute"));
  });

  it("has AWS Signer sign, with a profile", async () => {
    const signed = ["--signing-profile", "acme", "--certificate", CERTIFICATE];
    await folder.good(...setup(...signed, "--execute"));
    deepEqual(account.profiles.get("acme"), {
      platformId: "AmazonFreeRTOS-Default",
      signingMaterial: { certificateArn: CERTIFICATE },
      signingParameters: { certname: "/certificates/ota.pem" },
    });
    await folder.good(...setup(...signed, "--execute"));
    await folder.bad(
      1,
      "is there with another certificate",
      ...setup(...signed.slice(0, 3), `${CERTIFICATE}2`, "--execute"),
    );
    await folder.bad(2, "belong together", ...setup("--signing-profile", "acme"));
    await folder.good("demo-image", "signed.bin", "--size", "20K");
    const deploy = [
      "aws",
      "deploy",
      "signed.bin",
      "--thing",
      "board",
      "--bucket",
      "firmware",
      "--role",
      ROLE,
    ];
    const by = [...deploy, "--signing-profile", "acme", "--region", "eu-central-1"];
    await folder.good(...by, "--endpoint", aws.url, "--execute", "--poll", "0.05");
    const { body } = aws.requests.find(({ path }) => path.startsWith("/otaUpdates/"))!;
    deepEqual((body as { files: { codeSigning: unknown }[] }).files[0].codeSigning, {
      startSigningJobParameter: {
        ...{
          signingProfileName: "acme",
          destination: { s3Destination: { bucket: "firmware", prefix: "signed/" } },
        },
      },
    });
    await folder.bad(2, "CreateJob lets nobody sign", ...by, "--via", "job");
  });

  it("refuses a bucket of somebody else, and another account, in one line", async () => {
    account.taken.add("firmware");
    await folder.bad(1, "the bucket firmware belongs to another account", ...setup("--execute"));
    account.taken.clear();
    const other = setup("--execute").map((arg) => (arg === ACCOUNT ? "999999999999" : arg));
    await folder.bad(1, "PutBucketVersioning: AccessDenied", ...other);
    equal(account.roles.size, 0);
    await folder.bad(2, "It must have 12 digits", ...setup("--account", "1234"));
    await folder.bad(2, "It must have 3 to 63 characters", ...setup("--bucket", "Not_A_Bucket"));
  });

  it("prints a CloudFormation template with the same documents", async () => {
    const { Resources } = JSON.parse(await folder.good(...setup("--template"))) as {
      Resources: Record<string, { Type: string; Properties: Record<string, unknown> }>;
    };
    await folder.good(...setup("--execute"));
    const { Role, DevicePolicy, OperatorPolicy, Images } = Resources;
    const { trust, inline = "" } = account.roles.get("xs-ota-service")!;
    deepEqual(Role.Properties["AssumeRolePolicyDocument"], JSON.parse(trust));
    deepEqual(
      (Role.Properties["Policies"] as { PolicyDocument: unknown }[])[0].PolicyDocument,
      JSON.parse(inline),
    );
    deepEqual(
      DevicePolicy.Properties["PolicyDocument"],
      JSON.parse(account.iotPolicies.get("xs-ota-device")!.versions[0]),
    );
    deepEqual(
      OperatorPolicy.Properties["PolicyDocument"],
      JSON.parse([...account.iamPolicies.values()][0].versions[0]),
    );
    deepEqual(Images.Properties["VersioningConfiguration"], { Status: "Enabled" });
  });

  it("makes the devices' policy that docs/aws.md shows", async () => {
    await folder.good(...setup("--execute"));
    const docs = readFileSync(new URL("../../docs/aws.md", import.meta.url), "utf8");
    const [, shown] = /```json\n(\{\n {2}"Version"[\s\S]*?)```/.exec(docs)!;
    const filled = shown.replaceAll("$REGION", "eu-central-1").replaceAll("$ACCOUNT", ACCOUNT);
    deepEqual(JSON.parse(filled), JSON.parse(account.iotPolicies.get("xs-ota-device")!.versions[0]));
  });
});
