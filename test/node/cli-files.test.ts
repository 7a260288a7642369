import { execFileSync, spawn } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FileStorage } from "../../hosts/node/file-storage.js";
import { replaceFile } from "../../hosts/node/replace-file.js";
import { Desk } from "../../service/desk.js";
import { FileProblem, readRegularFile } from "../../service/regular-file.js";
import { folderName } from "../../tools/cli/device/fleet.js";
import { readBytes, refuseExisting, writeNew, writeWhole } from "../../tools/cli/files.js";
import { lockFolder } from "../../tools/cli/lock.js";
import { deepEqual, equal, ok, throws } from "../support/assert.js";

describe("xs-ota: files of others", () => {
  let folder: string;
  const at = (name: string) => join(folder, name);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "xs-ota-files-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("replaces nothing unless told to", () => {
    writeFileSync(at("file"), "old");
    throws(() => writeWhole(at("file"), "new", false), { message: "--force" });
    equal(readFileSync(at("file"), "utf8"), "old");
    writeWhole(at("file"), "new", true);
    equal(readFileSync(at("file"), "utf8"), "new");
  });

  it("replaces no key, folder or link's target, also when told to replace", () => {
    writeFileSync(at("key"), "# mine\n-----BEGIN PRIVATE KEY-----\nAAAA\n");
    throws(() => writeWhole(at("key"), "new", true), { message: "private key" });
    mkdirSync(at("dir"));
    throws(() => writeWhole(at("dir"), "new", true), { message: "no file" });
    symlinkSync(at("key"), at("link"));
    throws(() => writeWhole(at("link"), "new", true), { message: "no file" });
    throws(() => writeWhole(at("link"), "new", false), { message: "exists" });
    symlinkSync(at("nowhere"), at("dangling"));
    throws(() => writeNew(at("dangling"), "new"), { message: "exists" });
    throws(() => refuseExisting(at("dangling")), { message: "exists" });
    ok(!existsSync(at("nowhere")), "the link was followed");
    ok(readFileSync(at("key"), "utf8").startsWith("# mine"), "the key was written");
  });

  it("writes through no link planted where a new file is made", () => {
    writeFileSync(at("victim"), "mine");
    symlinkSync(at("victim"), at("file.new"));
    replaceFile(at("file"), "content");
    equal(readFileSync(at("victim"), "utf8"), "mine");
    equal(readFileSync(at("file"), "utf8"), "content");
    symlinkSync(at("victim"), at("flash.bin"));
    throws(() => new FileStorage(at("flash.bin"), () => new Uint8Array(16)), { code: "ELOOP" });
    execFileSync("mkfifo", [at("pipe")]);
    throws(() => new FileStorage(at("pipe"), () => new Uint8Array(16)), { message: "no flash file" });
  });

  it("reads devices and endless pipes never without end", () => {
    throws(() => readBytes("/dev/zero"), { message: "it is a device" });
    throws(() => readBytes(at("none")), { message: "no such file" });
    throws(() => readBytes(folder), { message: "it is a folder" });
  });

  it("reads of a folder of images what is a file alone", async () => {
    execFileSync("mkfifo", [at("pipe.bin")]);
    symlinkSync(at("nowhere"), at("dangling.bin"));
    symlinkSync(at("circle.bin"), at("circle.bin"));
    mkdirSync(at("folder.bin"));
    writeFileSync(at("real.bin"), "no image");
    for (const name of ["pipe", "dangling", "circle", "folder"])
      throws(() => readRegularFile(at(`${name}.bin`), 100), { type: FileProblem });
    throws(() => readRegularFile(at("real.bin"), 7), { message: "too large" });
    equal(readRegularFile(at("real.bin"), 8).length, 8);
    const desk = await Desk.open({ folder: at("data"), images: folder });
    try {
      deepEqual(
        desk.images().map(({ name, problem }) => `${name}: ${problem}`),
        [
          "circle.bin: its links lead in a circle",
          "dangling.bin: it is a link to nowhere, or gone",
          "folder.bin: it is no file",
          "pipe.bin: it is no file",
          "real.bin: the image ends before byte 24",
        ],
      );
      throws(() => desk.image("pipe.bin"), { code: "ResourceNotFound" });
    } finally {
      await desk.close();
    }
  });

  it("gives distinct things distinct folders, also where a and A are the same", () => {
    const names = ["a:b", "a_b", "A:b", "a-b", "ab", "AB", "%41"];
    const folders = names.map((name) => folderName(name).toLowerCase());
    equal(new Set(folders).size, names.length);
    equal(folderName("board-1"), "board-1");
  });

  it("lets one process use a folder, and takes over what one that has gone has left", async () => {
    const release = lockFolder(folder);
    writeFileSync(at("lock"), "1\n");
    throws(() => lockFolder(folder), { message: "in use by process 1" });
    release();
    const gone = spawn(process.execPath, ["-e", ""]);
    await new Promise((resolve) => gone.once("exit", resolve));
    writeFileSync(at("lock"), `${gone.pid}\n`);
    lockFolder(folder)();
    writeFileSync(at("lock"), "rubbish");
    lockFolder(folder)();
    ok(!lstatSync(at("lock"), { throwIfNoEntry: false }), "the lock is left");
    throws(() => lockFolder(at("none")), { message: "no such file" });
  });
});
