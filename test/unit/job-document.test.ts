import { encodeUtf8 } from "../../src/bytes.js";
import { type OtaJob, type ParsedJob, parseJob, parseReply } from "../../src/control/job-document.js";
import { OtaError } from "../../src/errors.js";
import { deepEqual, equal, ok, throws } from "../support/assert.js";
import { ascii, concat, hex } from "../support/hex.js";

type Json = Record<string, unknown>;

const DER =
  "MEQCIBERERERERERERERERERERERERERERERERERERERERERAiAiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIg==";

const file = (change: Json = {}): Json => ({
  filepath: "/device/updates",
  filesize: 9000,
  fileid: 0,
  certfile: "cert.pem",
  fileType: 0,
  "sig-sha256-ecdsa": DER,
  ...change,
});

const ota = (change: Json = {}): Json => ({
  protocols: ["MQTT"],
  streamname: "AFR_OTA-XYZ",
  files: [file()],
  ...change,
});

const execution = (change: Json = {}): Json => ({
  jobId: "AFR_OTA-job1",
  status: "QUEUED",
  queuedAt: 1,
  lastUpdatedAt: 1,
  versionNumber: 1,
  executionNumber: 1,
  jobDocument: { afr_ota: ota() },
  ...change,
});

const envelope = (change: Json = {}): Json => ({
  clientToken: "0:thing-1",
  timestamp: 1700000000,
  execution: execution(),
  ...change,
});

const parseText = (message: string) => parseJob(encodeUtf8(message));
const parse = (value: unknown) => parseText(JSON.stringify(value));
const parseOta = (change: Json) =>
  parse(envelope({ execution: execution({ jobDocument: { afr_ota: ota(change) } }) }));
const parseFile = (change: Json) => parseOta({ files: [file(change)] });

function job(parsed: ParsedJob): OtaJob {
  if (parsed.kind === "invalid") throw parsed.error;
  if (parsed.kind !== "ota") throw new Error(`kind is ${parsed.kind}`);
  return parsed.job;
}

/** Asserts that a job is refused with `code`, under the right id; null when there is none. */
function invalid(parsed: ParsedJob, code = "job-parser", jobId: string | null = "AFR_OTA-job1"): void {
  if (parsed.kind !== "invalid") throw new Error(`kind is ${parsed.kind}`);
  ok(parsed.error instanceof OtaError);
  equal(parsed.error.code, code as "job-parser", parsed.error.message);
  equal(parsed.error.phase, "job");
  equal(parsed.jobId ?? null, jobId);
}

/** A message built as text, for what JSON.stringify cannot write. */
const raw = (text: string, from: string, to: string) => {
  if (!text.includes(from)) throw new Error(`no ${from} in the message`);
  return parseText(text.replace(from, to));
};
const text = JSON.stringify(envelope());

