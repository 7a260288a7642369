import { createPublicKey, createVerify, X509Certificate } from "node:crypto";
import { chmodSync, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { deepEqual, equal, ok } from "../support/assert.js";
import { Folder } from "./run.js";

const IMAGE = "app-c3-v1.bin";

describe("xs-ota keygen, sign, verify", () => {
  let folder: Folder;

  before(async () => {
    folder = new Folder();
    folder.take(IMAGE, "app-esp32x-v1.bin");
    await folder.good("keygen");
  });

  after(() => folder.close());

  const read = (name: string) => readFileSync(folder.file(name));

  it("makes a P-256 key that only its owner can read, and a code-signing certificate", () => {
    equal(statSync(folder.file("ota-key.pem")).mode & 0o777, 0o600);
    const certificate = new X509Certificate(read("ota-cert.pem"));
    equal(certificate.publicKey.asymmetricKeyDetails?.namedCurve, "prime256v1");
    deepEqual(certificate.keyUsage, ["1.3.6.1.5.5.7.3.3"]);
    ok(
      createPublicKey(read("ota-key.pem")).equals(certificate.publicKey),
      "key and certificate do not belong together",
    );
  });

  it("prints the trusted keys for the application", async () => {
    const text = await folder.good("keygen", "--out", "other", "--signer", "signer.pem");
    const certificate = read("other-cert.pem").toString().trim();
    ok(text.includes(`const trustedKeys = {\n  "signer.pem": \`${certificate}\`,\n};`), text);
  });

  it("writes the certificate in DER as well when asked", async () => {
    await folder.good("keygen", "--out", "both", "--der");
    deepEqual(read("both-cert.der"), new X509Certificate(read("both-cert.pem")).raw);
    folder.write("taken-cert.der", "mine");
    await folder.bad(2, "taken-cert.der exists already", "keygen", "--out", "taken", "--der");
    ok(!existsSync(folder.file("taken-key.pem")), "a key was left behind");
  });

  it("makes RSA keys, with name and validity as asked", async () => {
    await folder.good("keygen", "--type", "rsa-3072", "--out", "rsa", "--name", "Acme", "--days", "10");
    const certificate = new X509Certificate(read("rsa-cert.pem"));
    equal(certificate.publicKey.asymmetricKeyDetails?.modulusLength, 3072);
    equal(certificate.subject, "CN=Acme");
    const days = (Date.parse(certificate.validTo) - Date.now()) / 86_400_000;
    ok(days > 9 && days <= 10, `${days} days`);
  });

  it("never replaces a key or a certificate", async () => {
    const before = read("ota-key.pem").toString();
    await folder.bad(2, "ota-key.pem exists already", "keygen");
    equal(read("ota-key.pem").toString(), before);
    folder.write("half-cert.pem", "mine");
    await folder.bad(2, "half-cert.pem exists already", "keygen", "--out", "half");
    ok(!existsSync(folder.file("half-key.pem")), "a key without its certificate was left behind");
  });

  it("refuses kinds of key and folders there are not, and leaves nothing behind", async () => {
    await folder.bad(2, "Allowed choices are", "keygen", "--type", "dsa");
    await folder.bad(2, "there is no such file or folder", "keygen", "--out", "nowhere/x");
    ok(!readdirSync(folder.path).some((name) => name.endsWith(".new")), "temporary files are left");
  });

  it("signs in base64 DER, which OpenSSL's verification takes", async () => {
    const text = await folder.good("sign", IMAGE);
    const verifier = createVerify("sha256").update(read(IMAGE));
    ok(verifier.verify(read("ota-cert.pem"), text, "base64"), "the signature is not good");
  });

  it("writes the signature as bytes, for the job document and for AWS", async () => {
    equal(await folder.good("sign", IMAGE, "--format", "der", "--out", "app.der"), "");
    equal(read("app.der")[0], 0x30);
    const document = JSON.parse(await folder.good("sign", IMAGE, "--format", "document"));
    deepEqual(Object.keys(document), ["sig-sha256-ecdsa"]);
    const { customCodeSigning } = JSON.parse(await folder.good("sign", IMAGE, "--format", "aws"));
    equal(customCodeSigning.signatureAlgorithm, "ECDSA");
    equal(customCodeSigning.certificateChain.certificateName, "/certificates/ota.pem");
    const signature = customCodeSigning.signature.inlineDocument;
    ok((await folder.good("verify", IMAGE, "--signature", signature)).includes("is good"));
  });

  it("verifies a signature from a file in either form, and tells a wrong one", async () => {
    await folder.good("sign", IMAGE, "--out", "app.sig");
    await folder.good("verify", IMAGE, "--signature", "app.sig");
    await folder.good("verify", IMAGE, "--signature", "app.der");
    const { code, stdout } = await folder.run("verify", "app-esp32x-v1.bin", "--signature", "app.sig");
    equal(code, 1);
    equal(stdout, "The signature is not good.\n");
  });

  it("refuses what is no key, no image or no file in one line", async () => {
    await folder.bad(2, "there is no key in nokey.pem", "sign", IMAGE, "--key", "nokey.pem");
    await folder.bad(2, "ota-cert.pem: not a private key", "sign", IMAGE, "--key", "ota-cert.pem");
    await folder.bad(
      2,
      "app-c3-v1.bin: neither certificate nor key",
      "verify",
      IMAGE,
      "--cert",
      IMAGE,
      "--signature",
      "app.sig",
    );
    await folder.bad(2, "is no whole ESP32 image", "sign", "ota-key.pem");
    await folder.bad(2, "no such file", "sign", "nothing.bin");
    await folder.bad(2, "it is a folder", "sign", ".");
    await folder.bad(2, "neither a file nor a signature", "verify", IMAGE, "--signature", "x.sig");
    await folder.bad(2, "required option '--signature", "verify", IMAGE);
    await folder.bad(2, "unknown option '--kye'", "sign", IMAGE, "--kye", "x");
    await folder.bad(2, "too many arguments", "sign", IMAGE, IMAGE);
  });

  it("signs any file when told to", async () => {
    ok((await folder.good("sign", "ota-cert.pem", "--any")).length > 60);
  });

  it("keeps what was there when a result cannot be written", async () => {
    await folder.bad(2, "cannot write nowhere/a.sig", "sign", IMAGE, "--out", "nowhere/a.sig");
    // Root may write anywhere; for everybody else a folder can be closed.
    if (process.getuid?.() === 0) return;
    chmodSync(folder.path, 0o500);
    await folder.bad(2, "permission denied", "sign", IMAGE, "--out", "b.sig");
    chmodSync(folder.path, 0o700);
  });
});
