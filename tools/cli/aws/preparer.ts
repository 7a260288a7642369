/**
 * Makes what `aws setup` plans, through AWS's SDK: what is there already is left, or brought to what it should be.
 * @module
 */
import { isDeepStrictEqual } from "node:util";
import type { IAMClient } from "@aws-sdk/client-iam";
import type { IoTClient } from "@aws-sdk/client-iot";
import type { S3Client } from "@aws-sdk/client-s3";
import type { SignerClient } from "@aws-sdk/client-signer";
import { FAILED, Failure } from "../failure.js";
import { ask } from "./cloud.js";
import { type AwsAccount, operatorPolicyArn } from "./policies.js";
import type { SetupCall } from "./setup-calls.js";

/** `made`, `there` as it should be, `changed` to what it should be, or `set` whatever it was. */
export type Prepared = "made" | "there" | "changed" | "set";

type Sdk = Awaited<ReturnType<typeof loadSdk>>;
type Input = never;

export class Preparer {
  readonly #to: AwsAccount;
  readonly #sdk: Sdk;
  readonly #s3: S3Client;
  readonly #iam: IAMClient;
  readonly #iot: IoTClient;
  readonly #signer: SignerClient;

  /** @param endpoint another service than AWS that speaks its protocols. @throws Failure without the SDK */
  static async connect(to: AwsAccount, endpoint?: string): Promise<Preparer> {
    return new Preparer(to, await loadSdk(), endpoint);
  }

  private constructor(to: AwsAccount, sdk: Sdk, endpoint: string | undefined) {
    const { region } = to;
    this.#to = to;
    this.#sdk = sdk;
    this.#s3 = new sdk.s3.S3Client({ region, endpoint, forcePathStyle: endpoint !== undefined });
    this.#iam = new sdk.iam.IAMClient({ region, endpoint });
    this.#iot = new sdk.iot.IoTClient({ region, endpoint });
    this.#signer = new sdk.signer.SignerClient({ region, endpoint });
  }

