import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { request } from "node:http";
import { connect } from "node:net";
import { ImageServer } from "../../service/http.js";
import { readCertificateFile, readIdentityFiles, readKeyFile } from "../../service/identity.js";
import { DevelopmentService } from "../../service/index.js";
import { generateIdentity } from "../../service/signer.js";
import { deepEqual, equal, ok, throws } from "../support/assert.js";

/** Sends lines as they are and returns the status of the answer; 0 when the connection ends without one. */
function raw(origin: string, text: string): Promise<number> {
  const { hostname, port } = new URL(origin);
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect(Number(port), hostname, () => socket.write(Buffer.from(text, "latin1")));
    socket.on("data", (chunk) => {
      answer += chunk;
      socket.end();
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0)));
  });
}

describe("service: requests of strangers", () => {
  let server: ImageServer;
  before(async () => {
    server = await ImageServer.start();
    server.put("a.bin", new Uint8Array(100));
  });
  after(() => server.close());

  it("a signature with a character outside ASCII is wrong (it ended the service)", async () => {
    const good = new URL(server.url("a.bin"));
    const signature = good.searchParams.get("X-Amz-Signature")!;
    for (const other of [`ä${signature.slice(1)}`, "€".repeat(64), "\0".repeat(64), "😀".repeat(32), ""]) {
      good.searchParams.set("X-Amz-Signature", other);
      equal((await fetch(good)).status, 403, JSON.stringify(other));
    }
    good.searchParams.set("X-Amz-Signature", signature);
    equal((await fetch(good)).status, 200);
  });

  it("requests of every shape get an answer or none, and the server goes on", async () => {
    const host = new URL(server.origin).host;
    const lines = [
      "GET /%ff%00 HTTP/1.1\r\nHost: h\r\n\r\n",
      `GET /%C3%28?X-Amz-Signature=%FF%FE&X-Amz-Date=%00 HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
      `GET //[ HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
      `GET http://[::1/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
      "GET / HTTP/1.1\r\nHost: [\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
      "GET / HTTP/1.0\r\n\r\n",
      `\xff\xfe ${"a".repeat(70_000)}`,
      `GET /a.bin?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=99999999T999999Z&X-Amz-Expires=1&X-Amz-Signature=x HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
    ];
    for (const line of lines) {
      const status = await raw(server.origin, line);
      ok(status === 0 || (status >= 400 && status < 500), `${status} for ${line.slice(0, 40)}`);
    }
    equal((await fetch(server.url("a.bin"))).status, 200);
  });

  it("names of others and pages of other sites get nothing, from the image server either", async () => {
    const url = new URL(server.url("a.bin"));
    const ask = (headers: Record<string, string>) =>
      new Promise<number>((resolve, reject) => {
        request({ port: url.port, path: url.pathname + url.search, headers }, (response) => {
          response.resume();
          resolve(response.statusCode!);
        })
          .on("error", reject)
          .end();
      });
    equal(await ask({ Host: url.host }), 200);
    equal(await ask({ Host: `evil.example:${url.port}` }), 403);
    equal(await ask({ Host: url.host, Origin: "http://evil.example" }), 403);
    equal(await ask({ Host: url.host, Origin: url.origin }), 200);
  });

  it("messages of every shape on every topic leave the service alive", async () => {
    const service = await DevelopmentService.start();
    const failures: Error[] = [];
    service.on("failure", (error) => failures.push(error));
    try {
      const { connectAsync } = (await import("mqtt")).default;
      const client = await connectAsync(service.url, { clientId: "t", reconnectPeriod: 0 });
      const nested = `${'{"a":'.repeat(1500)}1${"}".repeat(1500)}`;
      const payloads = ["", "\0", "{", "[]", "null", "1", '"x"', nested, `{"state":{"reported":${nested}}}`];
      const topics = ["jobs/get", "jobs/start-next", "jobs/$next/get", "jobs/j/update", "jobs/__proto__/get"];
      topics.push("streams/s/get/cbor", "streams/s/get/json", "streams/s/describe/json", "shadow/update");
      for (const topic of topics)
        for (const payload of payloads)
          await client.publishAsync(`$aws/things/t/${topic}`, payload, { qos: 1 });
      await client.endAsync();
      deepEqual(failures, []);
      equal(service.devices().length, 1);
    } finally {
      await service.close();
    }
  });
});

describe("service: keys and certificates in files", () => {
  const bytes = (text: string) => new Uint8Array(Buffer.from(text));

  it("are read indented, with trailing blanks, with \\n in two characters, and in DER", async () => {
    const { privateKeyPem, certificatePem } = await generateIdentity();
    const key = createPrivateKey(privateKeyPem);
    const forms = [
      privateKeyPem,
      privateKeyPem.replace(/^/gm, "    "),
      privateKeyPem.replace(/\n/g, "  \r\n"),
      privateKeyPem.replace(/\n/g, "\\n"),
      key.export({ type: "sec1", format: "pem" }).toString(),
    ].map(bytes);
    forms.push(new Uint8Array(key.export({ type: "pkcs8", format: "der" })));
    forms.push(new Uint8Array(key.export({ type: "sec1", format: "der" })));
    for (const [index, form] of forms.entries()) {
      ok(readKeyFile(form).equals(key), `form ${index}`);
      equal(readIdentityFiles(form, bytes(certificatePem.replace(/^/gm, " "))).privateKeyPem, privateKeyPem);
    }
    ok(readCertificateFile(new Uint8Array(readCertificateFile(bytes(certificatePem)).raw)));
  });

  it("are refused when they do not belong together, or cannot sign images", async () => {
    const one = await generateIdentity();
    const other = await generateIdentity();
    throws(() => readIdentityFiles(bytes(one.privateKeyPem), bytes(other.certificatePem)), {
      message: "do not belong together",
    });
    const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey;
    const pem = p384.export({ type: "pkcs8", format: "pem" }).toString();
    throws(() => readKeyFile(bytes(pem)), { type: TypeError, message: "P-256" });
    throws(() => readKeyFile(bytes("rubbish")), { type: TypeError });
    throws(() => readKeyFile(bytes(one.privateKeyPem.slice(0, 100))), { type: TypeError });
    throws(() => readCertificateFile(bytes(one.privateKeyPem)), { type: TypeError });
  });
});
