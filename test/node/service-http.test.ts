import { Agent, get, type IncomingMessage } from "node:http";
import { get as getTls } from "node:https";
import { ImageServer, type ImageServerOptions, parseRange } from "../../service/http.js";
import { UrlSigner } from "../../service/presign.js";
import { TestCa } from "../../service/test-ca.js";
import { deepEqual, equal, ok, rejects, throws } from "../support/assert.js";

const IMAGE = Buffer.from(Uint8Array.from({ length: 10_000 }, (_, i) => (i * 31 + (i >> 8)) & 0xff));

interface Answer {
  status: number;
  headers: IncomingMessage["headers"];
  body: Buffer;
}

function read(response: IncomingMessage): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    response.on("data", (chunk) => chunks.push(chunk));
    response.on("error", reject);
    response.on("end", () =>
      resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) }),
    );
  });
}

function ask(url: string, headers: Record<string, string> = {}, options: object = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = url.startsWith("https:") ? getTls : get;
    request(url, { headers, agent: false, ...options }, (response) =>
      read(response).then(resolve, reject),
    ).on("error", reject);
  });
}

describe("service: image server", () => {
  let server: ImageServer | undefined;
  let now = Date.UTC(2025, 0, 2, 3, 4, 5);

  async function serve(options: ImageServerOptions = {}): Promise<ImageServer> {
    server = await ImageServer.start({ now: () => now, ...options });
    server.put("image.bin", IMAGE);
    return server;
  }

  afterEach(async () => {
    await server?.close();
    server = undefined;
  });

  it("serves a whole image", async () => {
    const { status, headers, body } = await ask((await serve()).url("image.bin"));
    equal(status, 200);
    equal(headers["content-length"], "10000");
    equal(headers["accept-ranges"], "bytes");
    ok(body.equals(IMAGE), "the body differs");
  });

  it("serves a range", async () => {
    const answer = await ask((await serve()).url("image.bin"), { Range: "bytes=4096-8191" });
    equal(answer.status, 206);
    equal(answer.headers["content-range"], "bytes 4096-8191/10000");
    equal(answer.headers["content-length"], "4096");
    ok(answer.body.equals(IMAGE.subarray(4096, 8192)), "the body differs");
  });

  it("counts what it was asked for and what it gave", async () => {
    const images = await serve();
    await ask(images.url("image.bin"), { Range: "bytes=4096-8191" });
    await ask(images.url("nowhere.bin"));
    deepEqual({ ...images.served }, { requests: 2, bytes: 4096 });
  });

  it("cuts a range at the end of the image", async () => {
    const answer = await ask((await serve()).url("image.bin"), { Range: "bytes=9000-20000" });
    equal(answer.headers["content-range"], "bytes 9000-9999/10000");
    equal(answer.body.length, 1000);
  });

  it("answers a range beyond the end with 416 and the size", async () => {
    const answer = await ask((await serve()).url("image.bin"), { Range: "bytes=10000-" });
    equal(answer.status, 416);
    equal(answer.headers["content-range"], "bytes */10000");
    ok(answer.body.includes("<Code>InvalidRange</Code>"), answer.body.toString());
  });

  it("keeps the connection between ranges", async () => {
    const url = (await serve()).url("image.bin");
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ports = new Set<number | undefined>();
    try {
      for (let i = 0; i < 3; i++)
        await new Promise<void>((resolve, reject) => {
          get(url, { agent, headers: { Range: `bytes=${i}-${i}` } }, (response) => {
            ports.add(response.socket.localPort);
            read(response).then(() => resolve(), reject);
          }).on("error", reject);
        });
      equal(ports.size, 1);
    } finally {
      agent.destroy();
    }
  });

  it("ignores the range when If-Range names another version", async () => {
    const url = (await serve()).url("image.bin");
    const etag = (await ask(url)).headers.etag!;
    equal((await ask(url, { Range: "bytes=0-1", "If-Range": etag })).status, 206);
    equal((await ask(url, { Range: "bytes=0-1", "If-Range": '"other"' })).status, 200);
  });

  it("answers If-Match of another version with 412", async () => {
    const url = (await serve()).url("image.bin");
    const etag = (await ask(url)).headers.etag!;
    equal((await ask(url, { "If-Match": etag })).status, 200);
    const answer = await ask(url, { "If-Match": '"other"' });
    equal(answer.status, 412);
    ok(answer.body.includes("<Code>PreconditionFailed</Code>"), answer.body.toString());
  });

  it("refuses a URL that has expired, in S3's words", async () => {
    const url = (await serve({ expiresIn: 60 })).url("image.bin");
    now += 60_000;
    equal((await ask(url)).status, 200);
    now += 1;
    const { status, headers, body } = await ask(url);
    equal(status, 403);
    equal(headers["content-type"], "application/xml");
    ok(
      body.includes("<Error><Code>AccessDenied</Code><Message>Request has expired</Message>"),
      body.toString(),
    );
    ok(body.includes("<X-Amz-Expires>60</X-Amz-Expires>"), body.toString());
    equal((await ask(server!.url("image.bin"))).status, 200);
  });

  const tampered: [name: string, change: (url: URL) => void, status: number, code: string][] = [
    ["without a signature", (url) => url.searchParams.delete("X-Amz-Signature"), 403, "AccessDenied"],
    [
      "with another signature",
      (url) => url.searchParams.set("X-Amz-Signature", "0".repeat(64)),
      403,
      "SignatureDoesNotMatch",
    ],
    [
      "with a later end",
      (url) => url.searchParams.set("X-Amz-Expires", "999999"),
      403,
      "SignatureDoesNotMatch",
    ],
    [
      "for another object",
      (url) => {
        url.pathname = "/other.bin";
      },
      403,
      "SignatureDoesNotMatch",
    ],
    [
      "without a date",
      (url) => url.searchParams.delete("X-Amz-Date"),
      400,
      "AuthorizationQueryParametersError",
    ],
  ];
  for (const [name, change, status, code] of tampered)
    it(`refuses a URL ${name}`, async () => {
      const url = new URL((await serve()).url("image.bin"));
      change(url);
      const answer = await ask(url.href);
      equal(answer.status, status);
      ok(answer.body.includes(`<Code>${code}</Code>`), answer.body.toString());
    });

  it("answers an image there is not with 404", async () => {
    const answer = await ask((await serve()).url("none.bin"));
    equal(answer.status, 404);
    ok(answer.body.includes("<Code>NoSuchKey</Code>"), answer.body.toString());
    server!.delete("image.bin");
    equal((await ask(server!.url("image.bin"))).status, 404);
  });

  it("answers other methods with 405", async () => {
    const answer = await ask((await serve()).url("image.bin"), {}, { method: "POST" });
    equal(answer.status, 405);
    equal(answer.headers.allow, "GET");
  });

  it("makes URLs as long as told, each another", async () => {
    const images = await serve({ urlLength: 1800 });
    const [one, two] = [images.url("image.bin"), images.url("image.bin")];
    ok(one.length >= 1800 && one.length < 1810, `${one.length} characters`);
    ok(one !== two, "the same URL twice");
    equal((await ask(one)).status, 200);
  });

  it("serves HTTPS with a certificate of the test CA", async () => {
    for (const type of ["rsa-2048", "ecdsa-p256"] as const) {
      const ca = await TestCa.create({ type });
      const url = (await serve({ tls: await ca.issue(["127.0.0.1", "localhost"]) })).url("image.bin");
      ok(url.startsWith("https://127.0.0.1:"), url);
      const answer = await ask(url, { Range: "bytes=0-9" }, { ca: ca.certificate });
      equal(answer.status, 206);
      await rejects(ask(url), { code: "SELF_SIGNED_CERT_IN_CHAIN" });
      await server!.close();
    }
  });

  it("issues certificates that name their hosts, and expired ones", async () => {
    const ca = await TestCa.create({ type: "ecdsa-p256" });
    const again = new TestCa(ca.certificate, ca.privateKey, "ecdsa-p256");
    const named = (await serve({ tls: await again.issue(["ota.test"]) })).url("image.bin");
    const options = { ca: ca.certificate };
    await rejects(ask(named, {}, options), { code: "ERR_TLS_CERT_ALTNAME_INVALID" });
    equal((await ask(named, {}, { ...options, servername: "ota.test" })).status, 200);
    await server!.close();
    const expired = (await serve({ tls: await ca.issue(["127.0.0.1"], -1) })).url("image.bin");
    await rejects(ask(expired, {}, options), { code: "CERT_HAS_EXPIRED" });
    await rejects(ca.issue([]), { type: RangeError });
  });

  it("fails to start on an address in use", async () => {
    const { port } = new URL((await serve()).origin);
    await rejects(ImageServer.start({ port: Number(port) }), { code: "EADDRINUSE" });
  });
});