describe("job document: an OTA job", () => {
  it("gives everything the document says", () => {
    const parsed = parse(envelope({ execution: execution({ statusDetails: { self_test: "ready" } }) }));
    equal(parsed.kind, "ota");
    equal(parsed.clientToken, "0:thing-1");
    const { document, files, ...rest } = job(parsed);
    deepEqual(rest, {
      jobId: "AFR_OTA-job1",
      executionNumber: 1,
      progress: { selfTest: true, updatedBy: undefined, image: "", payload: "" },
      protocols: ["MQTT"],
    });
    equal(document, JSON.stringify({ afr_ota: ota() }));
    const digits = "11".repeat(32);
    deepEqual(files, [
      {
        fileId: 0,
        fileSize: 9000,
        fileType: 0,
        filePath: "/device/updates",
        certFile: "cert.pem",
        signature: {
          algorithm: "sig-sha256-ecdsa",
          bytes: hex(`30440220${digits}0220${digits.replace(/1/g, "2")}`),
        },
        streamName: "AFR_OTA-XYZ",
        url: "",
      },
    ]);
  });

  it("may come without a client token, as in notify-next", () =>
    equal(parse(envelope({ clientToken: undefined })).clientToken, undefined));

  it("gives an HTTP job", () => {
    const url = `https://bucket.s3.amazonaws.com/fw.bin?X-Amz-Signature=${"0123456789abcdef".repeat(300)}`;
    const parsed = job(
      parseOta({ protocols: ["HTTP"], streamname: undefined, files: [file({ update_data_url: url })] }),
    );
    deepEqual(parsed.protocols, ["HTTP"]);
    equal(parsed.files[0].url, url);
    equal(parsed.files[0].streamName, "");
  });

  it("gives both protocols in the order of preference, whatever theirs", () => {
    const change = { files: [file({ update_data_url: "http://h/f" })] };
    deepEqual(job(parseOta({ ...change, protocols: ["HTTP", "MQTT"] })).protocols, ["MQTT", "HTTP"]);
  });

  it("drops protocols it does not know, and double ones", () =>
    deepEqual(job(parseOta({ protocols: ["COAP", "MQTT", 7, null, "MQTT"] })).protocols, ["MQTT"]));

  it("gives every file", () => {
    const files = Array.from({ length: 50 }, (_, fileid) => file({ fileid, filesize: fileid + 1 }));
    const parsed = job(parseOta({ files }));
    equal(parsed.files.length, 50);
    equal(parsed.files[49].fileId, 49);
    equal(parsed.files[49].fileSize, 50);
  });

  const numbers: [string, Json, "fileId" | "fileSize" | "fileType", number][] = [
    ["the smallest size", { filesize: 1 }, "fileSize", 1],
    ["the largest size", { filesize: 4294967295 }, "fileSize", 4294967295],
    ["a size as text", { filesize: "9000" }, "fileSize", 9000],
    ["a size as hexadecimal text", { filesize: "0x2328" }, "fileSize", 9000],
    ["the largest file id", { fileid: 255 }, "fileId", 255],
    ["a file id as text", { fileid: "0" }, "fileId", 0],
    ["no file type", { fileType: undefined }, "fileType", 0],
    ["the largest file type", { fileType: 255 }, "fileType", 255],
    ["a file type as text", { fileType: "12" }, "fileType", 12],
  ];
  for (const [name, change, key, value] of numbers)
    it(`takes ${name}`, () => equal(job(parseFile(change)).files[0][key], value));

  it("takes a number with a fraction of zero", () =>
    equal(job(raw(text, '"filesize":9000', '"filesize":9.0e3')).files[0].fileSize, 9000));

  it("takes a file without path and certificate", () => {
    const { files } = job(parseFile({ filepath: undefined, certfile: undefined }));
    equal(files[0].filePath, "");
    equal(files[0].certFile, "");
  });

  it("takes an RSA signature", () => {
    const { signature } = job(parseFile({ "sig-sha256-ecdsa": undefined, "sig-sha256-rsa": "Zm9v" }))
      .files[0];
    deepEqual(signature, { algorithm: "sig-sha256-rsa", bytes: ascii("foo") });
  });

  it("takes the longest signature, with line ends", () => {
    const encoded = `${`${"A".repeat(64)}\r\n`.repeat(10)}${"A".repeat(43)}=`;
    const { signature } = job(parseFile({ "sig-sha256-ecdsa": undefined, "sig-sha256-rsa": encoded }))
      .files[0];
    equal(signature?.bytes.length, 512);
  });

  it("remembers the name of a signature it does not know", () => {
    const [parsed] = job(parseFile({ "sig-sha256-ecdsa": undefined, "sig-sha1-rsa": "Zm9v" })).files;
    equal(parsed.signature, undefined);
    equal(parsed.unknownSignature, "sig-sha1-rsa");
  });

  for (const [name, value] of [
    ["missing", undefined],
    ["empty", ""],
  ] as const)
    it(`takes a file whose signature is ${name}: it is refused later`, () => {
      const [parsed] = job(parseFile({ "sig-sha256-ecdsa": value })).files;
      equal(parsed.signature, undefined);
      equal(parsed.unknownSignature, undefined);
    });

  it("does not keep a signature from one file for the next", () =>
    equal(
      job(parseOta({ files: [file(), file({ fileid: 1, "sig-sha256-ecdsa": undefined })] })).files[1]
        .signature,
      undefined,
    ));

  for (const length of [1, 64, 72])
    it(`takes a job id of ${length} characters`, () => {
      const jobId = "aZ09_-".repeat(12).slice(0, length);
      equal(job(parse(envelope({ execution: execution({ jobId }) }))).jobId, jobId);
    });

  it("takes a stream name of 128 characters", () =>
    equal(job(parseOta({ streamname: "s".repeat(128) })).files[0].streamName.length, 128));

  it("ignores keys it does not know", () => {
    const change = { attr: 3, auth_scheme: "aws.s3.presigned", other: [{}] };
    equal(job(parseOta({ files: [file(change)], extra: {} })).files.length, 1);
  });

  it("takes the executionNumber as text, and does without it", () => {
    equal(job(parse(envelope({ execution: execution({ executionNumber: "3" }) }))).executionNumber, 3);
    equal(
      job(parse(envelope({ execution: execution({ executionNumber: undefined }) }))).executionNumber,
      undefined,
    );
  });

  it("takes a document nested 32 deep", () => {
    const deep = `${"[".repeat(29)}${"]".repeat(29)}`;
    equal(raw(text, '"jobDocument":{', `"jobDocument":{"deep":${deep},`).kind, "ota");
  });

  it("does not count brackets inside strings", () =>
    equal(raw(text, '"jobDocument":{', `"jobDocument":{"deep":"\\"${"[{".repeat(100)}\\\\",`).kind, "ota"));

  it("takes a message of 40 KB", () => {
    const filler = "x".repeat(40960 - text.length - '"filler":"",'.length);
    equal(raw(text, '"jobDocument":{', `"jobDocument":{"filler":"${filler}",`).kind, "ota");
  });
});

