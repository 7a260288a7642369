/** What a device proves its identity with, from wherever it lies. */
import { awsOptions } from "../../hosts/moddable/aws-options.js";
import { type KeyPart, keysFrom, tlsWith } from "../../hosts/moddable/device-keys.js";
import { deepEqual, equal, throws } from "../support/assert.js";

const PARTS: Record<KeyPart, Uint8Array | undefined> = {
  root: Uint8Array.of(1),
  cert: Uint8Array.of(2),
  key: Uint8Array.of(3),
};

describe("keys of a device", () => {
  it("are the options of a connection, the key asked for at each", () => {
    let asked = 0;
    const keys = keysFrom((part) => {
      if (part === "key") asked++;
      return PARTS[part];
    });
    const atStart = asked;
    const tls = tlsWith(keys, { serverName: "broker" });
    equal(asked, atStart);
    deepEqual(
      { ...tls },
      {
        certificate: PARTS.root,
        clientCertificates: [PARTS.cert],
        clientKey: PARTS.key,
        serverName: "broker",
      },
    );
    equal(asked, atStart + 1);
    deepEqual({ ...tls }.clientKey, PARTS.key);
    equal(asked, atStart + 2);
  });

  it("are options of a connection to AWS", () => {
    const keys = keysFrom((part) => PARTS[part]);
    const { tls } = awsOptions({ endpoint: "a.iot.eu-west-1.amazonaws.com", thingName: "a", ...keys });
    deepEqual(
      [tls?.certificate, tls?.clientCertificates, tls?.clientKey],
      [PARTS.root, [PARTS.cert], PARTS.key],
    );
  });

  it("that are missing are named at the start", () => {
    for (const missing of ["root", "cert", "key"] as const)
      for (const nothing of [undefined, new Uint8Array(0)])
        throws(() => keysFrom((part) => (part === missing ? nothing : PARTS[part]), "a chip"), {
          message: `no "${missing}" in a chip`,
        });
  });
});
