/**
 * Deliberate faults in the development service: where it is kinder than AWS IoT, a fault of the agent hides.
 * @module
 */
import { type Mutation, mutations } from "./mutation.js";

export const SERVICE: readonly Mutation[] = [
  ...mutations(
    "service/jobs.ts",
    ["test/unit/service-jobs.test.ts"],
    [
      [
        "versions are not counted",
        "const versionNumber = execution.versionNumber + 1;",
        "const { versionNumber } = execution;",
      ],
      [
        "a deadline passes unnoticed",
        'this.transact(thingName, () => this.change(current, { status: "TIMED_OUT" }));',
        "void current;",
      ],
      ["a job may be created twice", "if (this.#jobs.has(job.jobId))", "if (false)"],
      [
        "a cancelled job can be cancelled again",
        'if (job.status !== "IN_PROGRESS" && job.status !== "SCHEDULED")',
        "if (false)",
      ],
      [
        "an execution in progress is cancelled without force",
        "(force && execution.status",
        "(execution.status",
      ],
      ["those in progress do not come first", 'execution.status === "IN_PROGRESS" ? 0 : 1', "0"],
      ["a failure is never retried", 'if (now === "IN_PROGRESS" && used < allowed) {', "if (used > 1e9) {"],
      [
        "a failure is retried for ever",
        'if (now === "IN_PROGRESS" && used < allowed) {',
        "if (allowed > 0) {",
      ],
      [
        "an ended execution keeps its deadline",
        "stepDeadline: ended ? undefined : stepDeadline",
        "stepDeadline",
      ],
      [
        "nobody is notified of the next job",
        "if ((first && key(first)) === (before[0] && key(before[0]))) return;",
        "return;",
      ],
      [
        "everybody is notified of every change",
        "if ((first && key(first)) === (before[0] && key(before[0]))) return;",
        "",
      ],
      ["a job is never complete", 'this.#keep({ ...job, status: "COMPLETED", lastUpdatedAt: now });', ";"],
      [
        "details are merged unasked",
        "change.statusDetails && !this.mergeDetails ?",
        "change.statusDetails && false ?",
      ],
    ],
  ),
  ...mutations(
    "service/job-requests.ts",
    ["test/unit/service-jobs.test.ts"],
    [
      [
        "an expected version is not compared",
        "if (expectedVersion !== undefined && expectedVersion !== execution.versionNumber)",
        "if (false)",
      ],
      ["an ended execution can be changed", "if (isTerminal(execution.status) || late)", "if (late)"],
      [
        "REJECTED is taken once started",
        "if (isTerminal(execution.status) || late)",
        "if (isTerminal(execution.status))",
      ],
      [
        "any status is reported",
        'if (typeof status !== "string" || !REPORTABLE.includes(status))',
        'if (typeof status !== "string")',
      ],
      ["an execution begins twice", 'if (next.status === "QUEUED")\n    next =', "next ="],
      ["a client token may be anything", "checkString(clientToken, STRINGS.clientToken);", ""],
      ["any payload is an object", "|| Array.isArray(body))", ")"],
      [
        "an ended execution is described",
        "if (isTerminal(execution.status))\n    throw",
        "if (false)\n    throw",
      ],
    ],
  ),
  ...mutations(
    "service/streams.ts",
    ["test/unit/service-streams.test.ts"],
    [
      ["a stream may have no file", "files.length < 1 || ", ""],
      ["file ids may be used twice", " || etags.has(fileId)", ""],
      ["a file may be of any size", "byteLength < 1 || byteLength > FILE_SIZE_LIMIT", "byteLength < 1"],
      ["a stream may be created twice", "if (this.#streams.has(streamId))\n", "if (false)\n"],
      ["a new version keeps its number", "stream.version + 1", "stream.version"],
    ],
  ),
  ...mutations(
    "service/signer.ts",
    ["test/node/service-signer.test.ts"],
    [
      [
        "any curve signs",
        'key.asymmetricKeyType === "ec" && namedCurve === "prime256v1"',
        'key.asymmetricKeyType === "ec"',
      ],
      [
        "any length of an RSA key signs",
        "(modulusLength === 2048 || modulusLength === 3072)",
        "(modulusLength ?? 0) > 0",
      ],
      [
        "every signature is good",
        'return verify("sha256", image, key, Buffer.from(signature, "base64"));',
        "return true;",
      ],
    ],
  ),
];
