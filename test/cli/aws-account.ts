/**
 * An AWS account in which nothing is: buckets, roles, policies and signing profiles, with the requests that make them
 * checked against the SDK's own schemas. IAM speaks the Query protocol and S3 XML; both are read as they are sent.
 * What people with a policy may do is decided by its text, as IAM does: an action has to be allowed on a resource.
 */
import type { IncomingHttpHeaders } from "node:http";
import * as iam from "@aws-sdk/client-iam";
import * as iot from "@aws-sdk/client-iot";
import * as s3 from "@aws-sdk/client-s3";
import * as signer from "@aws-sdk/client-signer";
import { modelProblem } from "./aws-model.js";

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

interface Policy {
  readonly versions: string[];
}

/** AWS keeps so many versions of a policy (IAM and AWS IoT quotas). */
const VERSIONS = 5;
const IAM: Readonly<Record<string, unknown>> = {
  CreateRole: iam.CreateRoleRequest$,
  GetRole: iam.GetRoleRequest$,
  PutRolePolicy: iam.PutRolePolicyRequest$,
  UpdateAssumeRolePolicy: iam.UpdateAssumeRolePolicyRequest$,
  CreatePolicy: iam.CreatePolicyRequest$,
  GetPolicy: iam.GetPolicyRequest$,
  GetPolicyVersion: iam.GetPolicyVersionRequest$,
  CreatePolicyVersion: iam.CreatePolicyVersionRequest$,
};

export class AccountStandIn {
  readonly id: string;
  readonly buckets = new Map<string, { versioned: boolean; closed: boolean }>();
  readonly roles = new Map<string, { trust: string; inline?: string }>();
  readonly iamPolicies = new Map<string, Policy>();
  readonly iotPolicies = new Map<string, Policy>();
  readonly profiles = new Map<string, unknown>();
  /** Names of buckets that others have. */
  readonly taken = new Set<string>();
  /** How many requests changed something. */
  changes = 0;

  constructor(id: string) {
    this.id = id;
  }

  /** What the account answers; undefined when the request is not about what this is for. */
  answer(method: string, url: string, headers: IncomingHttpHeaders, raw: Buffer): Answer | undefined {
    const { pathname, searchParams } = new URL(url, "http://localhost");
    const path = decodeURIComponent(pathname);
    if (headers["content-type"]?.startsWith("application/x-www-form-urlencoded"))
      return this.#iam(new URLSearchParams(raw.toString()));
    const [, first, name, last] = path.split("/");
    if (first === "policies") return this.#iot(method, name, last, raw);
    if (first === "signing-profiles") return this.#signer(method, name, raw);
    if (method === "PUT" && first && !name) return this.#bucket(first, searchParams, headers, raw);
    return undefined;
  }

