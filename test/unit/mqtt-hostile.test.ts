/**
 * Hostile and broken packets against the MQTT client of the hosts (MQTT 3.1.1), with the faults published for
 * other clients by name.
 * @module
 */
import { deepEqual, ok } from "../support/assert.js";
import { hex } from "../support/hex.js";
import { transcript } from "../support/mqtt-feed.js";

const CONNACK = "20020000";
const connected = "control 2 undefined 0 undefined";

/** What came out behind the CONNECT and the CONNACK, the same however the network cuts the bytes. */
function received(...packets: string[]): string[] {
  const input = hex([CONNACK, ...packets].join(""));
  const events = transcript(input, input.length);
  for (let size = 1; size < Math.min(input.length, 40); size++)
    deepEqual(transcript(input, size), events, `in pieces of ${size} bytes`);
  ok(events[0]?.startsWith("sent 10"), "CONNECT comes first");
  deepEqual(events[1], connected);
  return events.slice(2);
}

/** The packets end the connection, with an error that says so, and nothing comes out before or behind. */
function ends(message: string, ...packets: string[]): void {
  const [error, ...rest] = received(...packets, "300500016e6e6f", CONNACK);
  ok(error?.startsWith("error ") && error.includes(message), `got ${error}`);
  deepEqual(rest, ["end"]);
}

describe("MQTT: packets as they should be", () => {
  it("a message of QoS 0, split at every byte", () =>
    deepEqual(received("30050001616869"), ["message a 6869", "end"]));
  it("a message of QoS 1 is acknowledged", () =>
    deepEqual(received("320700016101026869"), ["message a 6869", "sent 40020102", "end"]));
  it("a message without payload", () => deepEqual(received("3003000161"), ["message a ", "end"]));
  it("a message with an empty topic", () => deepEqual(received("3002 0000"), ["message  ", "end"]));
  it("several packets in one segment", () =>
    deepEqual(received("3003000161", "d000", "40020007", "3003000162"), [
      "message a ",
      "control 4 7 undefined undefined",
      "message b ",
      "end",
    ]));
  it("a length in more bytes than it takes", () =>
    deepEqual(received("30838080 00 000161"), ["message a ", "end"]));
  it("acknowledgements nobody asked for", () =>
    deepEqual(received("9003000980", "40020008"), [
      "control 9 9 undefined 128",
      "control 4 8 undefined undefined",
      "end",
    ]));
  it("a message that does not end", () => deepEqual(received("3010 0001 61 686970"), ["cut at 3 of 13"]));
});

describe("MQTT: published faults", () => {
  it("CVE-2026-21888 (NanoMQ): a length of five bytes", () => ends("more than four bytes", "30 8080808001"));
  it("CVE-2026-21888 (NanoMQ): a length of five bytes, all ones", () =>
    ends("more than four bytes", "30 ffffffffff"));
  it("CVE-2026-54412 (MQTT-C): a topic longer than what remains", () =>
    ends("longer than its packet", "3004 0005 6161"));
  it("CVE-2026-54412 (MQTT-C): no room for the packet id", () =>
    ends("longer than its packet", "3203 0001 61"));
  it("CVE-2019-17210 (Mbed MQTT): a topic of 65535 bytes in a packet of 4", () =>
    ends("longer than its packet", "3004 ffff 6161"));
  it("CVE-2019-19307 (Mongoose): a packet shorter than its topic's length", () => {
    ends("longer than its packet", "3000");
    ends("longer than its packet", "3001 00");
  });
  it("CVE-2026-8686 (coreMQTT): a control packet may not claim more than it can hold", () =>
    ends("control packet of", "90 ffff7f 0001"));
});

describe("MQTT: packets that must end the connection", () => {
  const packets: [string, string, string][] = [
    ["QoS 2", "QoS 2 or 3", "3407000161000168"],
    ["QoS 3", "QoS 2 or 3", "3607000161000168"],
    ["a topic that is no UTF-8", "UTF-8", "3003 0001 ff"],
    ["a topic with half a character", "UTF-8", "3004 0002 61c3"],
    ["a control packet of 65 bytes", "control packet of 65", `9041${"00".repeat(65)}`],
    ["a control packet of 256 MB", "control packet of", "90 ffffff7f"],
    ["a PUBACK without id", "cut short", "4000"],
    ["a PUBACK with half an id", "cut short", "400100"],
    ["a SUBACK without codes", "cut short", "90020001"],
    ["a second CONNACK", "refused", "20020000"],
    ["packet type 0", "unexpected packet 0", "00020000"],
    ["packet type 15", "unexpected packet 15", "f0020000"],
    ["a CONNECT", "unexpected packet 1", "10020000"],
    ["a SUBSCRIBE", "unexpected packet 8", "82020001"],
    ["a PINGREQ", "cut short", "c000"],
    ["a DISCONNECT", "cut short", "e000"],
  ];
  for (const [name, message, bytes] of packets) it(name, () => ends(message, bytes));

  it("a CONNACK that refuses", () => {
    const events = transcript(hex("20020005"), 1);
    deepEqual(events.slice(1), ["error MQTT: connection refused, code 5", "end"]);
  });

  it("a message of 256 MB takes no memory before it comes", () =>
    deepEqual(received("30 ffffff7f 0001 61", "6869"), ["cut at 2 of 268435452"]));

  it("a message before the CONNACK", () => {
    const events = transcript(hex("30050001616869"), 3);
    ok(!events.some((event) => event === connected));
  });
});