describe("job document: statusDetails", () => {
  const progress = (statusDetails: unknown) =>
    job(parse(envelope({ execution: execution({ statusDetails }) }))).progress;
  const none = { selfTest: false, updatedBy: undefined, image: "", payload: "" };

  it("may be absent", () => deepEqual(progress(undefined), none));
  it("may be empty", () => deepEqual(progress({}), none));
  for (const value of [null, "text", 7, []])
    it(`counts as absent when it is ${JSON.stringify(value)}`, () => deepEqual(progress(value), none));

  for (const value of ["ready", "active", "", true])
    it(`says self-test whatever its value, as the original: ${JSON.stringify(value)}`, () =>
      equal(progress({ self_test: value }).selfTest, true));

  it("of a job made anew under its name with another file mean nothing to this one", () => {
    const read = (statusDetails: Json, signature: string) => {
      const jobDocument = { afr_ota: ota({ files: [file({ "sig-sha256-ecdsa": signature })] }) };
      return job(parse(envelope({ execution: execution({ jobDocument, statusDetails }) }))).progress;
    };
    const details = { self_test: "ready", image: "1.1.0+aa", file: "02030405" };
    const [its, another] = ["MAECAwQF", "MAECAwQG"] as const;
    equal(read(details, its).selfTest, true);
    equal(read(details, another).selfTest, false);
    equal(read({ ...details, file: undefined }, another).selfTest, true, "other agents do not tell");
  });

  it("gives the version that performed the update", () => {
    equal(progress({ updatedBy: "0x01000001" }).updatedBy, 0x01000001);
    equal(progress({ updatedBy: "0xFFFFFFFF" }).updatedBy, 0xffffffff);
    equal(progress({ updatedBy: "16777217" }).updatedBy, 0x01000001);
    equal(progress({ updatedBy: 16777217 }).updatedBy, 0x01000001);
  });

  for (const updatedBy of [
    "  v1.0.0",
    "0x100000000",
    "0x",
    "0x1g",
    "-1",
    "",
    " 1",
    "01",
    "1e3",
    null,
    1.5,
    [1],
  ])
    it(`counts updatedBy as absent when it is ${JSON.stringify(updatedBy)}`, () =>
      equal(progress({ updatedBy }).updatedBy, undefined));

  it("gives the image", () => equal(progress({ image: "1.2.3 1d836654" }).image, "1.2.3 1d836654"));
  it("counts an image as absent that is no text", () => equal(progress({ image: 7 }).image, ""));
  it("does not inherit", () => deepEqual(progress({ toString: "x", constructor: "y" }), none));
});