  /** @throws Failure when AWS refuses, or somebody else has what is asked for */
  async perform({ service, operation, input }: SetupCall): Promise<Prepared> {
    const { s3, iam, signer } = this.#sdk;
    switch (operation) {
      case "CreateBucket":
        return await this.#createBucket(input);
      case "PutBucketVersioning":
        await ask(operation, () => this.#s3.send(new s3.PutBucketVersioningCommand(input as Input)));
        return "set";
      case "PutPublicAccessBlock":
        await ask(operation, () => this.#s3.send(new s3.PutPublicAccessBlockCommand(input as Input)));
        return "set";
      case "CreateRole":
        return await this.#createRole(input);
      case "PutRolePolicy":
        await ask(operation, () => this.#iam.send(new iam.PutRolePolicyCommand(input as Input)));
        return "set";
      case "CreatePolicy":
        return service === "IoT" ? await this.#createIotPolicy(input) : await this.#createIamPolicy(input);
      case "PutSigningProfile": {
        const there = await this.#hasProfile(input);
        if (there) return "there";
        await ask(operation, () => this.#signer.send(new signer.PutSigningProfileCommand(input as Input)));
        return "made";
      }
    }
  }

  async #createBucket(input: SetupCall["input"]): Promise<Prepared> {
    const make = () => this.#s3.send(new this.#sdk.s3.CreateBucketCommand(input as Input));
    const problem = await unless(["BucketAlreadyOwnedByYou", "BucketAlreadyExists"], "CreateBucket", make);
    if (problem === "BucketAlreadyExists")
      throw new Failure(
        `the bucket ${this.#to.bucket} belongs to another account: choose another name`,
        FAILED,
      );
    return problem === undefined ? "made" : "there";
  }

  async #createRole(input: SetupCall["input"]): Promise<Prepared> {
    const { iam } = this.#sdk;
    const { AssumeRolePolicyDocument: wanted, RoleName } = input as Record<string, string>;
    const make = () => this.#iam.send(new iam.CreateRoleCommand(input as Input));
    if ((await unless(["EntityAlreadyExistsException"], "CreateRole", make)) === undefined) return "made";
    const { Role } = await ask("GetRole", () => this.#iam.send(new iam.GetRoleCommand({ RoleName })));
    if (isSame(decodeURIComponent(Role?.AssumeRolePolicyDocument ?? ""), wanted)) return "there";
    await ask("UpdateAssumeRolePolicy", () =>
      this.#iam.send(new iam.UpdateAssumeRolePolicyCommand({ RoleName, PolicyDocument: wanted })),
    );
    return "changed";
  }

  async #createIotPolicy(input: SetupCall["input"]): Promise<Prepared> {
    const { iot } = this.#sdk;
    const { policyName, policyDocument } = input as Record<string, string>;
    const make = () => this.#iot.send(new iot.CreatePolicyCommand(input as Input));
    if ((await unless(["ResourceAlreadyExistsException"], "CreatePolicy", make)) === undefined) return "made";
    const known = await ask("GetPolicy", () => this.#iot.send(new iot.GetPolicyCommand({ policyName })));
    if (isSame(known.policyDocument, policyDocument)) return "there";
    const change = () =>
      this.#iot.send(new iot.CreatePolicyVersionCommand({ policyName, policyDocument, setAsDefault: true }));
    if (await unless(["VersionsLimitExceededException"], "CreatePolicyVersion", change)) full(policyName);
    return "changed";
  }

  async #createIamPolicy(input: SetupCall["input"]): Promise<Prepared> {
    const { iam } = this.#sdk;
    const { PolicyDocument, PolicyName } = input as Record<string, string>;
    const make = () => this.#iam.send(new iam.CreatePolicyCommand(input as Input));
    if ((await unless(["EntityAlreadyExistsException"], "CreatePolicy", make)) === undefined) return "made";
    const PolicyArn = operatorPolicyArn(this.#to);
    const { Policy } = await ask("GetPolicy", () => this.#iam.send(new iam.GetPolicyCommand({ PolicyArn })));
    const VersionId = Policy?.DefaultVersionId;
    const { PolicyVersion } = await ask("GetPolicyVersion", () =>
      this.#iam.send(new iam.GetPolicyVersionCommand({ PolicyArn, VersionId })),
    );
    if (isSame(decodeURIComponent(PolicyVersion?.Document ?? ""), PolicyDocument)) return "there";
    const change = () =>
      this.#iam.send(new iam.CreatePolicyVersionCommand({ PolicyArn, PolicyDocument, SetAsDefault: true }));
    if (await unless(["LimitExceededException"], "CreatePolicyVersion", change)) full(PolicyName);
    return "changed";
  }

  /** Whether the profile is there with this certificate. @throws Failure when it is there with another */
  async #hasProfile(input: SetupCall["input"]): Promise<boolean> {
    const { profileName, signingMaterial } = input as {
      profileName: string;
      signingMaterial: { certificateArn: string };
    };
    let found: string | undefined;
    const look = async () => {
      const { GetSigningProfileCommand } = this.#sdk.signer;
      const profile = await this.#signer.send(new GetSigningProfileCommand({ profileName }));
      found = profile.signingMaterial?.certificateArn ?? "none";
    };
    if (await unless(["ResourceNotFoundException"], "GetSigningProfile", look)) return false;
    if (found !== signingMaterial.certificateArn)
      throw new Failure(
        `the signing profile ${profileName} is there with another certificate: ${found}`,
        FAILED,
      );
    return true;
  }

  close(): void {
    for (const client of [this.#s3, this.#iam, this.#iot, this.#signer]) client.destroy();
  }
}

async function loadSdk() {
  try {
    const [s3, iam, iot, signer] = await Promise.all([
      import("@aws-sdk/client-s3"),
      import("@aws-sdk/client-iam"),
      import("@aws-sdk/client-iot"),
      import("@aws-sdk/client-signer"),
    ]);
    return { s3, iam, iot, signer };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
    const packages = ["s3", "iam", "iot", "signer"].map((name) => `@aws-sdk/client-${name}`);
    throw new Failure(`the AWS SDK is not installed: npm install ${packages.join(" ")}`);
  }
}

/** Resolves with the name of the error when it is one of these. @throws Failure on others */
async function unless(
  names: readonly string[],
  operation: string,
  call: () => Promise<unknown>,
): Promise<string | undefined> {
  let known: string | undefined;
  await ask(operation, async () => {
    try {
      await call();
    } catch (error) {
      known = names.find((name) => name === (error as Error).name);
      if (known === undefined) throw error;
    }
  });
  return known;
}

function isSame(document: string | undefined, wanted: string): boolean {
  try {
    return isDeepStrictEqual(JSON.parse(document ?? ""), JSON.parse(wanted));
  } catch {
    return false;
  }
}

function full(policy: string): never {
  throw new Failure(`the policy ${policy} has as many versions as AWS keeps: delete one of them`, FAILED);
}
