import { readFileSync } from "node:fs";
import { verifyImage } from "../../service/signer.js";
import { type JobFile, parseJob } from "../../src/control/job-document.js";
import { variantOf } from "../../src/control/variant.js";
import { deltaOf, packOf } from "../../tools/cli/payload.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { appImage, buildIdOf } from "../support/payload-rig.js";
import { AwsStandIn } from "./aws-stand-in.js";
import { Folder } from "./run.js";

const ROLE = "arn:aws:iam::123456789012:role/ota";
const OPTIONS = ["--bucket", "firmware", "--role", ROLE, "--region", "eu-central-1", "--thing", "board"];

interface Call {
  readonly operation: string;
  // biome-ignore lint/suspicious/noExplicitAny: the shapes of AWS's API, read at random
  readonly input: any;
}

describe("xs-ota aws deploy, against a local stand-in", () => {
  let folder: Folder;
  let aws: AwsStandIn;
  const environment = { ...process.env };

  before(async () => {
    Object.assign(process.env, {
      ...{ AWS_ACCESS_KEY_ID: "AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY: "secret" },
      // The SDK tells of the end of its support for Node 20.
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
    });
    folder = new Folder();
    await folder.good("keygen");
    await folder.good("demo-image", "v2.bin", "--size", "20K");
  });

  beforeEach(async () => {
    aws = await AwsStandIn.start();
  });

  afterEach(() => aws.close());

  after(async () => {
    process.env = environment;
    await folder.close();
  });

  const deploy = (...args: string[]) => ["aws", "deploy", "v2.bin", ...OPTIONS, ...args];
  const execute = (...args: string[]) =>
    deploy("--endpoint", aws.url, "--poll", "0.05", "--update-id", "one", "--execute", ...args);
  const plan = async (...args: string[]) =>
    (await folder.good(...deploy("--json", "--update-id", "one", ...args)))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Call);

  it("prints the calls it would make, and sends nothing", async () => {
    const text = await folder.good(...deploy("--endpoint", aws.url));
    ok(text.includes("1. S3 PutObject") && text.includes("2. IoT CreateOTAUpdate"), text);
    ok(text.endsWith("Nothing was sent. --execute makes these calls.\n"), text);
    deepEqual(aws.requests, []);
  });

  it("plans an OTA update as AWS's API takes it, with a good signature", async () => {
    const [put, create] = await plan("--protocol", "mqtt", "http", "--job-timeout", "30");
    deepEqual([put.input.Bucket, put.input.Key], ["firmware", "xs-ota/one/v2.bin"]);
    equal(create.operation, "CreateOTAUpdate");
    const { files, ...rest } = create.input;
    deepEqual(rest, {
      otaUpdateId: "one",
      targets: ["arn:aws:iot:eu-central-1:123456789012:thing/board"],
      protocols: ["MQTT", "HTTP"],
      targetSelection: "SNAPSHOT",
      roleArn: ROLE,
      awsJobPresignedUrlConfig: { expiresInSec: 1800 },
      awsJobTimeoutConfig: { inProgressTimeoutInMinutes: 30 },
    });
    const { signature, ...custom } = files[0].codeSigning.customCodeSigning;
    deepEqual(custom, {
      certificateChain: { certificateName: "/certificates/ota.pem" },
      hashAlgorithm: "SHA256",
      signatureAlgorithm: "ECDSA",
    });
    const image = readFileSync(folder.file("v2.bin"));
    const certificate = readFileSync(folder.file("ota-cert.pem"), "utf8");
    ok(verifyImage(image, signature.inlineDocument, certificate), "the signature is not good");
  });

  it("sends just what it plans, with the version of the object, and follows the job", async () => {
    const [, planned] = await plan();
    const text = await folder.good(...execute());
    for (const part of [
      "PutObject …",
      "CreateOTAUpdate …",
      "The job is AFR_OTA-one: xs-ota aws watch",
      "IN_PROGRESS: 1 QUEUED",
      "COMPLETED: 1 SUCCEEDED",
      "1 of 1 devices SUCCEEDED",
    ])
      ok(text.includes(part), `${part} is not in ${text}`);
    const [put, create] = aws.requests;
    deepEqual([put.method, put.path], ["PUT", "/firmware/xs-ota/one/v2.bin"]);
    const image = readFileSync(folder.file("v2.bin"));
    ok((put.body as Buffer).includes(image.subarray(0, 10_000)), "the image was not uploaded");
    ok(put.authorization.includes("Credential=AKIDEXAMPLE/"), "the request is not signed");
    deepEqual([create.method, create.path], ["POST", "/otaUpdates/one"]);
    const { otaUpdateId, ...body } = planned.input;
    equal(otaUpdateId, "one");
    body.files[0].fileLocation.s3Location.version = "version-7";
    const sent = create.body as typeof body;
    // ECDSA signatures differ from each other each time.
    for (const { files } of [body, sent])
      files[0].codeSigning.customCodeSigning.signature.inlineDocument = "";
    deepEqual(sent, body);
  });

  it("makes a stream and a job with the document the OTA service would make", async () => {
    await folder.good(...execute("--via", "job", "--protocol", "mqtt", "http"));
    const [, stream, job] = aws.requests;
    ok(/^\/streams\/AFR_OTA-[0-9a-f-]{36}$/.test(stream.path), stream.path);
    deepEqual(stream.body, {
      files: [
        { fileId: 0, s3Location: { bucket: "firmware", key: "xs-ota/one/v2.bin", version: "version-7" } },
      ],
      roleArn: ROLE,
    });
    deepEqual([job.method, job.path], ["PUT", "/jobs/AFR_OTA-one"]);
    const { document, presignedUrlConfig } = job.body as { document: string; presignedUrlConfig: unknown };
    deepEqual(presignedUrlConfig, { roleArn: ROLE, expiresInSec: 1800 });
    const { afr_ota: update } = JSON.parse(document);
    deepEqual(update.protocols, ["MQTT", "HTTP"]);
    equal(`/streams/${update.streamname}`, stream.path);
    equal(update.files[0].filesize, readFileSync(folder.file("v2.bin")).length);
    equal(
      update.files[0].update_data_url,
      // biome-ignore lint/suspicious/noTemplateCurlyInString: AWS's placeholder
      "${aws:iot:s3-presigned-url-v2:https://s3.eu-central-1.amazonaws.com/firmware/xs-ota/one/v2.bin%3FversionId%3Dversion-7}",
    );
  });

  describe("with deltas and the compressed image", () => {
    const v1 = appImage("1.0.0");
    const v2 = appImage("1.1.0");
    const from = ["--from", "p1.bin", "--packed", "--protocol", "mqtt", "http"];
    const delta = `base=${buildIdOf(v1)}`;
    const keys = ["", `.base-${buildIdOf(v1)}.xsp`, ".packed.xsp"].map((end) => `xs-ota/one/p2.bin${end}`);
    const smaller = (...args: string[]) => {
      const [command, deploy, , ...rest] = execute(...from, ...args);
      return [command, deploy, "p2.bin", ...rest];
    };

    before(() => {
      folder.write("p1.bin", v1);
      folder.write("p2.bin", v2);
    });

    /** What was uploaded under each key; the SDK may put checksums around it. */
    const uploaded = (bytes: Uint8Array, key: string) => {
      const put = aws.requests.find(({ path }) => path === `/firmware/${key}`);
      ok(put && (put.body as Buffer).includes(Buffer.from(bytes)), `${key} is not what it should be`);
    };

    it("an OTA update has several files, the image first, each with its object and the image's signature", async () => {
      const text = await folder.good(...smaller());
      ok(text.includes(`${delta}: `) && text.includes("packed: "), text);
      const create = aws.requests.find(({ path }) => path === "/otaUpdates/one")!;
      const { files } = create.body as {
        files: { fileName: string; fileLocation: { s3Location: object }; codeSigning: object }[];
      };
      deepEqual(
        files.map(({ fileName }) => fileName),
        ["/device/updates", `/device/updates;${delta}`, "/device/updates;packed"],
      );
      deepEqual(
        files.map(({ fileLocation }) => fileLocation.s3Location),
        keys.map((key, index) => ({ bucket: "firmware", key, version: `version-${7 + index}` })),
      );
      for (const { codeSigning } of files) deepEqual(codeSigning, files[0].codeSigning);
      uploaded(v2, keys[0]);
      uploaded(deltaOf(v1, v2), keys[1]);
      uploaded(packOf(v2), keys[2]);
    });

    it("AWS Signer signs each file for itself, as its name tells the device", async () => {
      await folder.good(...smaller("--signing-profile", "my_app"));
      const { body } = aws.requests.find(({ path }) => path === "/otaUpdates/one")!;
      const { files } = body as { files: { fileName: string; codeSigning: object }[] };
      deepEqual(
        files.map(({ fileName }) => fileName),
        ["/device/updates", `/device/updates;${delta};signed=file`, "/device/updates;packed;signed=file"],
      );
      for (const { fileName, codeSigning } of files) {
        deepEqual(Object.keys(codeSigning), ["startSigningJobParameter"]);
        ok(variantOf({ filePath: fileName } as JobFile) !== null, `the agent does not know ${fileName}`);
      }
    });

    it("a job has them in one stream, and the agent reads its document so", async () => {
      await folder.good(...smaller("--via", "job"));
      const stream = aws.requests.find(({ path }) => path.startsWith("/streams/"))!;
      deepEqual(
        (stream.body as { files: object[] }).files,
        keys.map((key, fileId) => ({
          fileId,
          s3Location: { bucket: "firmware", key, version: `version-${7 + fileId}` },
        })),
      );
      const made = aws.requests.find(({ method, path }) => method === "PUT" && path === "/jobs/AFR_OTA-one")!;
      const { document } = made.body as { document: string };
      const message = { execution: { jobId: "AFR_OTA-one", jobDocument: JSON.parse(document) } };
      const parsed = parseJob(new TextEncoder().encode(JSON.stringify(message)));
      ok(parsed.kind === "ota", parsed.kind);
      deepEqual(
        parsed.job.files.map((file) => [file.fileId, file.fileSize, variantOf(file)?.base]),
        [
          [0, v2.length, undefined],
          [1, deltaOf(v1, v2).length, buildIdOf(v1)],
          [2, packOf(v2).length, ""],
        ],
      );
      for (const [index, file] of parsed.job.files.entries()) {
        equal(`/streams/${file.streamName}`, stream.path);
        ok(file.url.includes(`/firmware/${keys[index]}%3FversionId%3Dversion-${7 + index}}`), file.url);
        const signature = Buffer.from(file.signature!.bytes).toString("base64");
        ok(
          verifyImage(v2, signature, readFileSync(folder.file("ota-cert.pem"), "utf8")),
          "no signature of the image",
        );
      }
    });

    it("are refused before anything is uploaded: the same base twice, too many, a document AWS does not take", async () => {
      await folder.bad(
        2,
        "two images of --from are the same build",
        ...smaller("--from", "p1.bin", "p1.bin"),
      );
      const many = Array.from({ length: 16 }, () => "p1.bin");
      await folder.bad(2, "--from takes at most 15 images", ...smaller("--from", ...many));
      const names = Array.from({ length: 14 }, (_, n) => `b${n}.bin`);
      for (const [n, name] of names.entries()) folder.write(name, appImage(`0.${n}.0`));
      await folder.bad(
        2,
        "AWS IoT takes 32768: offer fewer bases",
        ...smaller("--from", ...names, "--file-path", "x".repeat(200)),
      );
      deepEqual(aws.requests, []);
    });
  });

  it("ends with 1 when a device fails", async () => {
    aws.statuses = ["FAILED"];
    const { code, stdout } = await folder.run(...execute());
    equal(code, 1);
    ok(stdout.includes("0 of 1 devices SUCCEEDED"), stdout);
    ok(stdout.includes("board  FAILED: the signature is not good\\u001b[2J"), stdout);
  });

  it("rolls out at a rate, with stops, retries and windows, as AWS's model has them", async () => {
    const careful = ["--rollout", "10x1.5/50..200", "--abort", "FAILED:5%/20", "--job-timeout", "60"];
    const [, create] = await plan(...careful, "--group", "beta", "--continuous");
    equal(create.input.targets[1], "arn:aws:iot:eu-central-1:123456789012:thinggroup/beta");
    equal(create.input.targetSelection, "CONTINUOUS");
    deepEqual(create.input.awsJobExecutionsRolloutConfig, {
      maximumPerMinute: 200,
      exponentialRate: {
        ...{ baseRatePerMinute: 10, incrementFactor: 1.5 },
        rateIncreaseCriteria: { numberOfNotifiedThings: 50 },
      },
    });
    await folder.good(...execute(...careful));
    const timed = ["--retries", "FAILED:2,TIMED_OUT:1", "--window", "cron(0 2 ? * MON-FRI *)/120"];
    await folder.bad(
      2,
      "CreateOTAUpdate knows no retries: take --via job",
      ...deploy(...timed, "--job-timeout", "9"),
    );
    await folder.good(...execute("--via", "job", ...careful, ...timed));
    const made = aws.requests.find(({ method, path }) => method === "PUT" && path === "/jobs/AFR_OTA-one")!;
    const { jobExecutionsRetryConfig, schedulingConfig, abortConfig } = made.body as Record<string, unknown>;
    deepEqual(jobExecutionsRetryConfig, {
      criteriaList: [
        { failureType: "FAILED", numberOfRetries: 2 },
        { failureType: "TIMED_OUT", numberOfRetries: 1 },
      ],
    });
    deepEqual(schedulingConfig, {
      maintenanceWindows: [{ startTime: "cron(0 2 ? * MON-FRI *)", durationInMinutes: 120 }],
    });
    ok(abortConfig, "no abortConfig");
  });

  it("watches, lists, cancels, and counts versions", async () => {
    const here = ["--region", "eu-central-1", "--endpoint", aws.url];
    aws.statuses = ["FAILED"];
    const watched = await folder.run("aws", "watch", "AFR_OTA-one", "--poll", "0.05", ...here);
    equal(watched.code, 1);
    ok((await folder.good("aws", "jobs", ...here)).includes("AFR_OTA-one"));
    const shown = await folder.good("aws", "jobs", "AFR_OTA-one", ...here);
    for (const line of [
      "board  FAILED: the signature is not good\\u001b[2J",
      "    Phase       verify",
      "    Went wrong  3 x bad block: a block of another file",
      "                1 x flash lost # bytes",
      "    Log         0 s job, 20480 bytes",
      "                4 s image 2.0.0+aabbccdd",
    ])
      ok(shown.split("\n").includes(line), `${line} is not in ${shown}`);
    equal(
      await folder.good("aws", "cancel", "AFR_OTA-one", "--force", ...here),
      "AFR_OTA-one is cancelled.\n",
    );
    ok(/1\.0\.0\s+2/.test(await folder.good("aws", "versions", ...here)));
  });

  it("asks as seldom for 50,000 devices as for one: once each time, and for the reasons of five of each kind of failure", async () => {
    const here = ["--region", "eu-central-1", "--endpoint", aws.url];
    const end = { SUCCEEDED: 48_000, FAILED: 1200, REJECTED: 500, TIMED_OUT: 300 };
    const described = "GET /jobs/AFR_OTA-one";
    const asked = () => aws.requests.splice(0).map(({ method, path }) => `${method} ${path}`);
    const reasons = ["FAILED", "REJECTED", "TIMED_OUT"].flatMap((status) => [
      `${described}/things`,
      ...[1, 2, 3, 4, 5].map((number) => `GET /things/${status}-${number}/jobs/AFR_OTA-one`),
    ]);
    aws.fleet = [{ QUEUED: 50_000 }, { QUEUED: 20_000, IN_PROGRESS: 10_000, SUCCEEDED: 20_000 }, end];
    const watched = await folder.run("aws", "watch", "AFR_OTA-one", "--poll", "0.05", ...here);
    equal(watched.code, 1, watched.stderr);
    for (const line of [
      "IN_PROGRESS: 20000 QUEUED, 10000 IN_PROGRESS, 20000 SUCCEEDED",
      "48000 of 50000 devices SUCCEEDED",
    ])
      ok(watched.stdout.split("\n").includes(line), watched.stdout);
    deepEqual(asked(), [described, described, described, ...reasons]);
    const shown = await folder.good("aws", "jobs", "AFR_OTA-one", ...here);
    ok(shown.includes("TIMED_OUT-5  TIMED_OUT: "), shown);
    deepEqual(asked(), [described, ...reasons]);
    await folder.good("aws", "jobs", "--limit", "250", ...here);
    await folder.good("aws", "versions", ...here);
    deepEqual(asked(), ["GET /jobs", "POST /indices/buckets"]);
  });

  it("passes on in one line what AWS refuses", async () => {
    aws.refuse = /otaUpdates/;
    await folder.bad(1, "CreateOTAUpdate: UnauthorizedException: not for you", ...execute());
    aws.refuse = undefined;
    aws.versioned = false;
    await folder.bad(1, "the bucket firmware keeps no versions", ...execute());
  });

  it("stops waiting after --timeout, and at Ctrl-C with 130", async () => {
    aws.statuses = ["IN_PROGRESS"];
    await folder.bad(1, "the time is up: AFR_OTA-one goes on", ...execute("--timeout", "0.3"));
    const here = ["--region", "eu-central-1", "--endpoint", aws.url];
    const watch = folder.start("aws", "watch", "AFR_OTA-one", ...here);
    await watch.until(/IN_PROGRESS/);
    const { code, stdout } = await watch.stop("SIGINT");
    equal(code, 130);
    ok(stdout.endsWith("Stopped: AFR_OTA-one goes on.\n"), stdout);
  });

  it("refuses unusable options in one line", async () => {
    await folder.bad(
      2,
      "required option '--bucket",
      "aws",
      "deploy",
      "v2.bin",
      "--role",
      ROLE,
      "--region",
      "x",
    );
    await folder.bad(2, "It must be an ARN such as arn:aws:iam", ...deploy("--role", "ota"));
    await folder.bad(2, "It must be an ARN such as arn:aws:iot", ...deploy("--target", "board"));
    await folder.bad(2, "It must have 1 to 56 characters", ...deploy("--update-id", "a b"));
    await folder.bad(2, "there is no key in none.pem", ...deploy("--key", "none.pem"));
    await folder.bad(2, "name devices with", "aws", "deploy", "v2.bin", ...OPTIONS.slice(0, 6));
  });

  it("explains itself, and says how it was tested", async () => {
    const text = (await folder.good("aws", "deploy", "--help")).replace(/\s+/g, " ");
    ok(text.includes("Examples: "), text);
    ok(text.includes("stand-in that checks requests, not against AWS itself"), text);
  });
});