  #bucket(name: string, query: URLSearchParams, headers: IncomingHttpHeaders, raw: Buffer): Answer {
    const bucket = this.buckets.get(name);
    const owner = headers["x-amz-expected-bucket-owner"];
    if (owner !== undefined && owner !== this.id) return xmlError(403, "AccessDenied", "Access Denied");
    const body = parseXml(raw.toString());
    if (query.has("versioning") || query.has("publicAccessBlock")) {
      if (!bucket) return xmlError(404, "NoSuchBucket", "The specified bucket does not exist");
      const isVersioning = query.has("versioning");
      const schema = isVersioning ? s3.VersioningConfiguration$ : s3.PublicAccessBlockConfiguration$;
      const problem = modelProblem(schema, body, name);
      if (problem) return xmlError(400, "MalformedXML", problem);
      this.changes++;
      if (isVersioning) bucket.versioned = (body as { Status?: string }).Status === "Enabled";
      else bucket.closed = Object.values(body as object).filter((value) => value === true).length === 4;
      return { status: 200, body: "" };
    }
    const problem = raw.length > 0 ? modelProblem(s3.CreateBucketConfiguration$, body, name) : undefined;
    if (problem) return xmlError(400, "MalformedXML", problem);
    if (this.taken.has(name))
      return xmlError(409, "BucketAlreadyExists", "The requested bucket name is not available.");
    if (bucket) return xmlError(409, "BucketAlreadyOwnedByYou", "You have it already.");
    this.buckets.set(name, { versioned: false, closed: false });
    this.changes++;
    return { status: 200, headers: { Location: `/${name}` }, body: "" };
  }

  #iam(form: URLSearchParams): Answer {
    const { Action = "", Version, ...input } = Object.fromEntries(form) as Record<string, string>;
    const schema = IAM[Action];
    const typed = Object.fromEntries(Object.entries(input).map(([key, value]) => [key, scalar(value)]));
    const problem =
      schema === undefined
        ? `there is no ${Action} here`
        : Version === "2010-05-08"
          ? modelProblem(schema, typed, Action)
          : "another version of the API";
    if (problem) return iamError(400, "ValidationError", problem);
    const policy = this.iamPolicies.get(input["PolicyArn"] ?? this.policyArn(input["PolicyName"] ?? ""));
    const role = this.roles.get(input["RoleName"] ?? "");
    const document = input["AssumeRolePolicyDocument"] ?? input["PolicyDocument"];
    if (document !== undefined && !isPolicy(document))
      return iamError(400, "MalformedPolicyDocument", "Syntax errors in policy.");
    const isMaking = Action === "CreateRole" || Action === "CreatePolicy";
    if (isMaking && (Action === "CreateRole" ? role : policy))
      return iamError(409, "EntityAlreadyExists", "It exists already.");
    if (!isMaking && !(Action.includes("Role") ? role : policy))
      return iamError(404, "NoSuchEntity", "It cannot be found.");
    if (!Action.startsWith("Get")) this.changes++;
    switch (Action) {
      case "CreateRole":
        this.roles.set(input["RoleName"], { trust: document });
        return iamAnswer(Action, `<Role>${this.#roleXml(input["RoleName"])}</Role>`);
      case "GetRole":
        return iamAnswer(Action, `<Role>${this.#roleXml(input["RoleName"])}</Role>`);
      case "PutRolePolicy":
        role!.inline = document;
        return iamAnswer(Action, "");
      case "UpdateAssumeRolePolicy":
        role!.trust = document;
        return iamAnswer(Action, "");
      case "CreatePolicy":
        this.iamPolicies.set(this.policyArn(input["PolicyName"]), { versions: [document] });
        return iamAnswer(Action, `<Policy><PolicyName>${input["PolicyName"]}</PolicyName></Policy>`);
      case "GetPolicy":
        return iamAnswer(
          Action,
          `<Policy><DefaultVersionId>v${policy!.versions.length}</DefaultVersionId></Policy>`,
        );
      case "GetPolicyVersion": {
        const text = policy!.versions[Number(input["VersionId"].slice(1)) - 1];
        return iamAnswer(
          Action,
          `<PolicyVersion><Document>${encodeURIComponent(text)}</Document></PolicyVersion>`,
        );
      }
      default:
        if (policy!.versions.length >= VERSIONS) return iamError(409, "LimitExceeded", "Too many versions.");
        policy!.versions.push(document);
        return iamAnswer(Action, "");
    }
  }

  #iot(method: string, name: string, last: string | undefined, raw: Buffer): Answer {
    const policy = this.iotPolicies.get(name);
    if (method === "GET") {
      if (!policy) return jsonError(404, "ResourceNotFoundException", "Policy not found");
      return {
        status: 200,
        body: JSON.stringify({ policyName: name, policyDocument: policy.versions.at(-1) }),
      };
    }
    const body = JSON.parse(raw.toString()) as { policyDocument: string };
    const schema = last === "version" ? iot.CreatePolicyVersionRequest$ : iot.CreatePolicyRequest$;
    const problem =
      modelProblem(schema, body, name) ??
      (isPolicy(body.policyDocument) ? undefined : "Policy document is malformed");
    if (problem) return jsonError(400, "MalformedPolicyException", problem);
    if (last === "version") {
      if (!policy) return jsonError(404, "ResourceNotFoundException", "Policy not found");
      if (policy.versions.length >= VERSIONS)
        return jsonError(409, "VersionsLimitExceededException", "The policy has 5 versions");
      policy.versions.push(body.policyDocument);
    } else {
      if (policy) return jsonError(409, "ResourceAlreadyExistsException", "Policy already exists");
      this.iotPolicies.set(name, { versions: [body.policyDocument] });
    }
    this.changes++;
    return { status: 200, body: JSON.stringify({ policyName: name }) };
  }

  #signer(method: string, name: string, raw: Buffer): Answer {
    const profile = this.profiles.get(name);
    if (method === "GET")
      return profile
        ? { status: 200, body: JSON.stringify(profile) }
        : jsonError(404, "ResourceNotFoundException", "There is no such profile");
    const body: unknown = JSON.parse(raw.toString());
    const problem = modelProblem(signer.PutSigningProfileRequest$, body, name);
    if (problem) return jsonError(400, "ValidationException", problem);
    this.profiles.set(name, body);
    this.changes++;
    return { status: 200, body: JSON.stringify({ arn: `arn:aws:signer:::/signing-profiles/${name}` }) };
  }

  policyArn(name: string): string {
    return `arn:aws:iam::${this.id}:policy/${name}`;
  }

  #roleXml(name: string): string {
    const { trust } = this.roles.get(name)!;
    return (
      `<RoleName>${name}</RoleName><Arn>arn:aws:iam::${this.id}:role/${name}</Arn>` +
      `<AssumeRolePolicyDocument>${encodeURIComponent(trust)}</AssumeRolePolicyDocument>`
    );
  }
}

