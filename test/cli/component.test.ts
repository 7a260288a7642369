import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { parseComponentHeader } from "../../src/components/header.js";
import { parseStatement } from "../../src/components/statement.js";
import { deepEqual, equal } from "../support/assert.js";
import { Folder } from "./run.js";

const OF_APP = ["--project", "my-app", "--version", "1.2.0"];

describe("xs-ota component, bundle", () => {
  let folder: Folder;

  before(async () => {
    folder = new Folder();
    folder.write("content", "<h1>Hello</h1>");
    await folder.good("demo-image", "app.bin", "--project", "my-app", "--version", "2.0.0");
    await folder.good("component", "content", "--name", "assets", ...OF_APP, "--out", "assets.xac");
  });

  after(() => folder.close());

  const read = (name: string) => new Uint8Array(readFileSync(folder.file(name)));

  it("puts a header before the content", () => {
    const file = read("assets.xac");
    deepEqual(parseComponentHeader(file, file.length), {
      name: "assets",
      projectName: "my-app",
      version: "1.2.0",
      minFirmware: "",
      maxFirmware: "",
    });
    equal(new TextDecoder().decode(file.subarray(256)), "<h1>Hello</h1>");
  });

  it("states which files belong together", async () => {
    const text = await folder.good("bundle", "app.bin", "assets.xac", "--sequence", "12", "--out", "set.xas");
    equal(/^set\.xas: set 12 of my-app, 2 files$/m.test(text), true, text);
    const { sequence, projectName, entries } = parseStatement(read("set.xas"));
    deepEqual([sequence, projectName], [12, "my-app"]);
    const digest = (name: string) => new Uint8Array(createHash("sha256").update(read(name)).digest());
    deepEqual(entries, [
      { name: "firmware", version: "2.0.0", digest: digest("app.bin") },
      { name: "assets", version: "1.2.0", digest: digest("assets.xac") },
    ]);
  });

  it("replaces nothing unless told to", async () => {
    const component = ["component", "content", "--name", "assets", ...OF_APP, "--out", "assets.xac"];
    await folder.bad(2, "exists already: --force replaces it", ...component);
    await folder.good(...component, "--force");
    folder.write("mine", "mine");
    const bundle = ["bundle", "assets.xac", "--sequence", "1", "--out", "mine"];
    await folder.bad(2, "exists already: --force replaces it", ...bundle);
    equal(new TextDecoder().decode(read("mine")), "mine");
  });

  it("refuses what cannot be stated", async () => {
    const out = ["--out", "none"];
    await folder.bad(2, 'name "a b"', "component", "content", "--name", "a b", ...OF_APP, ...out);
    await folder.bad(
      2,
      'version "ü"',
      "component",
      "content",
      "--name",
      "a",
      "--project",
      "p",
      "--version",
      "ü",
      ...out,
    );
    await folder.bad(2, "is neither the file of a component", "bundle", "content", "--sequence", "1", ...out);
    await folder.bad(2, '--sequence "-1" is no number', "bundle", "assets.xac", "--sequence", "-1", ...out);
    await folder.good(
      "component",
      "content",
      "--name",
      "b",
      "--project",
      "other",
      "--version",
      "1",
      "--out",
      "b.xac",
    );
    await folder.bad(
      2,
      "b.xac is of other, assets.xac of my-app",
      "bundle",
      "assets.xac",
      "b.xac",
      "--sequence",
      "1",
      ...out,
    );
  });
});