describe("service: byte ranges", () => {
  const cases: [header: string, expected: ReturnType<typeof parseRange>][] = [
    ["bytes=0-0", { first: 0, last: 0 }],
    ["bytes=5-", { first: 5, last: 99 }],
    ["bytes=-10", { first: 90, last: 99 }],
    ["bytes=-1000", { first: 0, last: 99 }],
    ["bytes=99-99", { first: 99, last: 99 }],
    ["bytes=100-", "unsatisfiable"],
    ["bytes=-0", "unsatisfiable"],
    ["bytes=5-4", undefined],
    ["bytes=0-1,3-4", undefined],
    ["bytes=-", undefined],
    ["bytes=a-b", undefined],
    ["blocks=0-1", undefined],
  ];
  for (const [header, expected] of cases)
    it(`reads ${header}`, () => {
      deepEqual(parseRange(header, 100), expected);
    });
});

describe("service: pre-signed URLs", () => {
  it("are those of Amazon's own example", () => {
    const signer = new UrlSigner({
      accessKeyId: "AKIAIOSFODNN7EXAMPLE",
      secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    });
    const now = Date.UTC(2013, 4, 24);
    const url = signer.sign("https://examplebucket.s3.amazonaws.com/test.txt", { expiresIn: 86400, now });
    equal(
      new URL(url).searchParams.get("X-Amz-Signature"),
      "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
    );
  });

  it("expire after one second to seven days", () => {
    const signer = new UrlSigner();
    for (const expiresIn of [0, -1, 1.5, 604_801])
      throws(() => signer.sign("http://host/x", { expiresIn, now: 0 }), { type: RangeError });
  });
});
