/**
 * The command lines of the documents, and the examples of `--help`, are ones the programs take: those of `xs-ota` by its own
 * parser, those of AWS by the schemas of AWS's SDK. None of them is run.
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import * as iam from "@aws-sdk/client-iam";
import * as iot from "@aws-sdk/client-iot";
import * as s3 from "@aws-sdk/client-s3";
import type { Command } from "commander";
import { makeProgram } from "../../tools/cli/program.js";
import { modelProblem } from "../cli/aws-model.js";
import { deepEqual, ok } from "../support/assert.js";
import { commandsOf } from "../support/shell-words.js";

const ROOT = new URL("../../", import.meta.url);
const VARIABLES = { REGION: "eu-central-1", ACCOUNT: "123456789012", THING: "board-1", VERSION: "v1" };
/** What a reader fills in. */
const GIVEN: Readonly<Record<string, string>> = {
  arn: "arn:aws:acm:eu-central-1:123456789012:certificate/1",
};
const SERVICES: Readonly<Record<string, object>> = { iam, iot, s3api: s3 };
/** Of the command line of AWS itself, not of its services; or of a service whose SDK is not here. */
const BY_HAND: readonly string[] = ["acm import-certificate"];
/** Where the command line of AWS puts a part of the answer. */
const OF_THE_CLI: readonly string[] = ["query", "output", "certificate-pem-outfile"];

interface Line {
  readonly from: string;
  readonly words: readonly string[];
}

const all = (command: Command): Command[] => [command, ...command.commands.flatMap(all)];

function linesOf(from: string, script: string): Line[] {
  const filled = script.replace(/<([a-zA-Z][\w .-]*)>/g, (_, name: string) => GIVEN[name] ?? "x");
  return commandsOf(filled, VARIABLES).map((words) => ({ from, words }));
}

function documents(): Line[] {
  const files = ["README.md", ...readdirSync(new URL("docs/", ROOT)).map((name) => `docs/${name}`)];
  return files
    .filter((file) => file.endsWith(".md"))
    .flatMap((file) => {
      const text = readFileSync(new URL(file, ROOT), "utf8");
      const blocks = [...text.matchAll(/^ *```sh\n([\s\S]*?)^ *```/gm)].map(([, block]) => block);
      return blocks.flatMap((block) => linesOf(file, block));
    });
}

/** Under "Examples:" of each `--help`; a comment stands behind two blanks, an option alone belongs to the line before. */
function helpExamples(): Line[] {
  return all(makeProgram()).flatMap((command) => {
    let text = "";
    command.configureOutput({ writeOut: (part) => (text += part) });
    command.outputHelp();
    const [, examples = ""] = /\nExamples:\n((?: {2}.*\n?)+)/.exec(text) ?? [];
    const script = examples.replace(/^ {2}(.*?)(?: {2,}.*)?$/gm, "$1").replace(/\n(?= *--)/g, " ");
    return linesOf(`${command.name()} --help`, script);
  });
}

/** The words behind the name of the program; undefined for other programs. */
function behind(program: string, { words }: Line): readonly string[] | undefined {
  const from = words[0] === "npx" ? 1 : words[0] === "npm" && words[1] === "exec" ? 2 : 0;
  return words[from] === program ? words.slice(from + 1) : undefined;
}

/** Why `xs-ota` would not take these words; undefined when it would. */
async function problemOf(words: readonly string[]): Promise<string | undefined> {
  const program = makeProgram();
  let problem = "";
  for (const command of all(program)) {
    if (command.commands.length === 0) command.action(() => {});
    command.configureOutput({ writeOut: () => {}, writeErr: (text) => (problem += text) });
  }
  try {
    await program.parseAsync(words as string[], { from: "user" });
    return undefined;
  } catch (error) {
    return (error as { exitCode?: number }).exitCode === 0 ? undefined : problem || String(error);
  }
}

