/**
 * Checks a request against the schemas that AWS's SDK brings along (Smithy: `[kind, namespace, name, traits, …]`):
 * names of members, types, and which are required.
 * @module
 */

const LIST = 1;
const MAP = 2;
const STRUCTURE = 3;
/** Simple types: string, number and boolean; a list or map of one of them has a bit more. */
const SIMPLE: readonly string[] = ["string", "number", "boolean"];
const LIST_OF = 64;
const MAP_OF = 128;

/** What is wrong with a value; members that stand in the URI are not asked for. */
export function modelProblem(schema: unknown, value: unknown, at: string): string | undefined {
  const known = typeof schema === "function" ? (schema as () => unknown)() : schema;
  if (typeof known === "number") return simpleProblem(known, value, at);
  if (!Array.isArray(known)) return undefined;
  // A member with traits of its own: schema and traits.
  if (typeof known[0] === "number" && known.length === 2) return modelProblem(known[0], value, at);
  if (typeof known[0] === "function") return modelProblem(known[0], value, at);
  switch (known[0]) {
    case STRUCTURE:
      return structureProblem(known, value, at);
    case LIST:
      if (!Array.isArray(value)) return `${at} must be a list`;
      return first(value.map((item, index) => modelProblem(known[4], item, `${at}[${index}]`)));
    case MAP:
      if (!isObject(value)) return `${at} must be a map`;
      return first(Object.entries(value).map(([key, item]) => modelProblem(known[5], item, `${at}.${key}`)));
    default:
      return undefined;
  }
}

function structureProblem(schema: readonly unknown[], value: unknown, at: string): string | undefined {
  if (!isObject(value)) return `${at} must be an object`;
  const names = schema[4] as readonly string[];
  const members = schema[5] as readonly unknown[];
  const required = names.slice(0, (schema[6] as number | undefined) ?? 0);
  const isLabel = (name: string) => isInUri(members[names.indexOf(name)]);
  const missing = required.find((name) => !(name in value) && !isLabel(name));
  if (missing) return `${at} has no ${missing}`;
  return first(
    Object.entries(value).map(([name, item]) => {
      const index = names.indexOf(name);
      return index < 0 ? `${at} has no member ${name}` : modelProblem(members[index], item, `${at}.${name}`);
    }),
  );
}

/** httpLabel: trait bit 1 of a member. */
function isInUri(member: unknown): boolean {
  return (
    Array.isArray(member) && member.length === 2 && typeof member[1] === "number" && (member[1] & 1) === 1
  );
}

function simpleProblem(type: number, value: unknown, at: string): string | undefined {
  if (type >= MAP_OF) return isObject(value) ? undefined : `${at} must be a map`;
  if (type >= LIST_OF) return Array.isArray(value) ? undefined : `${at} must be a list`;
  const wanted = SIMPLE[type];
  return wanted === undefined || typeof value === wanted ? undefined : `${at} must be a ${wanted}`;
}

function first(problems: readonly (string | undefined)[]): string | undefined {
  return problems.find((problem) => problem !== undefined);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
