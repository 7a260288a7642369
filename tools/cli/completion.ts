/**
 * `xs-ota completion`: what a shell needs to complete commands and options, generated of the commands themselves.
 * @module
 */
import { Argument, Command, type Option } from "commander";
import { examples } from "./options.js";

const SHELLS = Object.freeze(["bash", "zsh", "fish"] as const);
export type Shell = (typeof SHELLS)[number];

/** A command as a shell sees it. */
interface Node {
  /** Names from below the program on, with blanks between them. */
  readonly path: string;
  readonly children: readonly { readonly name: string; readonly text: string }[];
  readonly options: readonly Option[];
  /** Words an argument is one of. */
  readonly words: readonly string[];
}

export function completionCommand(): Command {
  return new Command("completion")
    .summary("completion of commands and options for a shell")
    .description("Prints a script by which a shell completes commands, options and their values.")
    .addArgument(new Argument("<shell>", "which one").choices([...SHELLS]))
    .addHelpText(
      "after",
      examples([
        ["source <(xs-ota completion bash)", "for this shell; in ~/.bashrc for all"],
        ["source <(xs-ota completion zsh)", "the same in ~/.zshrc, behind compinit"],
        ["xs-ota completion fish > ~/.config/fish/completions/xs-ota.fish", ""],
      ]),
    )
    .action((shell: Shell, _options: object, command: Command) => {
      process.stdout.write(completionScript(command.parent!, shell));
    });
}

/** The script for a shell, which ends in a newline. */
export function completionScript(program: Command, shell: Shell): string {
  return WRITERS[shell](nodesOf(program));
}

function nodesOf(program: Command): Node[] {
  const visit = (command: Command, path: string): Node[] => [
    {
      path,
      children: command.commands.map((child) => ({ name: child.name(), text: child.summary() })),
      options: command.options,
      words: command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
    },
    ...command.commands.flatMap((child) => visit(child, path ? `${path} ${child.name()}` : child.name())),
  ];
  return visit(program, "");
}

/** Patterns of a path so far and the word that leads further. */
const steps = (nodes: readonly Node[]) =>
  nodes.flatMap(({ path, children }) => children.map(({ name }) => `"${path} ${name}"`)).join("|");

const names = ({ short, long }: Option) => [short, long].filter((name) => name !== undefined);

const choices = (nodes: readonly Node[]) =>
  nodes.flatMap(({ path, options }) =>
    options.flatMap((option) =>
      option.argChoices ? [{ path, flag: option.long!, values: option.argChoices.join(" ") }] : [],
    ),
  );

const WRITERS: Readonly<Record<Shell, (nodes: readonly Node[]) => string>> = Object.freeze({
  bash: (nodes) => `_xs_ota() {
  local current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" path="" word words=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$path $word" in
      ${steps(nodes)}) path="\${path:+$path }$word" ;;
    esac
  done
  case "$path $before" in
${choices(nodes)
  .map(
    ({ path, flag, values }) =>
      `    "${path} ${flag}") COMPREPLY=($(compgen -W "${values}" -- "$current")); return ;;`,
  )
  .join("\n")}
  esac
  case "$path" in
${nodes.map((node) => `    "${node.path}") words="${wordsOf(node).join(" ")}" ;;`).join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  [[ $current == -* || -z $path ]] || COMPREPLY+=($(compgen -f -- "$current"))
}
complete -o filenames -F _xs_ota xs-ota
`,
  zsh: (nodes) => `#compdef xs-ota
_xs_ota() {
  local at="" word
  local -a entries
  for word in \${words[2,CURRENT-1]}; do
    case "$at $word" in
      ${steps(nodes)}) at="\${at:+$at }$word" ;;
    esac
  done
  case "$at \${words[CURRENT-1]}" in
${choices(nodes)
  .map(({ path, flag, values }) => `    "${path} ${flag}") compadd -- ${values}; return ;;`)
  .join("\n")}
  esac
  case "$at" in
${nodes.map((node) => `    "${node.path}") entries=(${described(node).join(" ")}) ;;`).join("\n")}
  esac
  _describe xs-ota entries
  [[ -z $at ]] || _files
}
if [[ $funcstack[1] == _xs_ota ]]; then _xs_ota "$@"; else compdef _xs_ota xs-ota; fi
`,
  fish: (nodes) => `function __xs_ota_at
  set -l at ""
  for word in (commandline -opc)[2..-1]
    switch "$at $word"
      case ${steps(nodes).replaceAll("|", " ")}
        set at (string trim "$at $word")
    end
  end
  test "$at" = "$argv[1]"
end
${nodes.flatMap(fishLines).join("\n")}
`,
});

function wordsOf({ children, options, words }: Node): string[] {
  return [...children.map(({ name }) => name), ...options.flatMap(names), ...words];
}

/** `'name:text'` */
function described({ children, options, words }: Node): string[] {
  const entries = [
    ...children.map(({ name, text }) => [name, text]),
    ...options.flatMap((option) => names(option).map((name) => [name, option.description])),
    ...words.map((word) => [word, ""]),
  ];
  return entries.map(([name, text]) => quoted(`${name.replaceAll(":", "\\:")}:${text}`));
}

function fishLines({ path, children, options, words }: Node): string[] {
  const at = `complete -c xs-ota -n ${quoted(`__xs_ota_at "${path}"`)}`;
  return [
    ...children.map(({ name, text }) => `${at} -f -a ${name} -d ${quoted(text)}`),
    ...options.map(({ short, long, argChoices, required, optional, description }) => {
      const flags = `${short ? ` -s ${short.slice(1)}` : ""}${long ? ` -l ${long.slice(2)}` : ""}`;
      const value = argChoices ? ` -x -a ${quoted(argChoices.join(" "))}` : required || optional ? " -r" : "";
      return `${at}${flags}${value} -d ${quoted(description)}`;
    }),
    ...(words.length > 0 ? [`${at} -f -a ${quoted(words.join(" "))}`] : []),
  ];
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "’")}'`;
}
