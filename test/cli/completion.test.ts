import { spawnSync } from "node:child_process";
import type { Command } from "commander";
import { completionScript, type Shell } from "../../tools/cli/completion.js";
import { makeProgram } from "../../tools/cli/program.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { commandsOf } from "../support/shell-words.js";
import { Folder } from "./run.js";

/** Words before the cursor, and what they are completed to. */
const CASES: readonly (readonly [words: readonly string[], expected: readonly string[]])[] = [
  [["dep"], ["deploy"]],
  [["aws", "ver"], ["versions"]],
  [
    ["keygen", "--type", "rsa"],
    ["rsa-2048", "rsa-3072"],
  ],
  [["aws", "deploy", "--bu"], ["--bucket"]],
  [["deploy", "v2.bin", "--stages", "5", "--stage-s"], ["--stage-success"]],
  [["hawkbit", "watch", "--roll"], ["--rollout"]],
  [["inspect", "v2.b"], ["v2.bin"]],
  [["completion", "f"], ["fish"]],
  [["nothing", "dep"], ["deploy"]],
];

/**
 * Has each shell complete the words as its own functions ask it to, and print what it would offer, a word a line. zsh's
 * helpers print what they are given, which is matched with the last word here as zsh does by itself.
 */
const ASK: Readonly<Record<Shell, (script: string, words: readonly string[]) => readonly string[]>> = {
  bash: (script, words) => [
    "bash",
    "-c",
    `${script}\nCOMP_WORDS=(${quoted(words)}); COMP_CWORD=${words.length - 1}; _xs_ota; printf '%s\\n' "\${COMPREPLY[@]}"`,
  ],
  zsh: (script, words) => [
    ...["zsh", "-f", "-c"],
    `compdef() {}\n_describe() { printf '%s\\n' "\${(@)\${(@P)2}%%:*}" }\ncompadd() { shift; printf '%s\\n' "$@" }\n_files() { print -l -- *(N) }
${script}\nwords=(${quoted(words)}); CURRENT=${words.length}; _xs_ota`,
  ],
  fish: (script, words) => [
    ...["fish", "--no-config", "-c"],
    `${script}\ncomplete --do-complete=${quoted([words.join(" ")])} | string replace -r '\\t.*' ''`,
  ],
};

const quoted = (words: readonly string[]) => words.map((word) => `'${word}'`).join(" ");
const isInstalled = (shell: string) => spawnSync(shell, ["-c", "exit 0"]).status === 0;

describe("xs-ota completion", () => {
  let folder: Folder;
  const all = (command: Command): Command[] => [command, ...command.commands.flatMap(all)];
  const script = (shell: Shell) => completionScript(makeProgram(), shell);

  before(() => {
    folder = new Folder();
    folder.write("v2.bin", "");
  });
  after(() => folder.close());

  // bash is everywhere; of the others there is a test where the shell is.
  for (const shell of (["bash", "zsh", "fish"] as const).filter(
    (name) => name === "bash" || isInstalled(name),
  ))
    it(`completes commands, options and their values in ${shell}, by the shell itself`, () => {
      for (const [words, expected] of CASES) {
        const [program, ...args] = ASK[shell](script(shell), ["xs-ota", ...words]);
        const { stdout, stderr } = spawnSync(program, args, { cwd: folder.path, encoding: "utf8" });
        equal(stderr, "");
        const found = stdout.split("\n").filter((word) => word !== "" && word.startsWith(words.at(-1)!));
        deepEqual(found.sort(), expected, words.join(" "));
      }
    });

  it("prints the script, and knows no other shell", async () => {
    equal(await folder.good("completion", "bash"), script("bash"));
    await folder.bad(2, "Allowed choices are bash, zsh, fish", "completion", "tcsh");
  });

  it("has every command and option with its description in fish's script, every quote closed", () => {
    const lines = commandsOf(script("fish"), {}).filter(([program]) => program === "complete");
    const has = (flag: string, name: string, text: string) =>
      lines.some(
        (words) => words[words.indexOf(flag) + 1] === name && words.at(-1) === text.replaceAll("'", "’"),
      );
    for (const command of all(makeProgram()).slice(1)) {
      ok(has("-a", command.name(), command.summary()), command.name());
      for (const { long, description } of command.options)
        ok(has("-l", long!.slice(2), description), `${command.name()} ${long}`);
    }
  });

  it("has every command and option with its description in zsh's script, every quote closed", () => {
    const words = commandsOf(script("zsh").replaceAll("[[", "").replaceAll("]]", ""), {}).flat();
    for (const command of all(makeProgram()).slice(1)) {
      ok(words.includes(`${command.name()}:${command.summary().replaceAll("'", "’")}`), command.name());
      for (const { long, description } of command.options)
        ok(words.includes(`${long}:${description.replaceAll("'", "’")}`), `${command.name()} ${long}`);
    }
  });
});
