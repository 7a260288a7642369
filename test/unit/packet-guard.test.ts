import { MAX_PACKET, PacketGuard } from "../../hosts/mqtt/packet-guard.js";
import { throws } from "../support/assert.js";
import { concat, hex } from "../support/hex.js";

/** Passes bytes in pieces of every size. */
function pass(bytes: Uint8Array): void {
  for (let size = 1; size <= Math.min(bytes.length, 9); size++) {
    const guard = new PacketGuard();
    for (let at = 0; at < bytes.length; at += size) guard.pass(bytes.subarray(at, at + size));
  }
}

describe("packet guard", () => {
  it("lets packets pass, empty ones and long ones, one behind the other", () => {
    const long = new Uint8Array(MAX_PACKET);
    pass(concat(hex("20020000 d000 3003000161 30 83808000 000161"), hex("d000")));
    // 196611 in groups of seven bits.
    const guard = new PacketGuard();
    guard.pass(concat(hex("30 83800c"), long));
    guard.pass(hex("d000"));
    guard.pass(concat(hex("30 83800c"), long));
  });

  for (const [name, bytes] of [
    ["256 MB", "30 ffffff7f"],
    ["one byte too many", "30 84800c"],
    ["a length of five bytes", "30 8080808001"],
    ["256 MB behind other packets", "d000 3003000161 30 ffffff7f"],
  ])
    it(`stops at ${name}`, () => throws(() => pass(hex(bytes)), { message: "MQTT: packet of" }));
});
