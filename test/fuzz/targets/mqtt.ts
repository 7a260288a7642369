/**
 * MQTT framing in the client of the hosts: the input is what a broker sends. However the network cuts it into
 * pieces, the same must come out.
 * @module
 */
import { MqttOperation } from "../../../hosts/mqtt/mqtt-client.js";
import { ascii, concat, hex } from "../../support/hex.js";
import { transcript } from "../../support/mqtt-feed.js";
import type { Random } from "../random.js";
import { type FuzzTarget, must } from "../target.js";

function frame(random: Random, first: number, body: Uint8Array): Uint8Array {
  let length = random.oneIn(20) ? random.below(400) : body.length;
  if (random.oneIn(60))
    return concat(
      [first],
      hex(random.pick(["ffffff7f", "ffffffff01", "8080808001", "80808000", "ffffffff"])),
      body,
    );
  const digits: number[] = [];
  do {
    digits.push((length & 127) | (length > 127 ? 128 : 0));
    length >>= 7;
  } while (length);
  // A length may be written with more bytes than it takes.
  if (random.oneIn(20) && digits.length < 4) {
    digits[digits.length - 1]! |= 128;
    digits.push(0);
  }
  return concat([first], Uint8Array.from(digits), body);
}

function publish(random: Random): Uint8Array {
  const qos = random.oneIn(30) ? random.below(4) : random.below(2);
  const topic = random.oneIn(20)
    ? random.bytes(random.below(6))
    : ascii(random.pick(["", "a", "$aws/things/t/jobs/notify-next"]));
  const length = random.oneIn(30) ? random.below(65536) : topic.length;
  const payload = random.bytes(random.pick([0, 1, 5, 100]));
  const id = qos ? [random.below(256), random.below(256)] : [];
  return frame(
    random,
    0x30 | (qos << 1) | (random.oneIn(4) ? 8 : 0) | random.below(2),
    concat([length >> 8, length & 255], topic, id, payload),
  );
}

const CONNACK = hex("20020000");

function generate(random: Random): Uint8Array {
  const parts = random.oneIn(20) ? [] : [CONNACK];
  for (let n = random.below(6); n > 0; n--) {
    const kind = random.below(8);
    if (kind < 5) parts.push(publish(random));
    else if (kind === 5)
      parts.push(frame(random, random.pick([0x40, 0x90, 0xb0, 0xd0, 0x20]), random.bytes(random.below(5))));
    else if (kind === 6) parts.push(frame(random, random.next() & 255, random.bytes(random.below(70))));
    else parts.push(hex(random.pick(["40020001", "9003000100", "b0020001", "d000"])));
  }
  return concat(...parts);
}

export const mqttFraming: FuzzTarget = {
  name: "mqtt-framing",
  corpus: [
    concat(CONNACK, hex("30050001616869"), hex("320700016100016869"), hex("d000"), hex("40020001")),
    concat(CONNACK, hex("3003000161"), hex("90040001 0080")),
    hex("20020005"),
    concat(CONNACK, hex("30ffffffff01")),
    concat(CONNACK, hex("3002ffff")),
  ],
  dictionary: ["20020000", "30", "32", "36", "ffffffff01", "ffff", "0000", "d000", "40020001"].map(hex),
  maxLength: 2000,
  weight: 0.25,
  generate,
  run(input) {
    const whole = transcript(input, input.length || 1);
    for (const size of [1, 7]) {
      const pieces = transcript(input, size);
      must(pieces.join("\n") === whole.join("\n"), `in pieces of ${size} bytes the same comes out`);
    }
    const error = whole.find((event) => event.startsWith("error "));
    if (error) return error.replace(/\d+/g, "#");
    return whole.some((event) => event.startsWith(`control ${MqttOperation.CONNACK}`))
      ? "taken"
      : "not connected";
  },
};
