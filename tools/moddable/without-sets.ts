/**
 * The agent without jobs whose files are installed together: what these cost a product that has firmware alone is the
 * difference.
 * @module
 */

import type { Edit } from "./edits.js";

export const SETS: readonly Edit[] = [
  ["agent.ts", "if (!active.set) this.#active = active", "this.#active = active"],
  [
    "agent.ts",
    "active.app = pal.describe ? pal.describe(job.files) : pal.running",
    "active.app = pal.running",
  ],
  ["agent.ts", "if (active.set?.judging) this.#post(Event.FileClosed, undefined, active);", ""],
  [
    "agent.ts",
    "const { job, file, planes, pal, set } = active;",
    "const { job, file, planes, pal } = active;",
  ],
  [
    "agent.ts",
    "const running = pal.describe ? pal.describe([file]) : (pal.running as AppDescription);",
    "const running = pal.running as AppDescription;",
  ],
  ["agent.ts", "!(set && set.files.length > 1) && ", ""],
  ["agent.ts", "report.receiving(received, total, active.set)", "report.receiving(received, total)"],
  ["agent.ts", "const { job, set, pal } = active;", ""],
  [
    "agent.ts",
    `    const file = set?.next(job.files);
    if (file) {
      active.file = file;
      active.planes = planesFor(job, file, this.#planes);
      active.repairs = 0;
      active.reported = active.outcome = undefined;
      return this.#createFile();
    }
`,
    "",
  ],
  ["agent.ts", 'active.payload = set ? "" : payloadOf(active)', "active.payload = payloadOf(active)"],
  ["agent.ts", "active.app = pal.coming ?? active.app;", ""],
  [
    "agent.ts",
    "const { app = this.#options.pal.running } = this.#active ?? {};",
    "const app = this.#options.pal.running;",
  ],
  ["agent.ts", "(active?.app ?? pal.running) as AppDescription", "pal.running as AppDescription"],
  ["control/offer.ts", "const other = options.otherPals?.[fileType];", ""],
  ["control/offer.ts", "const set = other ? undefined : options.pal.plan?.(files);", ""],
  ["control/offer.ts", "if (set instanceof OtaError) return set;", ""],
  [
    "control/offer.ts",
    "fileType && !set ? other : options.pal",
    "fileType ? options.otherPals?.[fileType] : options.pal",
  ],
  [
    "control/offer.ts",
    "!set && (whole.length > 1 || files.some((file) => file.fileType !== fileType))",
    "whole.length > 1 || files.some((file) => file.fileType !== fileType)",
  ],
  ["control/offer.ts", "set ? set.files : (pal.rank?.(files) ?? whole)", "pal.rank?.(files) ?? whole"],
  ["control/offer.ts", "served.length < (set ? choice.length : 1)", "!served.length"],
  ["control/offer.ts", "(set ?? pal).rollbackEnabled", "pal.rollbackEnabled"],
  ["control/offer.ts", "if (set) active.set = set;", ""],
  ["control/offer.ts", "pal, refusals, set, updatedBy } = active", "pal, refusals, updatedBy } = active"],
  ["control/offer.ts", "!isOwn || set || !files.length", "!isOwn || !files.length"],
  ["control/status.ts", "total: number, set?: FileSet)", "total: number)"],
  ["control/status.ts", 'if (set) details["files"] = set.progress(received, total);', ""],
  ["control/reentry.ts", "pal.describe ? pal.describe(job.files) : pal.running", "pal.running"],
  ["control/reentry.ts", " && !pal.describe)", ")"],
  ["control/reentry.ts", "if (!job.files.some(({ fileType }) => !fileType)) return undefined;", ""],
];
