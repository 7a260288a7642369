/**
 * The agent that makes its AWS IoT Jobs itself, without the port for other fleet services: what that costs a product that has AWS
 * alone is the difference.
 * @module
 */
import type { Edit } from "./edits.js";

export const PORT: readonly Edit[] = [
  [
    "agent.ts",
    'import type { ControlPlane } from "./control/control-plane.js";',
    'import { Jobs } from "./control/jobs.js";',
  ],
  ["agent.ts", "readonly #jobs: ControlPlane;", "readonly #jobs: Jobs;"],
  ["agent.ts", "this.#options.controlPlane(this.#options, ", "new Jobs(this.#options, "],
  ["options.ts", "controlPlane function ?\n", ""],
  ["options.ts", '(least || (name === "mqtt" && checked["controlPlane"]))', "least"],
  [
    "options.ts",
    'checked["controlPlane"] ??= ((context, tell) => new Jobs(context, tell)) satisfies ControlPlaneFactory;',
    "",
  ],
  ["options.ts", 'import { Jobs } from "./control/jobs.js";\n', ""],
];
