/** Which engine `npm start` takes. */
import { deepStrictEqual, throws } from "node:assert";
import { chooseEngine } from "../../tools/start/engine.js";

describe("npm start: the engine", () => {
  const here = () => "/engine";
  const missing = () => {
    throw new Error("The XS engine has not been built");
  };

  it("is XS where that has been built", () => {
    deepStrictEqual(chooseEngine(undefined, here), { engine: "xs" });
    deepStrictEqual(chooseEngine("xs", here), { engine: "xs" });
  });

  it("is Node elsewhere, with the reason, where the demonstration ended with an error before", () => {
    const reason = "The XS engine has not been built";
    deepStrictEqual(chooseEngine(undefined, missing), { engine: "node", reason });
  });

  it("is the one that was asked for, or none", () => {
    deepStrictEqual(chooseEngine("node", here), { engine: "node" });
    throws(() => chooseEngine("xs", missing), /has not been built/);
  });
});
