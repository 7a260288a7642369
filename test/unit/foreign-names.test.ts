/**
 * Names an application gives its own members: of an agent it extends, and of one it hangs things on. Compaction turns
 * private members into plain ones, which must not be called like any of these.
 */
import { OtaAgent, type OtaAgentOptions } from "../../src/index.js";
import { deepEqual, equal } from "../support/assert.js";
import { image, World } from "../support/world.js";

/** What is documented: an application that replaces these means to. */
const PUBLIC = [
  ...["constructor", "init", "shutdown", "state", "checkForUpdate", "activateNewImage"],
  ...["setImageState", "imageState", "suspend", "resume", "statistics"],
];

const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** Words of the trade, as people name fields and methods. */
const WORDS = `
  agent app apply arm attempt begin block blocks boot buffer bytes callback cancel check clear client clock close code
  commit config connect connected connection control count current data deadline defer delay deploy describe destroy
  details device digest dispatch dispose document done download emit enabled end engine ensure error errors event events
  execution fail failed file files finish firmware flags flash flush free get handle handler hash host id image index
  info inspect install interval is job jobs journal json key keys last length level limit listen listener listeners load
  lock log logger loss message messages meta metrics mode mqtt name network next notice notify now observer off offset
  on once online open operation ota owner pal params parse partition path pause payload pending ping plan plane policy
  port position post prefix prepare process progress publish queue random rate read ready reason receive received
  reconnect record refuse reject release remove report request requests reset resolve restart result retries retry
  rollback round run save schedule sector self send sequence service session set setup sign signature size sleep slot
  socket source start started stat states status step stop storage store stream streams subscribe subscription sum
  suspended target task tell test text thing tick time timeout timer timers token topic total trace transfer transition
  trial trigger trust type update updates url user validate value verify version wait waiting wake watch watchdog window
  work write`
  .trim()
  .split(/\s+/);

/** Names of what the language brings along. */
function builtIns(): string[] {
  const names = new Set<string>();
  for (const name of Object.getOwnPropertyNames(globalThis)) {
    names.add(name);
    const value: unknown = Reflect.get(globalThis, name);
    if (typeof value !== "function" && (typeof value !== "object" || value === null)) continue;
    const prototype: unknown = Reflect.get(value, "prototype");
    for (const object of [value, prototype])
      if (typeof object === "object" || typeof object === "function")
        for (const key of object ? Object.getOwnPropertyNames(object) : []) names.add(key);
  }
  return [...names];
}

/** Every name an application might come up with. */
function plausibleNames(): string[] {
  const short = [...LETTERS].flatMap((first) => ["", ...LETTERS, "1"].map((second) => first + second));
  const found = new Set<string>();
  for (const name of [...builtIns(), ...WORDS, ...short])
    for (const prefix of ["", "_", "$", "__"]) found.add(prefix + name);
  for (const name of [...PUBLIC, "__proto__"]) found.delete(name);
  return [...found];
}

/** An update with agents made by `makeAgent`; the status it ends with. */
function update(makeAgent: (options: OtaAgentOptions) => OtaAgent): string {
  const world = new World({ makeAgent }).powerOn();
  world.run(10_000);
  const { status } = world.ended(world.deploy(image("2.0.0")));
  equal(world.state, "ota_1 2.0.0 valid");
  return status;
}

describe("names an application gives its own members", () => {
  const names = plausibleNames();

  it("are many", () => equal(names.length > 10_000, true));

  it("may be assigned to an agent", () => {
    let lost: string[] = [];
    const status = update((options) => {
      const agent = new OtaAgent(options);
      const mine = Object.fromEntries(names.map((name) => [name, `mine: ${name}`]));
      Object.assign(agent, mine);
      const held = agent as unknown as Record<string, string>;
      lost = names.filter((name) => held[name] !== mine[name]);
      return agent;
    });
    deepEqual([status, lost.join()], ["SUCCEEDED", ""]);
  });

  it("may be methods of a subclass", () => {
    class Mine extends OtaAgent {}
    for (const name of names)
      Object.defineProperty(Mine.prototype, name, { value: () => `mine: ${name}`, configurable: true });
    let agent: OtaAgent | undefined;
    equal(
      update((options) => {
        agent = new Mine(options);
        return agent;
      }),
      "SUCCEEDED",
    );
    const held = agent as unknown as Record<string, () => string>;
    deepEqual(names.filter((name) => held[name]() !== `mine: ${name}`).join(), "");
  });
});