/** Whether a policy allows an action on a resource (IAM User Guide, "Policy evaluation logic": denied unless allowed). */
export function allows(document: string, action: string, resource: string): boolean {
  const { Statement } = JSON.parse(document) as {
    Statement: { Action: string | string[]; Resource: string | string[] }[];
  };
  const matches = (patterns: string | string[], text: string) =>
    [patterns].flat().some((pattern) => {
      const source = pattern.split("*").map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, "\\$&"));
      return new RegExp(`^${source.join(".*")}$`).test(text);
    });
  return Statement.some(({ Action, Resource }) => matches(Action, action) && matches(Resource, resource));
}

function isPolicy(text: string): boolean {
  try {
    const { Version, Statement } = JSON.parse(text) as {
      Version?: string;
      Statement?: { Effect?: string }[];
    };
    return (
      Version === "2012-10-17" &&
      Array.isArray(Statement) &&
      Statement.every(({ Effect }) => Effect === "Allow")
    );
  } catch {
    return false;
  }
}

/** The members of the root, as deep as they go. */
function parseXml(text: string): unknown {
  const root = /^(?:<\?xml[^>]*\?>)?<(\w+)[^>]*>([\s\S]*)<\/\1>$/.exec(text.trim());
  return root ? members(root[2]) : {};
}

function members(text: string): unknown {
  const found = [...text.matchAll(/<(\w+)[^>]*>([\s\S]*?)<\/\1>/g)];
  if (found.length === 0) return scalar(text);
  return Object.fromEntries(found.map(([, name, inner]) => [name, members(inner)]));
}

function scalar(text: string): string | boolean {
  return text === "true" ? true : text === "false" ? false : text;
}

function xmlError(status: number, code: string, message: string): Answer {
  return { status, body: `<Error><Code>${code}</Code><Message>${message}</Message></Error>` };
}

function iamError(status: number, code: string, message: string): Answer {
  const error = `<Type>Sender</Type><Code>${code}</Code><Message>${message}</Message>`;
  return {
    status,
    headers: { "Content-Type": "text/xml" },
    body: `<ErrorResponse><Error>${error}</Error></ErrorResponse>`,
  };
}

function iamAnswer(action: string, result: string): Answer {
  const body = `<${action}Response><${action}Result>${result}</${action}Result></${action}Response>`;
  return { status: 200, headers: { "Content-Type": "text/xml" }, body };
}

function jsonError(status: number, name: string, message: string): Answer {
  return { status, headers: { "x-amzn-errortype": name }, body: JSON.stringify({ message }) };
}