/** Options that the command named first does not have, where words are left out of a line. */
function unknownOptions(words: readonly string[]): string[] {
  let command = makeProgram();
  for (const word of words) command = command.commands.find((child) => child.name() === word) ?? command;
  return words.filter(
    (word) =>
      /^--?[a-z]/.test(word) && !command.options.some(({ long, short }) => word === long || word === short),
  );
}

const kebab = (name: string) =>
  name
    .replace(/([a-z\d])([A-Z])/g, "$1-$2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1-$2")
    .toLowerCase();

/** Why AWS's own command line would not take these words: operation, options, and what is given as JSON. */
function awsProblem([service, operation, ...words]: readonly string[]): string | undefined {
  const sdk = SERVICES[service];
  if (!sdk) return `nobody knows the service ${service}`;
  const schemas = Object.entries(sdk).filter(([name]) => name.endsWith("Request$"));
  const [, schema] = schemas.find(([name]) => kebab(name.slice(0, -"Request$".length)) === operation) ?? [];
  if (!schema) return `${service} has no ${operation}`;
  const members = schema[4] as readonly string[];
  const required = members.slice(0, schema[6] ?? 0);
  const input: Record<string, unknown> = {};
  for (let at = 0; at < words.length; ) {
    const option = words[at++].replace(/^--/, "");
    const values: string[] = [];
    while (at < words.length && !words[at].startsWith("--")) values.push(words[at++]);
    if (OF_THE_CLI.includes(option)) continue;
    const member = members.find((name) => kebab(name) === option);
    if (!member) return `${operation} has no --${option}`;
    if (values.length === 1 && /^[[{]/.test(values[0])) input[member] = JSON.parse(values[0]);
    else if (/^\w+=/.test(values[0] ?? "")) input[member] = Object.fromEntries([values[0].split("=")]);
    else input[member] = values.length === 0 ? true : member.endsWith("s") ? values : values[0];
  }
  const missing = required.find((name) => !(name in input));
  // A document of a job or template is a text to AWS.
  for (const name of ["document", "templateBody"])
    if (typeof input[name] === "object") input[name] = JSON.stringify(input[name]);
  // Bytes are a file to the command line.
  if ("Body" in input) delete input["Body"];
  return missing ? `${operation} needs --${kebab(missing)}` : modelProblem(schema, input, operation);
}

describe("the command lines of the documents", () => {
  const lines = [...documents(), ...helpExamples()];
  const environment = { ...process.env };

  before(() => {
    Object.assign(process.env, { AWS_REGION: "eu-central-1", HAWKBIT_URL: "http://localhost:8080" });
  });
  after(() => {
    process.env = environment;
  });

  it("xs-ota takes those that are its own", async () => {
    const problems: string[] = [];
    let count = 0;
    for (const line of lines) {
      const words = behind("xs-ota", line);
      if (!words) continue;
      count++;
      const isPart = words.some((word) => word.includes("…"));
      const problem = isPart ? unknownOptions(words).join() : await problemOf(words);
      if (problem) problems.push(`${line.from}: ${line.words.join(" ")}: ${problem}`);
    }
    deepEqual(problems, []);
    ok(count > 100, `${count} command lines`);
  });

  it("AWS takes those that are for it", () => {
    const problems: string[] = [];
    let count = 0;
    for (const line of lines) {
      const words = behind("aws", line);
      if (!words || BY_HAND.includes(words.slice(0, 2).join(" "))) continue;
      count++;
      const problem = awsProblem(words);
      if (problem) problems.push(`${line.from}: ${line.words.join(" ")}: ${problem}`);
    }
    deepEqual(problems, []);
    ok(count >= 12, `${count} command lines`);
  });

  it("tells a wrong one", async () => {
    deepEqual(awsProblem(["iot", "create-thing", "--thing", "x"]), "create-thing has no --thing");
    deepEqual(awsProblem(["iot", "attach-policy", "--policy-name", "x"]), "attach-policy needs --target");
    ok((await problemOf(["deploy", "v2.bin", "--everything"]))?.includes("unknown option"));
    deepEqual(unknownOptions(["aws", "deploy", "…", "--execute", "--buckets"]), ["--buckets"]);
  });
});
