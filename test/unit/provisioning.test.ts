import { type ClaimOptions, claim, type Identity } from "../../examples/provisioning/claim.js";
import { decodeBase64 } from "../../src/base64.js";
import { decodeUtf8 } from "../../src/bytes.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { FakeMqtt } from "../support/fake-mqtt.js";
import { VirtualClock } from "../support/virtual-clock.js";

const CREATE = "$aws/certificates/create/json";
const PROVISION = "$aws/provisioning-templates/fleet/provision/json";
const pem = (label: string, base64: string) =>
  `-----BEGIN ${label}-----\n${base64}\n-----END ${label}-----\n`;
const MADE = {
  certificateId: "ab".repeat(32),
  certificatePem: pem("CERTIFICATE", "MAMC\nAQc="),
  privateKey: pem("RSA PRIVATE KEY", "MAMCAQU="),
  certificateOwnershipToken: "token",
};

/** A claim over a connection that answers by a script. */
function begin(
  script: Readonly<Record<string, readonly [end: string, answer: unknown]>>,
  more: Partial<ClaimOptions> = {},
) {
  const clock = new VirtualClock();
  const mqtt = new FakeMqtt(clock);
  const outcome: { identity?: Identity; error?: string } = {};
  mqtt.onPublish = ({ topic }) => {
    const [end, answer] = script[topic] ?? [];
    if (end !== undefined) clock.set(() => mqtt.deliver(`${topic}/${end}`, answer), 10);
  };
  const options: ClaimOptions = {
    ...{ mqtt, clock, template: "fleet", parameters: { SerialNumber: "0042" } },
    decodeBase64: (text) => decodeBase64(text, 4096),
    ...more,
  };
  claim(options).then(
    (identity) => {
      outcome.identity = identity;
    },
    (error: Error) => {
      outcome.error = error.message;
    },
  );
  return { clock, mqtt, outcome };
}

/** Lets promises and timers go on by turns. */
async function play(clock: VirtualClock, ms: number): Promise<void> {
  for (let step = 0; step < 20; step++) {
    clock.run(ms / 20);
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  }
}

describe("fleet provisioning by claim", () => {
  it("gets a certificate, registers, and hands the key on as PKCS #8", async () => {
    const registered = { thingName: "board-0042", deviceConfiguration: { room: "lab" } };
    const { clock, mqtt, outcome } = begin({
      [CREATE]: ["accepted", MADE],
      [PROVISION]: ["accepted", registered],
    });
    await play(clock, 1000);
    equal(outcome.error, undefined);
    const { thingName, certificate, key, configuration } = outcome.identity!;
    deepEqual([thingName, configuration], ["board-0042", { room: "lab" }]);
    deepEqual([...certificate], [48, 3, 2, 1, 7]);
    const wrapped = [4, 0x82, 0, 5, 48, 3, 2, 1, 5];
    const algorithm = [2, 1, 0, 48, 13, 6, 9, 42, 134, 72, 134, 247, 13, 1, 1, 1, 5, 0];
    deepEqual([...key], [48, 0x82, 0, algorithm.length + wrapped.length, ...algorithm, ...wrapped]);
    deepEqual(
      mqtt.sent.map(({ topic, payload }) => [topic, decodeUtf8(payload)]),
      [
        [CREATE, ""],
        [PROVISION, '{"certificateOwnershipToken":"token","parameters":{"SerialNumber":"0042"}}'],
      ],
    );
    equal(mqtt.subscriptions.size, 0);
  });

  it("asks only once both answers are subscribed to", async () => {
    const { clock, mqtt } = begin({});
    const order: string[] = [];
    mqtt.onTraffic = (verb, topic) => order.push(`${verb} ${topic}`);
    mqtt.drop();
    await play(clock, 1000);
    deepEqual(mqtt.sent, []);
    mqtt.restore();
    await play(clock, 1000);
    equal(order.at(-1), `PUB ${CREATE}`);
  });

  for (const [title, script, text] of [
    [
      "a refusal, in AWS's words",
      {
        [CREATE]: [
          "rejected",
          { statusCode: 403, errorCode: "Forbidden", errorMessage: "not with this claim" },
        ],
      },
      "provisioning: AWS refuses: not with this claim (Forbidden)",
    ],
    [
      "a refusal of the template",
      {
        [CREATE]: ["accepted", MADE],
        [PROVISION]: ["rejected", { errorCode: "InvalidParameters", errorMessage: "no such serial number" }],
      },
      "provisioning: AWS refuses: no such serial number (InvalidParameters)",
    ],
    [
      "what is no JSON",
      { [CREATE]: ["accepted", "{"] },
      `provisioning: AWS answers with something that is no JSON on ${CREATE}`,
    ],
    [
      "an answer without a key",
      { [CREATE]: ["accepted", {}] },
      "provisioning: AWS gives no certificate, key and token",
    ],
    [
      "a certificate that is no PEM",
      { [CREATE]: ["accepted", { ...MADE, certificatePem: "x" }] },
      "provisioning: what AWS gives is no PEM",
    ],
    ["silence", {}, `provisioning: AWS does not answer on ${CREATE}`],
    [
      "an answer of more than 8 KB, which is not read",
      { [CREATE]: ["accepted", { ...MADE, more: "x".repeat(9000) }] },
      `provisioning: AWS does not answer on ${CREATE}`,
    ],
  ] as const)
    it(`ends with an error on ${title}`, async () => {
      const { clock, mqtt, outcome } = begin(script as never);
      await play(clock, 40_000);
      equal(outcome.error, text);
      equal(mqtt.subscriptions.size, 0);
    });

  it("ends with an error when a subscription is refused", async () => {
    const { clock, mqtt, outcome } = begin({});
    mqtt.refuse = () => new Error("0x80");
    await play(clock, 1000);
    ok(outcome.error?.includes("is refused: 0x80"), String(outcome.error));
  });
});
