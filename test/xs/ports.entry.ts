/**
 * The ports of the XS runtime under the conformance tests, inside XS: entry point of a bundle.
 * @module
 */
import { XsFlash, xsCrypto, xsStore } from "../../hosts/xs/runtime/ports.js";
import { cryptoConformance } from "../conformance/crypto.js";
import { flashConformance } from "../conformance/flash.js";
import { equal, throws } from "../support/assert.js";

flashConformance("flash", () => new XsFlash(0));
cryptoConformance("crypto", () => xsCrypto);

describe("store", () => {
  it("knows nothing at first", () => equal(xsStore.get("first"), undefined));

  it("gives back what was set, text of any kind", () => {
    xsStore.set("ключ", "значение 🔑\n");
    equal(xsStore.get("ключ"), "значение 🔑\n");
    xsStore.set("ключ", "");
    equal(xsStore.get("ключ"), "");
  });
});

describe("an error of the host", () => {
  it("keeps its class and text", () =>
    throws(() => new XsFlash(0).read(new Uint8Array(1), -1), { type: RangeError, message: "outside" }));

  it("is an Error for a port that is not there", () =>
    throws(() => new XsFlash(9).status(), { message: "no partition 9" }));
});
