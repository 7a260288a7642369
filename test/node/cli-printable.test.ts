import { printable, printableData, printableLines } from "../../tools/cli/printable.js";
import { deepEqual, equal } from "../support/assert.js";

const TITLE = "\x1b]0;owned\x07";

describe("xs-ota: texts on a terminal", () => {
  it("shows what would command a terminal instead of sending it", () => {
    equal(printable(`a${TITLE}b`), "a\\u001b]0;owned\\u0007b");
    for (const code of [0, 7, 8, 9, 10, 13, 0x1b, 0x7f, 0x85, 0x9b, 0xad, 0x200b, 0x202e, 0x2028, 0xfeff])
      equal(printable(String.fromCharCode(code)), `\\u${code.toString(16).padStart(4, "0")}`);
    equal(printable("\u{e0041}"), "\\udb40\\udc41");
    equal(printable("Größe 漢字 ✓ █"), "Größe 漢字 ✓ █");
  });

  it("leaves colours of its own in a line, and nothing else", () => {
    const line = `\x1b[32mgood\x1b[39m \x1b[2J\x1b[38;5;1m\n`;
    equal(printableLines(line, true), "\x1b[32mgood\x1b[39m \\u001b[2J\\u001b[38;5;1m\n");
    equal(printableLines(line, false), "good \\u001b[2J\\u001b[38;5;1m\n");
  });

  it("cleans data in depth, so that a device cannot forge a colour", () => {
    const data = { [`k${TITLE}`]: ["\x1b[31mred", { n: 1, t: null }] };
    deepEqual(printableData(data), { "k\\u001b]0;owned\\u0007": ["\\u001b[31mred", { n: 1, t: null }] });
  });

  it("keeps JSON what it is", () => {
    const value = { text: "\x9b1m \u202e", more: "\x1b" };
    deepEqual(JSON.parse(printableLines(JSON.stringify(value, null, 2), false)), value);
  });
});
