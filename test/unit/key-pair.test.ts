import { awsOptions } from "../../hosts/moddable/aws-options.js";
import { keysFrom } from "../../hosts/moddable/device-keys.js";
import { checkPair } from "../../hosts/moddable/key-pair.js";
import { decodeBase64 } from "../../src/base64.js";
import * as pairs from "../data/device-pairs.js";
import { deepEqual, equal, throws } from "../support/assert.js";

const der = (text: string) => decodeBase64(text, 4096);
const RSA = der(pairs.RSA_KEY);
const CERTIFICATE = der(pairs.RSA_CERTIFICATE);
const OTHER = der(pairs.OTHER_RSA_CERTIFICATE);
const ANOTHERS = { type: TypeError, message: "do not belong together" };

describe("key and certificate of a device", () => {
  for (const [name, key, certificate] of [
    ["RSA, PKCS #8", RSA, CERTIFICATE],
    ["RSA, PKCS #1", der(pairs.RSA_KEY_PKCS1), CERTIFICATE],
    ["P-256", der(pairs.EC_KEY), der(pairs.EC_CERTIFICATE)],
  ] as const) {
    it(`that belong together are taken: ${name}`, () => checkPair(certificate, key));

    it(`of another are refused, where every connection failed for ever without a word: ${name}`, () =>
      throws(() => checkPair(OTHER, key), ANOTHERS));
  }

  it("are compared when the connection is configured", () => {
    const rest = { endpoint: "a.iot.eu-west-1.amazonaws.com", thingName: "a", rootCertificate: OTHER };
    throws(() => awsOptions({ ...rest, certificate: OTHER, key: RSA }), ANOTHERS);
    deepEqual(awsOptions({ ...rest, certificate: CERTIFICATE, key: RSA }).tls?.clientKey, RSA);
    throws(() => keysFrom((part) => (part === "key" ? RSA : OTHER)), ANOTHERS);
    const buffer = (bytes: Uint8Array) => bytes.slice().buffer;
    throws(() => awsOptions({ ...rest, certificate: buffer(OTHER), key: buffer(RSA) }), ANOTHERS);
    equal(keysFrom((part) => (part === "key" ? RSA : CERTIFICATE)).certificate, CERTIFICATE);
  });

  it("are left to TLS when they cannot be read: a file of the chip's, no DER, bytes cut off anywhere", () => {
    checkPair({ file: "device-cert.der" }, RSA);
    checkPair(CERTIFICATE, "secure element");
    checkPair(CERTIFICATE, new Uint8Array(0));
    for (let length = 0; length < RSA.length; length += 7) checkPair(OTHER, RSA.subarray(0, length));
  });
});
