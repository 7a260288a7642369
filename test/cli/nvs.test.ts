import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { readNvs } from "../../hosts/formats/nvs-reader.js";
import type { Flash } from "../../src/ports.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { Folder } from "./run.js";

describe("xs-ota nvs", () => {
  let folder: Folder;

  const openssl = (...args: string[]) =>
    execFileSync("openssl", args, { cwd: folder.path, stdio: ["ignore", "pipe", "ignore"] });

  before(() => {
    folder = new Folder();
    const make = (name: string, ...kind: string[]) =>
      openssl(
        "req",
        "-x509",
        "-newkey",
        ...kind,
        "-nodes",
        "-keyout",
        `${name}.key`,
        "-out",
        `${name}.pem`,
        "-subj",
        "/CN=x",
      );
    make("device", "rsa:2048");
    make("other", "rsa:2048");
    make("ec", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1");
    openssl("rsa", "-in", "device.key", "-traditional", "-out", "pkcs1.key");
    openssl("pkcs8", "-topk8", "-nocrypt", "-in", "device.key", "-outform", "DER", "-out", "device.der");
    openssl("rsa", "-in", "device.key", "-traditional", "-outform", "DER", "-out", "pkcs1.der");
  });

  after(() => folder.close());

  /** A text or blob of a partition that was written. */
  const stored = (name: string, namespace: string, key: string): Uint8Array | undefined => {
    const bytes = new Uint8Array(readFileSync(folder.file(name)));
    const flash = {
      status: () => ({ size: bytes.length, blocks: bytes.length / 4096, blockLength: 4096 }),
      read: (into: Uint8Array, offset: number) => into.set(bytes.subarray(offset, offset + into.length)),
    };
    return readNvs(flash as unknown as Flash, namespace, key);
  };
  const der = (name: string) => new Uint8Array(openssl("x509", "-in", name, "-outform", "DER"));

  it("writes keys as a device reads them, whatever their form, for the owner alone", async () => {
    const key = new Uint8Array(readFileSync(folder.file("device.der")));
    for (const [n, form] of ["device.key", "pkcs1.key", "device.der", "pkcs1.der"].entries()) {
      const out = `board${n}.bin`;
      await folder.good("nvs", out, "--key", form, "--certificate", "device.pem", "--root-ca", "other.pem");
      deepEqual(stored(out, "xs-ota-tls", "key"), key);
      deepEqual(stored(out, "xs-ota-tls", "cert"), der("device.pem"));
      deepEqual(stored(out, "xs-ota-tls", "root"), der("other.pem"));
      equal(statSync(folder.file(out)).mode & 0o777, 0o600);
      equal(statSync(folder.file(out)).size, 0x4000);
    }
  });

  it("writes Wi-Fi and whatever the application reads, and tells no value", async () => {
    folder.write("table", "bytes");
    const text = await folder.good(
      ...[
        "nvs",
        "app.bin",
        "--size",
        "24K",
        "--ssid",
        "workshop",
        "--password",
        "s3cret pass",
        "--namespace",
        "mine",
      ],
      ...[
        "--key",
        "device.key",
        "--text",
        "app:serial=00=42",
        "--blob",
        "app:table=table",
        "--number",
        "app:count=-3",
      ],
    );
    ok(!/s3cret|00=42/.test(text), text);
    const say = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);
    equal(say(stored("app.bin", "wifi", "ssid")), "workshop");
    equal(say(stored("app.bin", "wifi", "password")), "s3cret pass");
    equal(say(stored("app.bin", "app", "serial")), "00=42");
    equal(say(stored("app.bin", "app", "table")), "bytes");
    ok(stored("app.bin", "mine", "key"));
    equal(statSync(folder.file("app.bin")).size, 0x6000);
  });

  it("refuses what a device could not use, in words", async () => {
    await folder.bad(2, "SDK's TLS signs with RSA alone", "nvs", "x.bin", "--key", "ec.key");
    await folder.bad(
      2,
      "other.pem is not the certificate of device.key",
      "nvs",
      "x.bin",
      "--key",
      "device.key",
      "--certificate",
      "other.pem",
    );
    await folder.bad(2, "device.pem is no private key", "nvs", "x.bin", "--key", "device.pem");
    await folder.bad(2, "device.key is no certificate", "nvs", "x.bin", "--root-ca", "device.key");
    await folder.bad(2, "nothing to write", "nvs", "x.bin");
    await folder.bad(2, "namespace:key=value", "nvs", "x.bin", "--text", "serial=1");
    await folder.bad(2, "1 to 15 characters", "nvs", "x.bin", "--text", "app:a-key-that-is-too-long=1");
    await folder.bad(2, "whole number of 32 bits", "nvs", "x.bin", "--number", "app:n=1e3");
    await folder.bad(2, "size must be", "nvs", "x.bin", "--size", "5000", "--text", "a:b=c");
    await folder.bad(2, "there is no such file", "nvs", "x.bin", "--key", "none.key");
  });

  it("replaces nothing", async () => {
    folder.write("mine", "mine");
    await folder.bad(2, "exists already and is not replaced", "nvs", "mine", "--text", "a:b=c");
  });
});
