/**
 * The certificate authority of a service: made once in its folder, and used again.
 * @module
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { makeFolder } from "../../service/make-folder.js";
import { TestCa } from "../../service/test-ca.js";
import { readText, writeNew } from "./files.js";

/** @throws Failure */
export async function loadAuthority(folder: string): Promise<TestCa> {
  const certificateFile = join(folder, "ca-cert.pem");
  const keyFile = join(folder, "ca-key.pem");
  if (existsSync(certificateFile) && existsSync(keyFile))
    return new TestCa(readText(certificateFile), readText(keyFile));
  const authority = await TestCa.create({ commonName: "xs-ota serve" });
  makeFolder(folder);
  writeNew(keyFile, authority.privateKey, 0o600);
  writeNew(certificateFile, `${authority.certificate.trimEnd()}\n`);
  return authority;
}
