import { stripVTControlCharacters } from "node:util";
import type { ExecutionView } from "../../service/views.js";
import { executionLine, shorten } from "../../tools/cli/screen.js";
import { equal, ok } from "../support/assert.js";

const execution = (thingName: string, phase: ExecutionView["phase"]): ExecutionView => ({
  ...{ jobId: "AFR_OTA-1", thingName, attempt: 1, status: "IN_PROGRESS", phase, progress: 0.42 },
  ...{ text: "block 31 of 74", code: undefined, ended: false },
  ...{ queuedAt: 0, startedAt: 0, lastUpdatedAt: 0 },
});

describe("lines of progress", () => {
  it("keep percent and state on any screen: they were cut off behind long names", () => {
    for (const name of ["a", "board-17", "a-very-long-name-".repeat(8).slice(0, 128)])
      for (const phase of ["downloading", "rolled back"] as const)
        for (let columns = 30; columns < 240; columns += 7) {
          const line = stripVTControlCharacters(executionLine(execution(name, phase), name.length, columns));
          const seen = line.slice(0, columns);
          ok(seen.includes("42 %") && seen.includes(phase), `${columns}: ${seen}`);
        }
  });

  it("shorten a name in its middle", () => {
    equal(shorten("board-0123456789", 9), "boar…6789");
    equal(shorten("board", 5), "board");
  });
});
