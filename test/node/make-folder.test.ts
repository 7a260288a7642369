/** Folders that the service and the command line make. */
import { ok, throws } from "node:assert";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeFolder } from "../../service/make-folder.js";

describe("folders", () => {
  let base = "";
  before(() => {
    base = mkdtempSync(join(tmpdir(), "xs-ota-folder-"));
  });
  after(() => rmSync(base, { recursive: true }));

  it("are made with those they lie in, once", () => {
    const path = join(base, "a/b/c");
    makeFolder(path);
    makeFolder(path);
    ok(existsSync(path));
  });

  it("are not made inside of a file", () => {
    writeFileSync(join(base, "file"), "");
    throws(() => makeFolder(join(base, "file/a/b")), /ENOTDIR/);
    throws(() => makeFolder(join(base, "file")), /EEXIST/);
  });

  it("are refused where the system has none: `serve --data /proc/x` never ended before", () => {
    throws(() => makeFolder("/proc/xs-ota/a"), /ENOENT|EPERM|EACCES/);
  });
});
