/** A second processor behind a UART as the destination of a job's file. */

import { FlashPartition } from "../../hosts/emulated/flash-partition.js";
import { SECTOR_SIZE } from "../../hosts/emulated/nor-flash.js";
import { buildComponent } from "../../hosts/formats/component-builder.js";
import { ProcessorPal } from "../../src/components/processor-pal.js";
import type { FlashPalOptions } from "../../src/slot/flash-pal.js";
import type { OtaPal } from "../../src/slot/pal.js";
import { deepEqual, equal } from "../support/assert.js";
import { UartBoard } from "../support/uart-board.js";
import { UartProcessor } from "../support/uart-processor.js";
import { VirtualClock } from "../support/virtual-clock.js";
import { image, World } from "../support/world.js";

const STORAGE = 0x50000;
const SECTORS = 8;
const TYPE = 20;
const NAME = "motor";

function content(version: string): Uint8Array {
  return new Uint8Array(9_000).map((_, at) => at ^ (at >> 8) ^ version.charCodeAt(0));
}

function file(version: string, changes: { name?: string; projectName?: string } = {}): Uint8Array {
  const header = { name: NAME, projectName: "world", version, minFirmware: "", maxFirmware: "" };
  return buildComponent({ ...header, ...changes }, content(version));
}

/** A device with such a processor. */
class Product extends World {
  readonly board: UartBoard;
  /** What the processor says at a start that it runs. */
  runs = "1";

  constructor() {
    const otherPals: Record<number, OtaPal> = {};
    super({
      agent: { otherPals },
      // In each life anew.
      around: (firmware, parts, world) => {
        otherPals[TYPE] = (world as Product).around(parts);
        return firmware;
      },
    });
    this.board = new UartBoard(new VirtualClock(this.time), content("1"));
    this.powerOn();
  }

  around({ clock, crypto, trustedKeys }: FlashPalOptions): OtaPal {
    const processor = new UartProcessor(this.board, clock);
    processor.version = this.runs;
    const place = new FlashPartition(this.flash, { offset: STORAGE, size: SECTORS * SECTOR_SIZE });
    const file = { name: NAME, projectName: "world", place };
    return new ProcessorPal({ ...file, processor, crypto, clock, trustedKeys });
  }

  update(bytes: Uint8Array): string {
    const { status, statusDetails } = this.ended(this.deploy(bytes, { fileType: TYPE }));
    return `${status} ${statusDetails["code"] ?? ""}`.trim();
  }
}

describe("a second processor", () => {
  it("gets its image over the bus, starts and confirms it: SUCCEEDED", () => {
    const product = new Product();
    equal(product.update(file("2")), "SUCCEEDED");
    deepEqual(product.board.image, content("2"));
    equal(product.board.before, undefined, "it stays");
    equal(product.boots.length, 1, "the device itself does not restart");
  });

  it("over a line that loses bytes", () => {
    const product = new Product();
    product.board.loseEvery = 4;
    equal(product.update(file("2")), "SUCCEEDED");
    deepEqual(product.board.image, content("2"));
  });

  it("that does not answer: FAILED, with nothing changed", () => {
    const product = new Product();
    product.board.dead = true;
    equal(product.update(file("2")), "FAILED file-close");
    deepEqual(product.board.image, content("1"));
    product.board.dead = false;
    equal(product.update(file("2")), "SUCCEEDED");
  });

  it("whose new image fails: it is back, FAILED", () => {
    const product = new Product();
    product.board.works = () => false;
    equal(product.update(file("2")), "FAILED self-test-rejected");
    deepEqual(product.board.image, content("1"));
  });

  for (const [what, bytes, code] of [
    ["another processor's file", file("2", { name: "radio" }), "wrong-project"],
    ["another product's", file("2", { projectName: "other" }), "wrong-project"],
    ["the version it runs", file("1"), "same-version"],
    ["an older one", file("0"), "downgrade"],
    ["firmware", image("2.0.0"), "bad-image"],
  ] as const)
    it(`does not get ${what}: nothing is sent`, () => {
      const product = new Product();
      equal(product.update(bytes), `FAILED ${code}`);
      equal(product.board.frames, 0);
    });

  it("that made it stay when the power went: SUCCEEDED all the same, as the version it runs already it was refused", () => {
    const product = new Product();
    const { board } = product;
    const job = product.deploy(file("2"), { fileType: TYPE });
    product.wait(() => board.image.length > 0 && board.before !== undefined);
    product.wait(() => board.before === undefined);
    product.runs = "2";
    product.reset();
    board.reset();
    equal(product.ended(job).status, "SUCCEEDED");
    deepEqual(board.image, content("2"));
    equal(product.update(file("2")), "FAILED same-version");
  });

  it("does not start what the flash no longer holds as it was verified: it was, whatever had become of it", () => {
    const product = new Product();
    const { board, flash } = product;
    const job = product.deploy(file("2"), { fileType: TYPE });
    // The place has been verified; a bit of what is passed on later turns.
    product.wait(() => board.frames > 2);
    flash.flipBits(STORAGE + 256 + 8_000, 1);
    const { status, statusDetails } = product.ended(job);
    equal(`${status} ${statusDetails["code"]}`, "FAILED file-close");
    deepEqual(board.image, content("1"));
    equal(product.update(file("2")), "SUCCEEDED");
  });

  it("does not get a file that nobody trusted signed", () => {
    const product = new Product();
    const bytes = file("2");
    const job = product.deploy(bytes, { fileType: TYPE, signature: undefined });
    equal(product.ended(job).statusDetails["code"], "signature-missing");
    equal(product.board.frames, 0);
  });

  it("reset in the middle: the job goes on, and passes the image on once more", () => {
    const product = new Product();
    const job = product.deploy(file("2"), { fileType: TYPE });
    product.wait(() => product.board.frames > 4);
    product.reset();
    product.board.reset();
    equal(product.ended(job).status, "SUCCEEDED");
    const { statistics } = product.agent;
    equal(statistics?.resumedBytes, file("2").length, "the file is there already");
    deepEqual(product.board.image, content("2"));
  });
});
