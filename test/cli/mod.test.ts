import { existsSync, readFileSync } from "node:fs";
import { parseComponentHeader } from "../../src/components/header.js";
import { parseModHeader } from "../../src/mods/header.js";
import { GREET_ARCHIVE } from "../data/greet-archive.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { hex } from "../support/hex.js";
import { Folder } from "./run.js";

const OF_APP = ["--project", "my-app", "--version", "1.2.0"];

describe("xs-ota mod", () => {
  let folder: Folder;

  before(async () => {
    folder = new Folder();
    folder.write("greet.xsa", hex(GREET_ARCHIVE.trim()));
    folder.write("main.js", "export const version = 1;\n");
    await folder.good("mod", "build", "greet.xsa", ...OF_APP, "--new-names", "3", "--out", "greet.xam");
  });

  after(() => folder.close());

  const read = (name: string) => new Uint8Array(readFileSync(folder.file(name)));

  it("puts its headers before an archive", () => {
    const file = read("greet.xam");
    const { name, projectName, version } = parseComponentHeader(file, file.length);
    deepEqual([name, projectName, version], ["mod", "my-app", "1.2.0"]);
    deepEqual(parseModHeader(file, file.length), { xs: [17, 7, 0], newNames: 3, host: undefined });
    deepEqual(file.subarray(288), hex(GREET_ARCHIVE.trim()));
  });

  it("shows what a mod and an archive hold, without the SDK", async () => {
    const text = await folder.good("mod", "inspect", "greet.xam");
    for (const line of [
      /^Component +mod 1\.2\.0 of my-app$/m,
      /^XS +17\.7\.0$/m,
      /^Archive +demo, 8 names in 19 places$/m,
      /^greet +module +282$/m,
      /^note\.txt +resource +10$/m,
    ])
      ok(line.test(text), text);
    const { archive } = JSON.parse(await folder.good("mod", "inspect", "greet.xsa", "--json"));
    deepEqual(archive.symbols.slice(0, 3), ["@", "#n", "default"]);
  });

  it("tells what a device would refuse", async () => {
    const bytes = read("greet.xam");
    bytes[400] = (bytes[400] as number) ^ 1;
    folder.write("spoiled.xam", bytes);
    const { code, stdout } = await folder.run("mod", "inspect", "spoiled.xam");
    equal(code, 1);
    ok(/A device would refuse it: /.test(stdout), stdout);
    await folder.good("keygen");
    await folder.bad(2, "spoiled.xam would be refused", "mod", "sign", "spoiled.xam");
    await folder.bad(2, "greet.xsa is an archive alone", "mod", "sign", "greet.xsa");
    await folder.bad(2, "is neither the file of a mod nor an archive", "mod", "inspect", "main.js");
  });

  it("signs as xs-ota sign does", async () => {
    await folder.good("mod", "sign", "greet.xam", "--out", "greet.sig");
    const text = await folder.good("verify", "greet.xam", "--signature", "greet.sig");
    ok(/The signature is good/.test(text));
  });

  it("refuses what cannot be made", async () => {
    const out = ["--out", "none"];
    await folder.bad(
      2,
      "32 hexadecimal digits",
      "mod",
      "build",
      "greet.xsa",
      ...OF_APP,
      "--host",
      "12",
      ...out,
    );
    await folder.bad(2, "one archive alone", "mod", "build", "greet.xsa", "main.js", ...OF_APP, ...out);
    await folder.bad(2, "project", "mod", "build", "greet.xsa", "--version", "1", ...out);
    folder.write("cut.xsa", read("greet.xsa").subarray(0, 300));
    await folder.bad(2, "cut.xsa: mod: ", "mod", "build", "cut.xsa", ...OF_APP, ...out);
    folder.write("other.js", "export const version = 1;\n");
    await folder.bad(2, "there is no main.js", "mod", "build", "other.js", ...OF_APP, ...out);
    ok(!existsSync(folder.file("none")));
  });

  if (process.env["MODDABLE"])
    it("compiles modules with the SDK", async () => {
      await folder.good("mod", "build", "main.js", ...OF_APP, "--out", "main.xam");
      ok(/^main +module +\d+$/m.test(await folder.good("mod", "inspect", "main.xam")));
    });
  else
    it("says what compiling needs", async () => {
      await folder.bad(2, "set MODDABLE", "mod", "build", "main.js", ...OF_APP, "--out", "main.xam");
    });
});
