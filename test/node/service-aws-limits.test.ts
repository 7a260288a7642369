import {
  NUMBERS,
  type NumberLimit,
  numberProblem,
  STRINGS,
  type StringLimit,
} from "../../service/aws-limits.js";
import { ServiceError } from "../../service/errors.js";
import { equal, ok } from "../support/assert.js";
import { ServiceProbe } from "../support/service-probe.js";

/** What a service has to say to a value of each field: undefined when it takes it. */
type Ask = (value: string) => string | undefined;

function refusal(action: () => unknown): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (error instanceof ServiceError) return error.code;
    throw error;
  }
}

function createJob(options: object): string | undefined {
  const { jobs } = new ServiceProbe();
  return refusal(() => jobs.createJob({ jobId: "j", document: {}, targets: ["t"], ...options } as never));
}

/** The code a device is answered with. */
function update(body: object): string | undefined {
  const service = new ServiceProbe();
  service.jobs.createJob({ jobId: "j", document: {}, targets: ["t"] });
  return service.ask("t", "j/update", { status: "IN_PROGRESS", ...body }).code;
}

const LONGEST = STRINGS.jobDocument.max - '{"k":""}'.length;

const FIELDS: readonly [limit: StringLimit, ask: Ask][] = [
  [STRINGS.jobId, (jobId) => createJob({ jobId })],
  [STRINGS.thingName, (name) => createJob({ targets: [name] })],
  [STRINGS.detailsKey, (key) => update({ statusDetails: { [key]: "v" } })],
  [STRINGS.detailsValue, (value) => update({ statusDetails: { k: value } })],
  [STRINGS.clientToken, (clientToken) => update({ clientToken })],
  [{ ...STRINGS.jobDocument, min: 0, max: LONGEST }, (k) => createJob({ document: { k } })],
  [STRINGS.streamId, (id) => refusal(() => new ServiceProbe().streams.create(id, [file()]))],
];

function file() {
  return { fileId: 0, byteLength: 1, read: () => new Uint8Array(1) };
}

/** A character of the pattern, and ones outside it. */
function samples({ pattern }: StringLimit): { good: string[]; bad: string[] } {
  if (pattern === undefined) return { good: ["a"], bad: [] };
  if (pattern.includes("\\p{C}"))
    return {
      good: ["a", " ", "ä", "€", "漢"],
      bad: ["\0", "\n", "\x7f", "\x9b", "\u00ad", "\u200b", "\u202e", "\ufeff", "\ud800", "\ue000", "\u0378"],
    };
  const all = [..."azAZ09_-", ...":./+ #$@ä\n"];
  const inside = new RegExp(`^${pattern}$`, "u");
  return { good: all.filter((c) => inside.test(c)), bad: all.filter((c) => !inside.test(c)) };
}

describe("service: AWS's limits, field by field", () => {
  for (const [limit, ask] of FIELDS) {
    const { name, min = 0, max = Infinity, bytes } = limit;
    const fill = (length: number) => "a".repeat(length);

    it(`${name}: ${min} to ${max}${bytes ? " bytes" : " characters"}`, () => {
      equal(ask(fill(Math.max(1, min))), undefined, "shortest");
      equal(ask(fill(max)), undefined, "longest");
      equal(ask(fill(max + 1)), "InvalidRequest", "too long");
      if (min > 0) equal(ask(""), "InvalidRequest", "empty");
      if (bytes) equal(ask(`${fill(max - 1)}ä`), "InvalidRequest", "too long in UTF-8");
      else if (limit.pattern?.includes("\\p{C}"))
        equal(ask(`${fill(max - 1)}😀`), "InvalidRequest", "too long in UTF-16");
    });

    const { good, bad } = samples(limit);
    it(`${name}: ${limit.pattern ?? "any character"}`, () => {
      for (const character of good) equal(ask(`a${character}a`), undefined, JSON.stringify(character));
      for (const character of bad) equal(ask(`a${character}a`), "InvalidRequest", JSON.stringify(character));
    });
  }

  it("statusDetails: ten pairs", () => {
    const pairs = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, "v"]));
    equal(update({ statusDetails: pairs(10) }), undefined);
    equal(update({ statusDetails: pairs(11) }), "InvalidRequest");
  });

  for (const [name, ask] of [
    ["timeoutInMinutes of a job", (value: number) => createJob({ timeoutInMinutes: value })],
    ["stepTimeoutInMinutes", (value: number) => update({ stepTimeoutInMinutes: value })],
  ] as const)
    it(`${name}: 1 to 10080`, () => {
      for (const value of [1, 10_080]) equal(ask(value), undefined, String(value));
      for (const value of [0, 10_081, 1.5]) equal(ask(value), "InvalidRequest", String(value));
    });

  it("numbers: both ends, what lies beyond, and decimals", () => {
    for (const limit of Object.values<NumberLimit>(NUMBERS)) {
      const { name, min, max, decimals = 0 } = limit;
      const step = 10 ** -decimals;
      for (const value of [min, max]) equal(numberProblem(value, limit), undefined, `${name} ${value}`);
      for (const value of [min - step, max + step, min + step / 10, Number.NaN, Infinity, "1", null])
        ok(numberProblem(value, limit)?.includes(name), `${name} ${value}`);
    }
  });
});
