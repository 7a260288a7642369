import { type CborMap, decodeCbor, encodeCbor } from "../../service/cbor.js";
import { base64Encode } from "../../service/encoding.js";
import { memoryFile, type StreamFile } from "../../service/streams.js";
import { encodeUtf8 } from "../../src/bytes.js";
import { deepEqual, equal, ok, throws } from "../support/assert.js";
import { ascii, hex } from "../support/hex.js";
import { type Json, ServiceProbe } from "../support/service-probe.js";

const STREAM = "$aws/things/t/streams/s/";

function bytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) & 0xff);
}

/** A service with stream "s" of one file. */
function serving(length: number, options: ConstructorParameters<typeof ServiceProbe>[0] = {}): ServiceProbe {
  const service = new ServiceProbe(options);
  service.streams.create("s", [memoryFile(0, bytes(length))]);
  return service;
}

/** Sends a GetStream request in CBOR and returns what comes back. */
function get(service: ServiceProbe, request: CborMap): { topics: string[]; bodies: Json[] } {
  ok(service.streams.handle(`${STREAM}get/cbor`, encodeCbor(request)));
  const taken = service.published;
  service.published = [];
  return {
    topics: taken.map(({ topic }) => topic.slice(STREAM.length)),
    bodies: taken.map(({ payload }) => decodeCbor(payload)),
  };
}

function indices(service: ServiceProbe, request: CborMap): number[] {
  return get(service, request).bodies.map(({ i }) => i);
}

