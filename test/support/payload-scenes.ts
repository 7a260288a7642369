/**
 * Updates whose power is cut: a delta, and a compressed image that is overwritten as it is applied.
 * @module
 */
import { SECTOR_SIZE } from "../../hosts/emulated/nor-flash.js";
import { makeDelta, packImage } from "../../tools/payload/encoder.js";
import { appImage, deltaFile, type PayloadRigOptions, packedFile, type Update } from "./payload-rig.js";
import { sha256 } from "./sha256.js";

export interface CutScene {
  readonly name: string;
  readonly options: PayloadRigOptions;
  readonly update: Update;
  /** Sectors of a segment. */
  readonly segment: number;
}

export function cutScenes(): CutScene[] {
  const base = appImage("1.0.0");
  const next = appImage("1.1.0");
  const other = appImage("1.2.0", { seed: 8 });
  const scenes: CutScene[] = [];
  for (const encrypted of [false, true])
    for (const segment of [1, 4]) {
      const segmentLog2 = 12 + Math.log2(segment);
      const small = makeDelta(base, next, { sha256, segmentLog2 });
      const packed = packImage(other, { sha256, segmentLog2 });
      const name = `${encrypted ? ", encrypted" : ""}${segment > 1 ? `, segments of ${segment} sectors` : ""}`;
      // The compressed image leaves just the room that it needs.
      const slot = (segment > 1 ? 13 : 11) * SECTOR_SIZE;
      scenes.push(
        {
          name: `a delta${name}`,
          options: { encrypted },
          update: { file: deltaFile(small, next, base), payload: small, image: next },
          segment,
        },
        {
          name: `a compressed image${name}`,
          options: { encrypted, slot },
          update: { file: packedFile(packed, other), payload: packed, image: other },
          segment,
        },
      );
    }
  return scenes;
}
