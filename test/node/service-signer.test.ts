import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import { generateIdentity, generateKey, type KeyType, signImage, verifyImage } from "../../service/signer.js";
import { equal, ok, rejects, throws } from "../support/assert.js";

const IMAGE = Uint8Array.from({ length: 5000 }, (_, i) => (i * 7) & 0xff);

describe("service: signer", () => {
  const types: [type: KeyType, key: string, bytes: [least: number, most: number]][] = [
    ["ecdsa-p256", "sig-sha256-ecdsa", [68, 72]],
    ["rsa-2048", "sig-sha256-rsa", [256, 256]],
    ["rsa-3072", "sig-sha256-rsa", [384, 384]],
  ];
  for (const [type, key, [least, most]] of types)
    it(`signs with ${type} what its certificate verifies`, async () => {
      const { privateKeyPem, certificatePem } = await generateIdentity({ type, commonName: "Ada" });
      const signature = signImage(IMAGE, privateKeyPem);
      equal(signature.key, key);
      const { length } = Buffer.from(signature.value, "base64");
      ok(length >= least && length <= most, `${length} bytes`);
      ok(verifyImage(IMAGE, signature.value, certificatePem), "the signature is not good");
      equal(verifyImage(IMAGE.slice(1), signature.value, certificatePem), false);
    });

  it("makes a certificate for code signing, signed by itself", async () => {
    const { certificatePem } = await generateIdentity({ commonName: "Ada", days: 30 });
    const certificate = new X509Certificate(certificatePem);
    equal(certificate.subject, "CN=Ada");
    ok(certificate.verify(certificate.publicKey), "the certificate does not verify");
    equal(certificate.keyUsage?.join(), "1.3.6.1.5.5.7.3.3");
    ok(Date.parse(certificate.validFrom) < Date.now(), "not valid yet");
    const days = (Date.parse(certificate.validTo) - Date.now()) / 86_400_000;
    ok(days > 29 && days < 31, `${days} days`);
  });

  it("signs in DER that another library verifies", () => {
    const key = generateKey("ecdsa-p256");
    const { x, y } = key.export({ format: "jwk" });
    const point = Buffer.concat([Buffer.of(4), Buffer.from(x!, "base64url"), Buffer.from(y!, "base64url")]);
    const der = Buffer.from(signImage(IMAGE, key).value, "base64");
    ok(p256.verify(der, IMAGE, point, { format: "der", lowS: false }), "the signature is not good");
  });

  it("refuses keys that cannot sign images", async () => {
    throws(() => signImage(IMAGE, "no key"), { type: TypeError, message: "not a private key" });
    await rejects(generateIdentity({ type: "dsa" as never }), { type: RangeError, message: "dsa" });
    for (const key of [
      generateKeyPairSync("ec", { namedCurve: "secp384r1" }).privateKey,
      generateKeyPairSync("ec", { namedCurve: "secp256k1" }).privateKey,
      generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey,
      generateKeyPairSync("ed25519").privateKey,
    ])
      throws(() => signImage(IMAGE, key), { type: TypeError, message: "P-256" });
    throws(() => verifyImage(IMAGE, "", "no key"), {
      type: TypeError,
      message: "neither certificate nor key",
    });
  });
});
