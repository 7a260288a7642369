/**
 * Reads what a shell would run from a block of a document: words as they are passed, without running anything.
 * @module
 */

/** What stands for the output of a command and for variables that are not given. */
export const UNKNOWN = "x";

/**
 * The commands of a script, each as its words: those in `$(…)` and `<(…)` before the one they are in. Redirections,
 * here-documents and comments are left out, as are assignments before a command.
 * @throws Error at a quote or bracket that is not closed
 */
export function commandsOf(
  script: string,
  variables: Readonly<Record<string, string | undefined>>,
): string[][] {
  const text = script.replace(/ <<'(\w+)'\n[\s\S]*?\n\1(?=\n|$)/g, "");
  const commands: string[][] = [];
  let words: string[] = [];
  let word: string | undefined;
  let isTarget = false;
  let at = 0;
  const add = (part: string) => {
    word = (word ?? "") + part;
  };
  const endWord = () => {
    if (word !== undefined && !isTarget && !(words.length === 0 && /^\w+=/.test(word))) words.push(word);
    if (word !== undefined) isTarget = false;
    word = undefined;
  };
  const endCommand = () => {
    endWord();
    if (words.length > 0) commands.push(words);
    words = [];
  };
  const until = (end: string, from: number) => {
    const found = text.indexOf(end, from);
    if (found < 0) throw new Error(`no ${end} behind ${text.slice(at, at + 40)}`);
    return found;
  };
  /** Of `$…` at `at`; leaves `at` behind it. */
  const expand = (): string => {
    if (text[at + 1] === "(") {
      const end = until(")", at);
      commands.push(...commandsOf(text.slice(at + 2, end), variables));
      at = end + 1;
      return UNKNOWN;
    }
    const [whole, name] = /^\$\{?(\w*)\}?/.exec(text.slice(at))!;
    at += whole.length;
    return variables[name] ?? UNKNOWN;
  };
  while (at < text.length) {
    const sign = text[at];
    if (sign === "\\") {
      if (text[at + 1] !== "\n") add(text[at + 1]);
      at += 2;
    } else if (sign === "'") {
      const end = until("'", at + 1);
      add(text.slice(at + 1, end));
      at = end + 1;
    } else if (sign === '"') {
      add("");
      for (at++; text[at] !== '"'; ) {
        if (at >= text.length) throw new Error(`a quote is not closed in ${script}`);
        if (text[at] === "$") add(expand());
        else add(text[at++]);
      }
      at++;
    } else if (sign === "$") add(expand());
    else if (sign === "#" && word === undefined) at = `${text}\n`.indexOf("\n", at);
    else if (/[\n;|&()]/.test(sign)) {
      endCommand();
      at++;
    } else if (sign === ">" || sign === "<") {
      endWord();
      isTarget = true;
      at++;
    } else if (/\s/.test(sign)) {
      endWord();
      at++;
    } else {
      add(sign);
      at++;
    }
  }
  endCommand();
  return commands;
}
