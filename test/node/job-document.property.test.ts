/**
 * Job documents: whatever comes in, an answer comes out.
 * @module
 */
import { equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { type ParsedJob, parseJob } from "../../src/control/job-document.js";
import { OtaError } from "../../src/errors.js";

const KINDS = ["none", "ota", "custom", "invalid"];

function check(parsed: ParsedJob): void {
  ok(KINDS.includes(parsed.kind));
  if (parsed.kind === "invalid") {
    ok(parsed.error instanceof OtaError);
    ok(
      ["job-parser", "data-protocol", "bad-base64", "bad-utf8"].includes(parsed.error.code),
      parsed.error.code,
    );
  }
  const jobId = parsed.kind === "ota" ? parsed.job.jobId : parsed.kind === "none" ? undefined : parsed.jobId;
  if (jobId !== undefined) ok(/^[a-zA-Z0-9_-]{1,72}$/.test(jobId));
  if (parsed.kind !== "ota") return;
  const { files, protocols } = parsed.job;
  ok(files.length > 0 && protocols.length > 0);
  for (const file of files) {
    ok(Number.isInteger(file.fileSize) && file.fileSize >= 1 && file.fileSize <= 0xffffffff);
    ok(Number.isInteger(file.fileId) && file.fileId >= 0 && file.fileId <= 255);
    ok(/^[a-zA-Z0-9_-]{0,128}$/.test(file.streamName));
    ok((file.signature?.bytes.length ?? 0) <= 512);
  }
}

/** Any JSON value, with the keys and the values of job documents more often than chance has them. */
const { tree: json } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { depthSize: "medium", withCrossShrink: true },
    fc.constantFrom(
      0,
      1,
      9000,
      -1,
      1.5,
      2 ** 53,
      "",
      "0x10",
      "MQTT",
      "HTTP",
      "a/b",
      "Zm9v",
      "AFR_OTA-1",
      null,
      true,
    ),
    fc.jsonValue({ maxDepth: 1 }),
    fc.array(tie("tree"), { maxLength: 3 }),
    fc.dictionary(
      fc.constantFrom(
        ...[
          "clientToken",
          "execution",
          "jobId",
          "statusDetails",
          "self_test",
          "updatedBy",
          "executionNumber",
        ],
        ...["jobDocument", "afr_ota", "protocols", "streamname", "files", "filesize", "fileid", "filepath"],
        ...["certfile", "fileType", "update_data_url", "sig-sha256-ecdsa", "__proto__", "constructor"],
      ),
      tie("tree"),
      { maxKeys: 6 },
    ),
  ),
}));

const parse = (text: string) => parseJob(new TextEncoder().encode(text));

describe("job documents, generated", () => {
  it("any JSON gives an answer", () =>
    fc.assert(
      fc.property(json, (value) => check(parse(JSON.stringify(value)))),
      { numRuns: 3000 },
    ));

  it("any value at any place of a good document gives an answer", () => {
    const good = () => ({
      clientToken: "t",
      execution: {
        jobId: "j",
        executionNumber: 1,
        statusDetails: { self_test: "ready", updatedBy: "0x1" },
        jobDocument: {
          afr_ota: {
            protocols: ["MQTT", "HTTP"],
            streamname: "s",
            files: [
              {
                filepath: "/",
                filesize: 1,
                fileid: 0,
                certfile: "c",
                "sig-sha256-ecdsa": "Zm9v",
                update_data_url: "u",
              },
            ],
          },
        },
      },
    });
    type Node = Record<string, unknown>;
    const places: string[][] = [];
    const walk = (value: unknown, path: string[]) => {
      places.push(path);
      if (typeof value === "object" && value !== null)
        for (const [key, inner] of Object.entries(value)) walk(inner, [...path, key]);
    };
    walk(good(), []);
    equal(parse(JSON.stringify(good())).kind, "ota");
    fc.assert(
      fc.property(fc.constantFrom(...places.slice(1)), json, (path, value) => {
        const document = good();
        let node = document as unknown as Node;
        for (const key of path.slice(0, -1)) node = node[key] as Node;
        node[path.at(-1) as string] = value;
        check(parse(JSON.stringify(document)));
      }),
      { numRuns: 3000 },
    );
  });

  it("any text and any bytes give an answer", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => check(parse(text))));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => check(parseJob(bytes))));
  });
});
