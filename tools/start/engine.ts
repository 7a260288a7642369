/**
 * What runs the device of `npm start`.
 * @module
 */
import type { EngineName } from "../../hosts/node/engine.js";
import { xsnapPath } from "../../hosts/xs/worker.js";

export interface Choice {
  readonly engine: EngineName;
  /** Why it is not XS although nobody asked for another. */
  readonly reason?: string;
}

/**
 * @param asked what the user wants; undefined: XS where it can be had
 * @param find throws when the XS engine is not there
 * @throws Error of `find`, when XS was asked for
 */
export function chooseEngine(asked: EngineName | undefined, find: () => unknown = xsnapPath): Choice {
  if (asked === "node") return { engine: "node" };
  try {
    find();
    return { engine: "xs" };
  } catch (error) {
    if (asked) throw error;
    return { engine: "node", reason: (error as Error).message };
  }
}