describe("job document: no job", () => {
  const none: [string, Json][] = [
    ["only client token and time", { clientToken: "0:thing-1", timestamp: 1 }],
    ["only the time, as notify-next", { timestamp: 1 }],
    ["an empty execution", { timestamp: 1, execution: {} }],
    ["no execution", { execution: null }],
    ["an empty object", {}],
  ];
  for (const [name, message] of none)
    it(`is ${name}`, () =>
      deepEqual(parse(message), { kind: "none", clientToken: message["clientToken"] as string | undefined }));

  it("has no client token when that is no text", () =>
    deepEqual(parse({ clientToken: 7 }), { kind: "none", clientToken: undefined }));
});

describe("job document: a job that is not OTA", () => {
  for (const document of [{ operation: "reboot" }, {}, [1, 2], "text", 7, false])
    it(`is left to the application: ${JSON.stringify(document)}`, () =>
      deepEqual(parse(envelope({ execution: execution({ jobDocument: document }) })), {
        kind: "custom",
        clientToken: "0:thing-1",
        jobId: "AFR_OTA-job1",
        executionNumber: 1,
        document: JSON.stringify(document),
      }));

  it("is not made OTA by an inherited afr_ota", () => {
    const document = '{"__proto__":{"afr_ota":{}}}';
    equal(raw(text, JSON.stringify({ afr_ota: ota() }), document).kind, "custom");
  });
});

