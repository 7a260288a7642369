/**
 * Messages of AWS IoT Jobs. Nothing may be thrown, and nothing may come out that could name another topic.
 * @module
 */

import { parseJob } from "../../../src/control/job-document.js";
import { OtaError } from "../../../src/errors.js";
import { ascii } from "../../support/hex.js";
import type { Random } from "../random.js";
import { type FuzzTarget, must, refused, TAKEN } from "../target.js";

const CODES = ["job-parser", "data-protocol", "bad-base64", "bad-utf8"];

/** Values as they stand in JSON, some of them in none. */
const VALUES = [
  ...[
    "0",
    "1",
    "9000",
    "-1",
    "-0",
    "1.5",
    "1e999",
    "9007199254740993",
    "4294967295",
    "4294967296",
    "null",
    "true",
  ],
  ...[
    '""',
    '"a/b"',
    '"+"',
    '"#"',
    '"0x10"',
    '"010"',
    '"AFR_OTA-1"',
    '"MQTT"',
    '"HTTP"',
    '"Zm9v"',
    '"Zm9v="',
    "[]",
  ],
  ...[
    "{}",
    "[[[[[[[[]]]]]]]]",
    '"\\u0000"',
    '"\\ud800"',
    '"\\uD83D\\uDE80"',
    '{"__proto__":{"filesize":1}}',
    "NaN",
  ],
  ...[
    '"http://h/f\\r\\nX: y"',
    '{"constructor":{"prototype":{}}}',
    '["MQTT","HTTP"]',
    `"${"x".repeat(73)}"`,
    '"\xff"',
  ],
];
const NAMES = [
  ...[
    "clientToken",
    "timestamp",
    "execution",
    "jobId",
    "statusDetails",
    "self_test",
    "updatedBy",
    "executionNumber",
  ],
  ...[
    "jobDocument",
    "afr_ota",
    "protocols",
    "streamname",
    "files",
    "filesize",
    "fileid",
    "filepath",
    "certfile",
  ],
  ...[
    "fileType",
    "update_data_url",
    "sig-sha256-ecdsa",
    "sig-sha256-rsa",
    "sig-sha1-rsa",
    "__proto__",
    "constructor",
  ],
];

/** A member of a job message: usually itself, sometimes missing, twice, renamed, or something else. */
function member(random: Random, name: string, good: () => string): string[] {
  if (random.oneIn(25)) return [];
  const key = random.oneIn(60) ? random.pick(NAMES) : name;
  const one = () => `"${key}":${random.oneIn(25) ? value(random, 0) : good()}`;
  return random.oneIn(60) ? [one(), one()] : [one()];
}

function value(random: Random, depth: number): string {
  const kind = depth > 6 ? 0 : random.below(6);
  if (kind < 4) return random.pick(VALUES);
  const parts: string[] = [];
  for (let n = random.below(4); n > 0; n--)
    parts.push((kind === 4 ? "" : `"${random.pick(NAMES)}":`) + value(random, depth + 1));
  return kind === 4 ? `[${parts}]` : `{${parts}}`;
}

function generate(random: Random): Uint8Array {
  const object = (...members: string[][]) => `{${members.flat().join(",")}}`;
  const file = () =>
    object(
      member(random, "filepath", () => '"/"'),
      member(random, "filesize", () => random.pick(["1", "9000", '"9000"', "4294967295"])),
      member(random, "fileid", () => String(random.below(256))),
      member(random, "certfile", () => '"cert.pem"'),
      member(random, "fileType", () => "0"),
      member(random, "update_data_url", () => '"https://h/f?X=y"'),
      member(
        random,
        random.pick(["sig-sha256-ecdsa", "sig-sha256-rsa", "sig-sha1-rsa"]),
        () => '"MAYCAQECAQE="',
      ),
    );
  const files = () => `[${Array.from({ length: random.oneIn(4) ? random.below(4) : 1 }, file)}]`;
  const ota = () =>
    object(
      member(random, "protocols", () => random.pick(['["MQTT"]', '["HTTP"]', '["MQTT","HTTP"]', '["COAP"]'])),
      member(random, "streamname", () => '"AFR_OTA-XYZ"'),
      member(random, "files", files),
    );
  const execution = () =>
    object(
      member(random, "jobId", () => '"AFR_OTA-job1"'),
      member(random, "executionNumber", () => "1"),
      member(random, "statusDetails", () => '{"self_test":"ready","updatedBy":"0x01000000"}'),
      member(random, "jobDocument", () => object(member(random, "afr_ota", ota))),
    );
  const message = object(
    member(random, "clientToken", () => '"0:thing-1"'),
    member(random, "timestamp", () => "1700000000"),
    member(random, "execution", execution),
  );
  return ascii(random.oneIn(100) ? `${"[".repeat(random.below(200))}${message}` : message);
}

/** Enough of one to be taken; the rest comes by generation. */
const GOOD =
  '{"clientToken":"0:thing-1","timestamp":1700000000,"execution":{"jobId":"AFR_OTA-job1","status":"QUEUED",' +
  '"executionNumber":1,"statusDetails":{"self_test":"ready","updatedBy":"0x01000000"},"jobDocument":{"afr_ota":' +
  '{"protocols":["MQTT"],"streamname":"AFR_OTA-XYZ","files":[{"filepath":"/","filesize":9000,"fileid":0,' +
  '"certfile":"cert.pem","fileType":0,"update_data_url":"https://h/f","sig-sha256-ecdsa":"MAYCAQECAQE="}]}}}}';

export const jobDocument: FuzzTarget = {
  name: "job-document",
  corpus: [
    ascii(GOOD),
    ascii('{"timestamp":1}'),
    ascii('{"clientToken":"t","timestamp":1}'),
    ascii('{"execution":{"jobId":"a","jobDocument":{"reboot":true}}}'),
    ascii(`${'{"a":'.repeat(40)}1${"}".repeat(40)}`),
  ],
  dictionary: [...VALUES, ...NAMES.map((name) => `"${name}":`), "{", "}", "[", "]", ",", '\\"', "\\u"].map(
    ascii,
  ),
  generate,
  run(input) {
    const parsed = parseJob(input);
    const jobId =
      parsed.kind === "ota" ? parsed.job.jobId : parsed.kind === "none" ? undefined : parsed.jobId;
    must(jobId === undefined || /^[a-zA-Z0-9_-]{1,72}$/.test(jobId), "a job id is one level of a topic");
    must(({} as Record<string, unknown>)["filesize"] === undefined, "no prototype is changed");
    if (parsed.kind === "invalid") {
      must(
        parsed.error instanceof OtaError && CODES.includes(parsed.error.code),
        "the error is one for job documents",
      );
      return refused(parsed.error);
    }
    if (parsed.kind !== "ota") return parsed.kind;
    const { files, protocols } = parsed.job;
    must(files.length > 0 && protocols.length > 0, "there are files and protocols");
    for (const { fileId, fileSize, fileType, streamName, url, signature } of files) {
      must(
        Number.isInteger(fileSize) && fileSize > 0 && fileSize <= 0xffffffff,
        "a file size is from 1 to 2^32 − 1",
      );
      for (const number of [fileId, fileType])
        must(Number.isInteger(number) && number >= 0 && number < 256 && !Object.is(number, -0), "a byte");
      must(/^[a-zA-Z0-9_-]{0,128}$/.test(streamName), "a stream name is one level of a topic");
      must(!/[\s\0]/.test(url), "a URL stays on its line");
      must(
        signature === undefined || (signature.bytes.length > 0 && signature.bytes.length <= 512),
        "a signature has bytes",
      );
    }
    return TAKEN;
  },
};
