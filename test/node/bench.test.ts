import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { FILE_SIZE, type Figures } from "../../bench/figures.js";
import { broken, flatten, worse } from "../../bench/gate.js";
import { optionsMemory } from "../../bench/options-memory.js";
import { bound, type Scenario, simulate } from "../../bench/virtual.js";
import { bundle } from "../../tools/bundle.js";
import { edits } from "../../tools/moddable/edits.js";
import type { RomFigures } from "../../tools/moddable/figures.js";
import { PORT } from "../../tools/moddable/without-port.js";
import { SETS } from "../../tools/moddable/without-sets.js";
import { deepEqual, equal, ok, throws } from "../support/assert.js";

const LINK: Scenario = {
  link: { rtt: 20, bandwidth: 1_048_576 },
  fileSize: FILE_SIZE,
  blockSize: 4096,
  flash: false,
  seed: 1,
  policy: "ours",
};

function figures(ratio: number): Figures {
  const row = {
    bandwidth: 65_536,
    rtt: 20,
    loss: 0,
    bound: 10,
    seconds: 10 * ratio,
    worst: 10 * ratio,
    ratio,
  };
  const rest = { requests: 5, original1: 1, original8: 1 };
  return {
    links: [{ ...row, ...rest }],
    flash: [],
    trouble: [],
    wire: [],
    polite: [],
    xs: { perBlock: 2000, perBlockFromSocket: 4000, idleSlots: 10, transferSlots: 100, transferBytes: 1000 },
    sizes: { agent: 1000 },
  };
}

describe("bench: transfers in virtual time", () => {
  it("come out the same each time", () => {
    const lossy = { ...LINK, link: { ...LINK.link, loss: 0.05 } };
    deepEqual(simulate(lossy), simulate(lossy));
  });

  it("never beat the bound", () => {
    for (const policy of ["ours", 1, 8] as const)
      for (const flash of [false, true]) {
        const scenario = { ...LINK, policy, flash };
        ok(simulate(scenario).seconds >= bound(scenario), `${policy}, ${flash}`);
      }
  });

  it("show the original as it was measured: a round trip for each block", () => {
    const { seconds, requests } = simulate({ ...LINK, link: { rtt: 20 }, policy: 1 });
    equal(requests, 384);
    // 8.4 s were measured on a desktop, where the rest went to work.
    ok(seconds > 7.6 && seconds < 8.4, `${seconds}`);
  });

  it("show the original as it was measured: ten seconds for each lost message", () => {
    const { seconds } = simulate({ ...LINK, link: { rtt: 0, loss: 0.05 }, policy: 1 });
    ok(seconds > 300 && seconds < 600, `${seconds}`);
  });

  it("keep what is promised on the fastest and longest link", () => {
    const scenario = { ...LINK, link: { rtt: 300, bandwidth: 1_048_576 } };
    ok(simulate(scenario).seconds <= 1.1 * bound(scenario));
  });
});

const rom = (agent: number, sets = 0, port = 0): RomFigures => ({
  ...{ agent, sets, port, bundle: 2000, package: 3000, sdk: 0 },
  ...{ sdkParts: [], options: [], parts: [], native: undefined },
});

describe("bench: the gate", () => {
  it("lets the same figures pass", () => {
    const flat = flatten(figures(1.05));
    deepEqual(worse(flat, flat), []);
    deepEqual(broken(figures(1.05)), []);
  });

  it("lets what is better pass, and what is worse by less than the tolerance", () => {
    deepEqual(worse(flatten(figures(1)), flatten(figures(1.05))), []);
    deepEqual(worse(flatten(figures(1.07)), flatten(figures(1.05))), []);
  });

  it("names what is worse, with both numbers", () => {
    const [fault, ...others] = worse(flatten(figures(1.09)), flatten(figures(1.05)));
    equal(others.length, 0);
    ok(/64 KB\/s 20 ms.*10\.5.*10\.9/.test(fault), fault);
  });

  it("notices a figure that is missing or is no number", () => {
    const flat = flatten(figures(1));
    equal(worse({}, flat).length, Object.keys(flat).length);
    equal(worse({ ...flat, "size: agent": Number.NaN }, flat).length, 1);
  });

  it("looks at ROM where it is linked, and lets it grow by 2 % at most", () => {
    const baseline = flatten(figures(1), rom(1000));
    deepEqual(worse(flatten(figures(1)), baseline), []);
    deepEqual(worse(flatten(figures(1), rom(1020)), baseline), []);
    deepEqual(worse(flatten(figures(1), rom(1021)), baseline), [
      "rom: agent: was 1000, is 1021 (2.1 % more)",
    ]);
  });

  it("names a promise that is not kept", () => {
    const [fault] = broken(figures(1.11));
    ok(fault.includes("64 KB/s, 20 ms"), fault);
    equal(broken({ ...figures(1), xs: { perBlock: 3001 } }).length, 4);
    equal(broken(figures(1), rom(1000, 1024)).length, 0);
    equal(broken(figures(1), rom(1000, 1025)).length, 1);
    equal(broken(figures(1), rom(1000, 0, 301)).length, 1);
  });
});

describe("bench: RAM of options", () => {
  it("each takes some, mods more than the components they are among", async () => {
    const rows = (await optionsMemory()) ?? [];
    ok(rows.length > 0, "the package is not built");
    for (const { what, slots } of rows) ok(slots > 0, what);
    const slotsOf = (name: string) => rows.find(({ what }) => what.startsWith(name))?.slots as number;
    ok(slotsOf("mods") > slotsOf("components"));
  });
});

describe("bench: the agent without sets, without the port for other services", () => {
  const names = ["plan", "judging", "coming", "describe"];
  for (const [what, list, gone] of [
    ["sets", SETS, names],
    ["port", PORT, ["controlPlane"]],
  ] as const)
    it(`${what}: it is made of the sources as they are: each edit finds its text`, async () => {
      const change = edits(list);
      for (const file of new Set(list.map(([name]) => name))) {
        const path = fileURLToPath(new URL(`../../src/${file}`, import.meta.url));
        change(readFileSync(path, "utf8"), path);
      }
      const { STEPS } = await import(new URL("../../tools/build/compact.js", import.meta.url).href);
      const { code } = await bundle("src/index.ts", Object.keys(STEPS), change);
      for (const name of gone) equal(new RegExp(`\\b${name}\\b`).test(code), false, name);
    });

  it("a text that is gone, or there twice, is told", () => {
    const change = edits(SETS);
    throws(() => change("", "/src/agent.ts"), { message: /is there 0 times/ });
    const [file, from] = SETS[0];
    throws(() => change(from + from, `/src/${file}`), { message: /is there 2 times/ });
    equal(change("same", "/src/errors.ts"), "same");
  });
});