describe("job document: not to be carried out", () => {
  const withoutJob: [string, string | Uint8Array][] = [
    ["nothing", ""],
    ["no JSON", "hello"],
    ["an array", `[${text}]`],
    ["a text", '"text"'],
    ["a number", "7"],
    ["null", "null"],
    ["an execution that is a text", '{"execution":"x"}'],
    ["an execution that is an array", '{"execution":[]}'],
    ["an execution without job id", '{"execution":{"status":"QUEUED"}}'],
    ["UTF-8 with an overlong quote", concat(ascii('{"execution":{"jobId":"a'), hex("c0a2"), ascii("}}"))],
    ["a byte order mark", concat(hex("efbbbf"), ascii(text))],
    ["a lone surrogate", concat(ascii('{"execution":{"jobId":"'), hex("eda080"), ascii('"}}'))],
    ["a job id that is cut", text.slice(0, text.indexOf("job1"))],
    ["more than 40 KB", `${text}${" ".repeat(40960)}`],
    ["more than 40 KB of bytes in fewer characters", `{"a":"${"€".repeat(15000)}"}`],
    ["nesting of 33", `${'{"a":'.repeat(33)}0${"}".repeat(33)}`],
    ["a bomb of arrays", "[".repeat(40000)],
    ["a bomb of objects", '{"a":'.repeat(8000)],
    ["a bomb behind a quote that is none", `{"a\\"":${"[".repeat(40000)}`],
  ];
  for (const [name, message] of withoutJob)
    it(`${name}: there is nobody to report to`, () => {
      const parsed = typeof message === "string" ? parseText(message) : parseJob(message);
      if (parsed.kind !== "invalid") throw new Error(`kind is ${parsed.kind}`);
      equal(parsed.jobId, undefined);
      ok(parsed.error.code === "job-parser" || parsed.error.code === "bad-utf8", parsed.error.code);
    });

  for (const jobId of [
    "",
    "a/b",
    "a+b",
    "a#",
    "$next",
    "../x",
    "a b",
    "ä",
    "a\0",
    "a\n",
    "x".repeat(73),
    7,
    null,
    ["a"],
    {},
  ])
    it(`the job id ${JSON.stringify(jobId)}, which could name another topic`, () =>
      invalid(parse(envelope({ execution: execution({ jobId }) })), "job-parser", null));

  /** The message with a document that is no object of JSON alone. */
  const withDocument = (document: string | Uint8Array) => {
    const [before, behind] = text.split(JSON.stringify({ afr_ota: ota() }));
    const bytes = typeof document === "string" ? encodeUtf8(document) : document;
    return concat(ascii(before), bytes, ascii(behind));
  };
  const unreadable: [string, Uint8Array, string?][] = [
    ["cut JSON", ascii(text.slice(0, -1))],
    ["a cut document", ascii(text.slice(0, text.indexOf("protocols")))],
    ["JSON with something behind it", ascii(`${text}x`)],
    ["a NUL behind it", ascii(`${text}\0`)],
    ["a byte behind it that is no UTF-8", concat(ascii(text), hex("ff"))],
    ["nesting of 33", withDocument(`${'{"a":'.repeat(31)}0${"}".repeat(31)}`)],
    ["a bomb of arrays", withDocument("[".repeat(40000))],
    ["a bomb of objects", withDocument('{"a":'.repeat(8000))],
    ["no JSON", withDocument("reboot")],
    ["the JSON of JavaScript", withDocument("{operation:'reboot'}")],
    ["a comma too many", withDocument('{"a":1,}')],
    ["an element missing", withDocument("[1,,2]")],
    ["a number with leading zeros", withDocument('{"a":01}')],
    ["an escape that is none", withDocument('{"a":"\\x41"}')],
    ["a control character in a text", withDocument('{"a":"\n"}')],
    [
      "a text that is no UTF-8",
      withDocument(concat(ascii('{"a":"'), hex("eda080"), ascii('"}'))),
      "bad-utf8",
    ],
    ["a bracket closed by a brace", withDocument('{"a":[1}]')],
  ];
  for (const [name, message, code] of unreadable)
    it(`${name}: reported to the job, which had no end before`, () => invalid(parseJob(message), code));

  it("what is not JSON is not read on behind the fault, where another job might be named", () =>
    invalid(
      parseText('{"execution":{"jobId":"a","jobDocument":}},"execution":{"jobId":"b"}}'),
      "job-parser",
      "a",
    ));

  it("a text in place of an object is no object, and takes no time (13 s of XS at 32 KB before)", () => {
    const long = "A".repeat(39000);
    equal(parse(envelope({ execution: execution({ jobDocument: long }) })).kind, "custom");
    equal(parse(envelope({ execution: execution({ statusDetails: long }) })).kind, "ota");
    invalid(parse(envelope({ execution: execution({ jobDocument: { afr_ota: long } }) })));
    invalid(parseOta({ files: [long] }));
    invalid(parse(envelope({ execution: long })), "job-parser", null);
  });

  it("texts longer than anybody needs are not read", () => {
    equal(job(parseFile({ update_data_url: `http://h/${"x".repeat(8000)}` })).files[0].url.length, 8009);
    invalid(parseFile({ update_data_url: `http://h/${"x".repeat(8200)}` }));
    equal(job(parseFile({ certfile: "c".repeat(1024) })).files[0].certFile.length, 1024);
    invalid(parseFile({ certfile: "c".repeat(1025) }));
    invalid(parseFile({ filepath: "/".repeat(1025) }));
  });

  it("more files than AWS IoT makes jobs of", () => {
    equal(job(parseOta({ files: Array(50).fill(file()) })).files.length, 50);
    invalid(parseOta({ files: Array(51).fill(file()) }));
  });

  it("takes names in escapes, and the last of two members of the same name", () => {
    equal(raw(text, '"jobId"', '"job\\u0049d"').kind, "ota");
    equal(job(raw(text, '"fileid":0', '"fileid":1,"fileid":2,"file\\u0069d":3')).files[0].fileId, 3);
  });

  it("keeps the client token of a job without usable id", () =>
    equal(parse(envelope({ execution: { jobId: "a/b" } })).clientToken, "0:thing-1"));

  it("a job without document", () =>
    invalid(parse(envelope({ execution: execution({ jobDocument: undefined }) }))));
  it("a job whose document is null", () =>
    invalid(parse(envelope({ execution: execution({ jobDocument: null }) }))));
  for (const value of [null, [], "x", 7])
    it(`an afr_ota that is ${JSON.stringify(value)}`, () =>
      invalid(parse(envelope({ execution: execution({ jobDocument: { afr_ota: value } }) }))));

  it("keeps the executionNumber of a job it refuses", () => {
    const parsed = parseOta({ files: [] });
    ok(parsed.kind === "invalid" && parsed.executionNumber === 1);
  });

  const documents: [string, Json, string?][] = [
    ["no protocols", { protocols: undefined }],
    ["protocols as text", { protocols: "MQTT" }],
    ["empty protocols", { protocols: [] }, "data-protocol"],
    ["unknown protocols", { protocols: ["COAP", "mqtt"] }, "data-protocol"],
    ["protocols nested", { protocols: [["MQTT"]] }, "data-protocol"],
    [
      "more protocols text than the original holds",
      { protocols: Array(50).fill("UNKNOWN") },
      "data-protocol",
    ],
    ["MQTT without stream name", { streamname: undefined }, "data-protocol"],
    ["MQTT with an empty stream name", { streamname: "" }, "data-protocol"],
    ["HTTP without URL", { protocols: ["HTTP"] }, "data-protocol"],
    [
      "HTTP with one file without URL",
      { protocols: ["HTTP"], files: [file({ update_data_url: "http://h" }), file()] },
      "data-protocol",
    ],
    ["a stream name that is a number", { streamname: 7 }],
    ["a stream name with a slash", { streamname: "a/b" }],
    ["a stream name with a wildcard", { streamname: "a+" }],
    ["a stream name of 129 characters", { streamname: "s".repeat(129) }],
    ["no files", { files: undefined }],
    ["an empty list of files", { files: [] }],
    ["files that are an object", { files: { 0: file() } }],
    ["a file that is null", { files: [null] }],
    ["a file that is a text", { files: ["x"] }],
    ["a second file that is unusable", { files: [file(), file({ filesize: 0 })] }],
  ];
  for (const [name, change, code] of documents) it(name, () => invalid(parseOta(change), code));

  const files: [string, Json, string?][] = [
    ["no filesize", { filesize: undefined }],
    ["a filesize of 0", { filesize: 0 }],
    ["a filesize of 2^32", { filesize: 4294967296 }],
    ["a filesize beyond 2^53", { filesize: 2 ** 60 }],
    ["a negative filesize", { filesize: -1 }],
    ["a filesize with a fraction", { filesize: 9000.5 }],
    ["a filesize that is null", { filesize: null }],
    ["a filesize that is true", { filesize: true }],
    ["a filesize in a list", { filesize: [9000] }],
    ["an empty filesize", { filesize: "" }],
    ["a filesize of spaces", { filesize: "  " }],
    ["a filesize with a space", { filesize: " 9000" }],
    ["a filesize with a sign", { filesize: "+9000" }],
    ["a filesize with leading zeros, octal in C", { filesize: "010" }],
    ["a filesize with an exponent as text", { filesize: "9e3" }],
    ["a filesize with a fraction as text", { filesize: "9000.0" }],
    ["a filesize in words", { filesize: "many" }],
    ["a filesize of Infinity as text", { filesize: "Infinity" }],
    ["a filesize of 10^25 as text", { filesize: "1e+25" }],
    ["a filesize with a unit", { filesize: "9000B" }],
    ["no fileid", { fileid: undefined }],
    ["a fileid of 256", { fileid: 256 }],
    ["a negative fileid", { fileid: -1 }],
    ["a fileid of −0 as text", { fileid: "-0" }],
    ["a fileType of 256", { fileType: 256 }],
    ["a fileType in words", { fileType: "firmware" }],
    ["a fileType that is null", { fileType: null }],
    ["a filepath that is a number", { filepath: 7 }],
    ["a certfile that is a list", { certfile: ["cert.pem"] }],
    ["a signature that is a number", { "sig-sha256-ecdsa": 7 }],
    ["a signature that is an object", { "sig-sha256-ecdsa": {} }],
    ["a signature of blanks", { "sig-sha256-ecdsa": "  " }, "bad-base64"],
    ["a signature with a foreign symbol", { "sig-sha256-ecdsa": "MEQ*" }, "bad-base64"],
    ["a signature in the URL alphabet", { "sig-sha256-ecdsa": "MEQ_" }, "bad-base64"],
    ["a signature of 513 bytes", { "sig-sha256-ecdsa": "AAAA".repeat(171) }, "bad-base64"],
    ["a signature of 39000 characters", { "sig-sha256-ecdsa": "A".repeat(39000) }, "bad-base64"],
    ["a URL that is a number", { update_data_url: 7 }],
    ["a URL with a line end", { update_data_url: "http://h/ HTTP/1.1\r\nX: y" }],
    ["a URL with a NUL", { update_data_url: "http://h/\0" }],
    ["a URL with a space", { update_data_url: "http://h/a b" }],
  ];
  for (const [name, change, code] of files) it(name, () => invalid(parseFile(change), code));

  for (const number of ["1e999", "-0", "-0.0", "9007199254740993", "0.1e1.5"])
    it(`a fileid of ${number}`, () => {
      const parsed = raw(text, '"fileid":0', `"fileid":${number}`);
      equal(parsed.kind, "invalid");
    });

  it("fields under __proto__ are no fields", () => {
    const inherited = '"files":[{"__proto__":{"filesize":9000,"fileid":0}}]';
    invalid(raw(text, `"files":${JSON.stringify([file()])}`, inherited));
  });

  it("what every object inherits is no field", () => {
    const inherit = (key: string, value: unknown, action: () => void) => {
      // With frozen built-ins, as in a Moddable app, nothing can be inherited in the first place.
      if (Object.isFrozen(Object.prototype))
        return throws(() => Object.defineProperty(Object.prototype, key, { value }), { type: TypeError });
      Object.defineProperty(Object.prototype, key, { value, configurable: true });
      try {
        action();
      } finally {
        Reflect.deleteProperty(Object.prototype, key);
      }
    };
    inherit("filesize", 9000, () => invalid(parseFile({ filesize: undefined })));
    inherit("execution", execution(), () => equal(parse({ clientToken: "t" }).kind, "none"));
    inherit("afr_ota", ota(), () =>
      equal(parse(envelope({ execution: execution({ jobDocument: {} }) })).kind, "custom"),
    );
    inherit("self_test", "ready", () => equal(job(parseOta({})).progress.selfTest, false));
  });

  it("an inherited execution is no execution", () => equal(parseText(`{"__proto__":${text}}`).kind, "none"));

  it("keys named like methods of objects harm nobody", () => {
    const change = { constructor: {}, toString: 1, valueOf: null, hasOwnProperty: "x" };
    equal(job(parseOta({ ...change, files: [file(change)] })).files.length, 1);
  });

  it("nothing is changed for later jobs by a key __proto__", () => {
    raw(text, '"jobDocument":{', '"jobDocument":{"__proto__":{"polluted":1},');
    equal(({} as Json)["polluted"], undefined);
  });
});

describe("replies to what the agent asks", () => {
  const none = { clientToken: "", code: "", message: "", status: "" };

  it("give token, code, message and the status of the execution", () =>
    deepEqual(
      parseReply(ascii('{"clientToken":"t","code":"C","message":"m","executionState":{"status":"FAILED"}}')),
      { clientToken: "t", code: "C", message: "m", status: "FAILED" },
    ));

  it("may be empty", () => deepEqual(parseReply(ascii(" {} \n")), none));

  for (const value of ['{"toString":1}', "[]", "7", "null", "true", `"${"x".repeat(2000)}"`])
    it(`with ${value.slice(0, 20)} in place of texts have none: an object threw into the connection before`, () => {
      const fields = ["clientToken", "code", "message", "executionState"].map((name) => `"${name}":${value}`);
      deepEqual(parseReply(ascii(`{${fields}}`)), none);
    });

  it("that are no JSON are answers to nothing", () => {
    for (const text of ["", "[]", "hello", '{"clientToken":"t"', '{"clientToken":"t"}x', "[".repeat(40000)])
      equal(parseReply(ascii(text)).clientToken, "");
  });
});