describe("service: file streams", () => {
  it("delivers a block in the bytes the original agent is served", () => {
    const service = serving(600);
    service.streams.handle(`${STREAM}get/cbor`, encodeCbor({ f: 0, l: 256, o: 2, n: 1 }));
    const [{ topic, payload, qos }] = service.published;
    equal(topic, `${STREAM}data/cbor`);
    equal(qos, 0);
    deepEqual(payload.subarray(0, 15), hex("a4 616600 616902 616c1858 61705858"));
    deepEqual(payload.subarray(15), bytes(600).subarray(512));
  });

  it("understands the original agent's request", () => {
    const service = serving(9000);
    const request = hex("a6 6163 63726479 6166 00 616c 191000 616f 00 6162 4106 616e 01");
    service.streams.handle(`${STREAM}get/cbor`, request);
    const block = decodeCbor(service.published[0].payload) as CborMap;
    deepEqual({ ...block, p: 0 }, { c: "rdy", f: 0, i: 1, l: 4096, p: 0 });
  });

  it("understands definite and indefinite encodings of any width", () => {
    const service = serving(1000);
    service.streams.handle(
      `${STREAM}get/cbor`,
      hex("bf 6166 1800 7f616cff 1a00000100 616e 1b0000000000000001 6162 5f41ff40ff ff"),
    );
    equal(service.published.length, 1);
    equal(service.published[0].topic, `${STREAM}data/cbor`);
  });

  it("delivers the blocks of a bitmap relative to the offset", () => {
    const service = serving(100 * 256);
    deepEqual(indices(service, { f: 0, l: 256, o: 20, n: 32, b: hex("130080") }), [20, 21, 24, 43]);
  });

  it("takes n as a cap on the blocks of a bitmap", () => {
    deepEqual(indices(serving(13 * 4096), { f: 0, l: 4096, n: 4, b: hex("da1f") }), [1, 3, 4, 6]);
  });

  it("delivers n consecutive blocks without a bitmap, up to the end of the file", () => {
    const service = serving(1000);
    deepEqual(indices(service, { f: 0, l: 256, n: 2 }), [0, 1]);
    deepEqual(indices(service, { f: 0, l: 256, o: 2, n: 100 }), [2, 3]);
  });

  it("takes the size of a full answer as n when it is left out", () => {
    deepEqual(indices(serving(300000), { f: 0, l: 65536 }), [0, 1]);
    deepEqual(indices(serving(2000), { f: 0, l: 256, b: hex("ff") }), [0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it("refuses neither n nor b when a full answer would pass the end", () => {
    equal(get(serving(1000), { f: 0, l: 256 }).bodies[0].o, "InvalidRequest");
  });

  it("stops at 128 KB of payload for one request", () => {
    const service = serving(200 * 4096);
    equal(indices(service, { f: 0, l: 4096, n: 200 }).length, 32);
    deepEqual(indices(service, { f: 0, l: 131072, n: 5 }), [0]);
    equal(indices(service, { f: 0, l: 32000, n: 5 }).length, 4);
  });

  it("delivers every byte of a file", () => {
    const file = bytes(9000);
    const { bodies } = get(serving(9000), { f: 0, l: 4096, n: 3 });
    const whole = new Uint8Array(9000);
    for (const { i, l, p } of bodies) {
      equal(p.length, l);
      whole.set(p, i * 4096);
    }
    deepEqual(whole, file);
  });

  it("returns the client token with every block", () => {
    const { bodies } = get(serving(1000), { c: "tok", f: 0, l: 256, n: 2 });
    deepEqual(
      bodies.map(({ c }) => c),
      ["tok", "tok"],
    );
  });

  it("serves JSON with a hexadecimal bitmap and base64 blocks", () => {
    const service = serving(100 * 256);
    const request = { c: "1", s: 1, l: 256, f: 0, o: 20, n: 32, b: "0x130080" };
    service.streams.handle(`${STREAM}get/json`, encodeUtf8(JSON.stringify(request)));
    const answers = service.take();
    deepEqual(
      answers.map(({ topic, body }) => [topic, body.i]),
      [20, 21, 24, 43].map((i) => ["t/streams/s/data/json", i]),
    );
    const payload = base64Encode(bytes(100 * 256).subarray(20 * 256, 21 * 256));
    deepEqual(answers[0].body, { c: "1", f: 0, i: 20, l: 256, p: payload });
  });

  it("describes a stream in JSON and CBOR", () => {
    const service = new ServiceProbe();
    service.streams.create("s", [memoryFile(0, bytes(10)), memoryFile(7, bytes(300))], "two files");
    service.streams.handle(`${STREAM}describe/json`, ascii('{"c":"x"}'));
    service.streams.handle(`${STREAM}describe/cbor`, hex("a0"));
    const [json, cbor] = service.published;
    const body = {
      s: 1,
      d: "two files",
      r: [
        { f: 0, z: 10 },
        { f: 7, z: 300 },
      ],
    };
    equal(json.topic, `${STREAM}description/json`);
    deepEqual(decodeCbor(cbor.payload), body);
    service.published = [json];
    deepEqual(service.take()[0].body, { c: "x", ...body });
  });

  it("counts versions, and checks the one expected", () => {
    const service = serving(1000);
    equal(service.streams.update("s", [memoryFile(0, bytes(2000))]).version, 2);
    equal(get(service, { s: 1, f: 0, l: 256, n: 1 }).bodies[0].o, "VersionMismatch");
    equal(get(service, { s: 2, f: 0, l: 256, n: 1 }).bodies[0].i, 0);
  });

  it("notices that a file is not the one the stream was made of", () => {
    let etag = "a";
    const service = new ServiceProbe();
    const file: StreamFile = { ...memoryFile(0, bytes(1000)), etag: () => etag };
    service.streams.create("s", [file]);
    equal(get(service, { f: 0, l: 256, n: 1 }).topics[0], "data/cbor");
    etag = "b";
    equal(get(service, { f: 0, l: 256, n: 1 }).bodies[0].o, "ETagMismatch");
  });

  it("sends errors in CBOR as an indefinite map on rejected", () => {
    const service = serving(1000);
    service.streams.handle(`${STREAM}get/cbor`, encodeCbor({ c: "t", f: 9, l: 256, n: 1 }));
    const [{ topic, payload }] = service.published;
    equal(topic, `${STREAM}rejected/cbor`);
    equal(payload[0], 0xbf);
    equal(payload.at(-1), 0xff);
    deepEqual(decodeCbor(payload), { o: "ResourceNotFound", m: "The stream has no file 9.", c: "t" });
  });

  it("answers in the format of the request", () => {
    const service = serving(1000);
    service.streams.handle(`${STREAM}get/json`, ascii("{}"));
    deepEqual(
      service.take().map(({ topic, body }) => [topic, body.o]),
      [["t/streams/s/rejected/json", "InvalidRequest"]],
    );
  });

  it("is not concerned with its own messages and other topics", () => {
    const service = serving(1000);
    for (const topic of [
      `${STREAM}data/cbor`,
      `${STREAM}rejected/json`,
      `${STREAM}description/cbor`,
      "$aws/things/t/jobs/get",
    ])
      equal(service.streams.handle(topic, hex("a0")), false, topic);
  });

  it("loses a request and doubles blocks when told to", () => {
    const deaf = serving(1000, { intercept: { request: () => "drop" } });
    deepEqual(get(deaf, { f: 0, l: 256, n: 1 }).topics, []);
    const twice = serving(1000, { intercept: { message: () => [0, 0] } });
    deepEqual(indices(twice, { f: 0, l: 256, n: 2 }), [0, 0, 1, 1]);
  });
});

describe("service: file stream errors", () => {
  const range: [name: string, request: CborMap, code: string][] = [
    ["a missing file id", { l: 256, n: 1 }, "InvalidRequest"],
    ["a file id that is text", { f: "0", l: 256, n: 1 }, "InvalidRequest"],
    ["a negative file id", { f: -1, l: 256, n: 1 }, "ResourceNotFound"],
    ["file id 256", { f: 256, l: 256, n: 1 }, "ResourceNotFound"],
    ["a file the stream has not", { f: 3, l: 256, n: 1 }, "ResourceNotFound"],
    ["a missing block size", { f: 0, n: 1 }, "InvalidRequest"],
    ["a block of 255 bytes", { f: 0, l: 255, n: 1 }, "BlockSizeOutOfBounds"],
    ["a block of 128 KB and a byte", { f: 0, l: 131073, n: 1 }, "BlockSizeOutOfBounds"],
    ["a negative offset", { f: 0, l: 256, o: -1, n: 1 }, "OffsetOutOfBounds"],
    ["offset 98305", { f: 0, l: 256, o: 98305, n: 1 }, "OffsetOutOfBounds"],
    ["an offset beyond the file", { f: 0, l: 256, o: 4, n: 1 }, "ResourceNotFound"],
    ["98305 blocks", { f: 0, l: 256, n: 98305 }, "BlockCountLimitExceeded"],
    ["a negative number of blocks", { f: 0, l: 256, n: -1 }, "BlockCountLimitExceeded"],
    ["no block", { f: 0, l: 256, n: 0 }, "ResourceNotFound"],
    ["an empty bitmap", { f: 0, l: 256, b: new Uint8Array(4) }, "ResourceNotFound"],
    ["a bitmap beyond the file", { f: 0, l: 256, b: hex("f0") }, "ResourceNotFound"],
    ["a bitmap of 12288 bytes", { f: 0, l: 256, b: new Uint8Array(12288) }, "BlockBitmapLimitExceeded"],
    ["a bitmap that is a number", { f: 0, l: 256, b: 1 }, "InvalidRequest"],
    ["a version that is text", { s: "1", f: 0, l: 256, n: 1 }, "InvalidRequest"],
    ["a token of 65 bytes", { c: "x".repeat(65), f: 0, l: 256, n: 1 }, "InvalidRequest"],
    ["a token that is a number", { c: 1, f: 0, l: 256, n: 1 }, "InvalidRequest"],
  ];
  for (const [name, request, code] of range)
    it(`answers ${name} with ${code}`, () => {
      const { topics, bodies } = get(serving(1000), request);
      deepEqual(topics, ["rejected/cbor"]);
      equal(bodies[0].o, code);
    });

  it("accepts the bounds themselves", () => {
    const service = new ServiceProbe();
    service.streams.create("s", [memoryFile(255, bytes(131072 * 2))]);
    deepEqual(indices(service, { f: 255, l: 131072, o: 1, n: 98304 }), [1]);
    deepEqual(indices(service, { f: 255, l: 256, n: 1, b: new Uint8Array(12287).fill(255) }), [0]);
  });

  const text: [name: string, operation: string, payload: Uint8Array, code: string][] = [
    ["CBOR that ends early", "get/cbor", hex("a16166"), "InvalidCbor"],
    ["bytes after the CBOR", "get/cbor", hex("a000"), "InvalidCbor"],
    ["an empty CBOR payload", "get/cbor", hex(""), "InvalidCbor"],
    ["a key that comes twice", "get/cbor", hex("a2616600616600"), "InvalidCbor"],
    ["CBOR that is no map", "get/cbor", hex("01"), "InvalidRequest"],
    ["JSON that is none", "get/json", ascii("{f"), "InvalidJson"],
    ["a JSON bitmap without 0x", "get/json", ascii('{"f":0,"l":256,"b":"0f"}'), "InvalidRequest"],
    ["a JSON bitmap of odd length", "get/json", ascii('{"f":0,"l":256,"b":"0xf"}'), "InvalidRequest"],
    ["a JSON number that is not whole", "get/json", ascii('{"f":0,"l":256.5,"n":1}'), "InvalidRequest"],
    ["an operation there is not", "put/json", ascii("{}"), "InvalidTopic"],
    ["a format there is not", "get/xml", ascii("{}"), "InvalidTopic"],
  ];
  for (const [name, operation, payload, code] of text)
    it(`answers ${name} with ${code}`, () => {
      const service = serving(1000);
      service.streams.handle(STREAM + operation, payload);
      const [answer] = service.published;
      const { o } = operation.endsWith("/cbor")
        ? (decodeCbor(answer.payload) as CborMap)
        : service.take()[0].body;
      equal(o, code);
    });

  it("answers a stream there is not with ResourceNotFound", () => {
    const service = new ServiceProbe();
    equal(get(service, { f: 0, l: 256, n: 1 }).bodies[0].o, "ResourceNotFound");
    service.streams.handle(`${STREAM}describe/json`, ascii("{}"));
    equal(service.take()[0].body.o, "ResourceNotFound");
  });

  it("answers InternalError when a file cannot be read", () => {
    const service = new ServiceProbe();
    const read = () => {
      throw new Error("disk on fire");
    };
    service.streams.create("s", [{ fileId: 0, byteLength: 1000, read }]);
    const [body] = get(service, { f: 0, l: 256, n: 1 }).bodies;
    deepEqual(body, { o: "InternalError", m: "disk on fire" });
  });
});

describe("service: stream control", () => {
  it("refuses bad ids, sizes and numbers of files", () => {
    const { streams } = new ServiceProbe();
    const file = memoryFile(0, bytes(10));
    throws(() => streams.create("a/b", [file]), { code: "InvalidRequest" });
    throws(() => streams.create("x".repeat(129), [file]), { code: "InvalidRequest" });
    throws(() => streams.create("s", []), { code: "LimitExceeded" });
    // 24 MB is what AWS's quotas name as the longest file of a stream.
    for (const byteLength of [0, 24 * 1024 * 1024 + 1, 1.5])
      throws(() => streams.create("s", [{ ...file, byteLength }]), { code: "LimitExceeded" });
    throws(() => streams.create("s", [memoryFile(256, bytes(10))]), { code: "InvalidRequest" });
    throws(() => streams.create("s", [file, file]), { code: "InvalidRequest" });
    throws(() => streams.create("s", [memoryFile(0, bytes(0))]), { code: "LimitExceeded" });
    const many = Array.from({ length: 51 }, (_, i) => memoryFile(i, bytes(1)));
    throws(() => streams.create("s", many), { code: "LimitExceeded" });
    equal(streams.create("s", many.slice(1)).files.length, 50);
  });

  it("knows its streams until they are deleted", () => {
    const { streams } = serving(10);
    throws(() => streams.create("s", [memoryFile(0, bytes(1))]), { code: "ResourceAlreadyExists" });
    equal(streams.streams().length, 1);
    streams.delete("s");
    throws(() => streams.delete("s"), { code: "ResourceNotFound" });
  });
});
