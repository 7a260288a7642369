import { plain, plainDetails } from "../../src/control/words.js";
import { deepEqual, equal, ok } from "../support/assert.js";

/** Characters of the categories Cc, Cf, Cs, Co and Cn. */
const REFUSED = [
  ...["\u0000", "\u001b", "\u007f", "\u0085", "\u00ad", "\u0600", "\u200b", "\u202e", "\u2066", "\ufeff"],
  ...[
    "\ud800",
    "\udfff",
    "\ue000",
    "\uf8ff",
    "\u0378",
    "\u038b",
    "\uffff",
    "\u{e0001}",
    "\u{f0000}",
    "\u{10ffff}",
  ],
];

describe("words of a status", () => {
  for (const character of REFUSED)
    it(`U+${character.codePointAt(0)?.toString(16)} is replaced`, () => {
      equal(plain(`a${character}b`), "a?b");
    });

  it("ends of lines and tabs become a space", () => {
    equal(plain("battery low\r\n\t3.2 V"), "battery low 3.2 V");
  });

  it("spaces stay as they are: back ends count them", () => {
    equal(plain("accepted  v1.0.1"), "accepted  v1.0.1");
  });

  for (const text of [
    "Größe 3,2 µV ± 1 °C – „gut“ …",
    "батарея",
    "μπαταρία",
    "電池残量ひくい",
    "배터리",
    "№ 5 € → ½",
  ])
    it(`"${text}" is taken as it is`, () => {
      equal(plain(text), text);
    });

  it("what lies beyond the first plane is replaced as a whole", () => {
    equal(plain("\u{1f50b} low"), "? low");
  });

  it("is never empty", () => {
    deepEqual(["", "\n", "\u0000"].map(plain), ["-", " ", "?"]);
  });

  it("is cut at a character", () => {
    equal(plain("x".repeat(5000)).length, 1024);
    const cut = plain(`${"x".repeat(1023)}\u{1f50b}`);
    equal(cut, `${"x".repeat(1023)}?`);
  });

  it("what is no text becomes one", () => {
    deepEqual([12, true, null, undefined].map(plain), ["12", "true", "null", "undefined"]);
  });

  it("keys have the letters the service takes, and a length", () => {
    const details = plainDetails({ "step 1/2": "a", "": "b", [`${"k".repeat(200)}`]: "c" });
    deepEqual(Object.keys(details), ["step_1_2", "_", "k".repeat(128)]);
  });

  it("ten pairs, no more", () => {
    const many: Record<string, string> = {};
    for (let i = 0; i < 20; i++) many[`k${i}`] = "v";
    const keys = Object.keys(plainDetails(many));
    ok(keys.length === 10 && keys[9] === "k9", keys.join());
  });
});
