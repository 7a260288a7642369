import { ShadowService } from "../../service/shadows.js";
import { deepEqual, equal } from "../support/assert.js";

const TOPIC = "$aws/things/board/shadow/update";

describe("service: shadows", () => {
  let reported: Record<string, unknown> | undefined;
  let answers: [string, Record<string, unknown>][];
  let shadows: ShadowService;

  beforeEach(() => {
    reported = undefined;
    answers = [];
    shadows = new ShadowService({
      now: () => 5000,
      reported: () => reported,
      update: (thingName, state) => {
        equal(thingName, "board");
        reported = { ...state };
      },
    });
  });

  const send = (payload: unknown, topic = TOPIC) =>
    shadows.handle(
      topic,
      Buffer.from(typeof payload === "string" ? payload : JSON.stringify(payload)),
      (to, bytes) => answers.push([to.slice(TOPIC.length + 1), JSON.parse(Buffer.from(bytes).toString())]),
    );

  it("keeps what a device reports, and says so", () => {
    equal(send({ state: { reported: { firmware: { version: "1.0.0" } } } }), true);
    deepEqual(reported, { firmware: { version: "1.0.0" } });
    const state = { reported: { firmware: { version: "1.0.0" } } };
    deepEqual(answers, [["accepted", { state, version: 1, timestamp: 5 }]]);
  });

  it("merges objects, replaces everything else, and removes what is null", () => {
    send({ state: { reported: { a: { b: 1, c: 2 }, list: [1, 2], old: true } } });
    send({ state: { reported: { a: { b: null, d: 3 }, list: [3], old: null } } });
    deepEqual(reported, { a: { c: 2, d: 3 }, list: [3] });
    equal(answers[1][1]["version"], 2);
  });

  it("does not let a device reach the prototype of objects", () => {
    send('{"state":{"reported":{"__proto__":{"polluted":1},"a":{"__proto__":{"polluted":1}}}}}');
    equal(({} as { polluted?: number }).polluted, undefined);
    deepEqual(reported, { a: {} });
  });

  it("refuses what is no update, in words", () => {
    for (const [payload, message] of [
      ["{", "Invalid JSON"],
      ["[]", "Missing required node: state"],
      ['{"state":1}', "Missing required node: state"],
      ['{"state":{"reported":[]}}', "State node reported must be an object"],
      [JSON.stringify({ state: { reported: { a: "x".repeat(9000) } } }), "exceeds the maximum size"],
    ]) {
      answers = [];
      equal(send(payload), true);
      equal(answers[0][0], "rejected");
      equal((answers[0][1]["message"] as string).includes(message), true, message);
    }
    equal(reported, undefined);
  });

  it("keeps no more than a shadow holds", () => {
    for (let part = 0; part < 4; part++) send({ state: { reported: { [`k${part}`]: "x".repeat(2500) } } });
    equal(answers.at(-1)![0], "rejected");
    equal(answers.at(-1)![1]["code"], 413);
    equal(Object.keys(reported!).length, 3);
  });

  it("leaves other topics alone", () => {
    equal(send({}, "$aws/things/board/shadow/get"), false);
    equal(send({}, "$aws/things/a/b/shadow/update"), false);
  });

  it("keeps packages and their versions, and refuses what AWS would", () => {
    const topic = "$aws/things/board/shadow/name/$package/update";
    send({ state: { reported: { "my-app": { version: "1.0.0", attributes: {} } } } }, topic);
    deepEqual(reported, { $package: { "my-app": { version: "1.0.0", attributes: {} } } });
    for (const bad of [
      { "my app": { version: "1" } },
      { a: { version: "1+2" } },
      { a: {} },
      { a: "1.0.0" },
    ]) {
      answers = [];
      send({ state: { reported: bad } }, topic);
      equal(answers[0][1]["code"], 400, JSON.stringify(bad));
    }
  });
});
