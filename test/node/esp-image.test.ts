/**
 * Image checks of the agent against whole images: real ones, built ones for every chip, and the host's model of
 * ESP-IDF's own check.
 * @module
 */
import { deepEqual, throws } from "node:assert/strict";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { CHIPS } from "../../hosts/formats/chips.js";
import { checkImage } from "../../hosts/formats/esp-image-check.js";
import { imageBytes } from "../../hosts/formats/esp-image-layout.js";
import { buildImage } from "../../hosts/formats/image-builder.js";
import { nodeCrypto } from "../../hosts/node/crypto.js";
import { OtaError } from "../../src/errors.js";
import { checkStructure, HEAD_LENGTH, parseHead } from "../../src/slot/esp-image.js";

const sha256 = () => nodeCrypto.sha256();

function check(image: Uint8Array) {
  const description = parseHead(image.subarray(0, HEAD_LENGTH), image.length);
  checkStructure((at, length) => image.subarray(at, at + length), image.length);
  return description;
}

describe("ESP32 images, whole", () => {
  for (const [name, version, secureVersion] of [
    ["app-c3-v1", "1.0.0", 0],
    ["app-c3-v3sec5", "3.0.0", 5],
    ["app-esp32x-v1", "1.0.0", 0],
  ] as const)
    it(`${name} is taken`, () => {
      const image = new Uint8Array(readFileSync(new URL(`../data/${name}.bin`, import.meta.url)));
      const { buildId, chipId, ...rest } = check(image);
      deepEqual(rest, { projectName: "ota-fixture", version, secureVersion });
    });

  for (const chip of CHIPS)
    it(`images built for ${chip.title} are taken`, () => {
      for (const size of [512, 528, 4096, 70_000, 250_000]) {
        const image = buildImage(
          { chip: chip.name, version: "1.2.3", projectName: "app", secureVersion: 7, size },
          sha256,
        );
        const { chipId, secureVersion, version, projectName } = check(image);
        deepEqual(
          { chipId, secureVersion, version, projectName },
          { chipId: chip.id, secureVersion: 7, version: "1.2.3", projectName: "app" },
        );
      }
    });

  it("any change of the headers gives an answer; what is taken has a structure ESP-IDF can follow", () => {
    const image = buildImage({ chip: "esp32c3", version: "1.2.3", projectName: "app", size: 2000 }, sha256);
    let taken = 0;
    const heads = [0, 1, 12, 13, 23, ...Array.from({ length: 16 }, (_, n) => 24 + n), 212];
    for (let at = HEAD_LENGTH; at < image.length; at += 4) heads.push(at);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(...heads), fc.nat(255)), { minLength: 1, maxLength: 3 }),
        (changes) => {
          const damaged = image.slice();
          for (const [at, value] of changes) damaged[at] = value;
          try {
            check(damaged);
          } catch (error) {
            if (error instanceof OtaError && error.code === "bad-image") return;
            throw error;
          }
          taken++;
          const { chipId } = parseHead(damaged, damaged.length);
          const known = CHIPS.some((chip) => chip.id === chipId);
          // The content may be damaged: checksum and hash are ESP-IDF's, and no concern of the structure.
          if (known)
            try {
              checkImage(imageBytes(damaged), { chipId }, sha256);
            } catch (error) {
              if (!/checksum|SHA-256/.test((error as Error).message)) throw error;
            }
        },
      ),
      { numRuns: 5000 },
    );
    if (taken < 100) throw new Error(`only ${taken} images were taken`);
  });

  it("every cut of an image is refused", () => {
    const image = buildImage({ version: "1.2.3", projectName: "app", size: 512 }, sha256);
    for (let length = 0; length < image.length; length++)
      throws(
        () => check(image.slice(0, length)),
        (error: unknown) => error instanceof OtaError && error.code === "bad-image",
      );
  });
});
