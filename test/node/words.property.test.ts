import { plain } from "../../src/control/words.js";
import { equal } from "../support/assert.js";

describe("words of a status, every character", () => {
  it("none that AWS refuses gets through, by the Unicode tables of this Node", () => {
    for (let code = 0; code <= 0x10ffff; code++)
      if (/\p{C}/u.test(plain(String.fromCodePoint(code)))) equal(code.toString(16), "");
  });
});
