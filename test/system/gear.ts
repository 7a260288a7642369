/**
 * The second processor of a story's device: a board behind a UART that may lose bytes or not answer, what is deployed to it,
 * and the porting layer of each life. It shares the device's supply.
 * @module
 */
import { equalBytes } from "../../src/bytes.js";
import { ProcessorPal } from "../../src/components/processor-pal.js";
import type { Clock, Crypto, Flash } from "../../src/ports.js";
import { TEST_KEYS } from "../support/test-crypto.js";
import { UartBoard } from "../support/uart-board.js";
import { UartProcessor } from "../support/uart-processor.js";
import { VirtualClock } from "../support/virtual-clock.js";
import { GEAR, type Gear, PROJECT } from "./images.js";
import type { DeviceParts } from "./parts.js";

/** On a bad line one of so many frames loses a byte. */
const LOSE_EVERY = 4;

export class Gearbox {
  readonly board: UartBoard;
  readonly #parts: DeviceParts;
  #processor: UartProcessor | undefined;

  constructor(parts: DeviceParts) {
    this.#parts = parts;
    const [factory] = parts.gears;
    parts.judge.keptGear = factory;
    this.board = new UartBoard(new VirtualClock(parts.broker.time), factory.image);
    this.board.works = (image) => this.#made(image)?.works ?? false;
    this.board.onImage = () => this.#changed();
  }

  /** Of a life that begins. */
  pal(clock: Clock, crypto: Crypto, place: Flash): ProcessorPal {
    const { board } = this;
    const { trouble } = this.#parts;
    const line = {
      onData: (_: Uint8Array) => {},
      write: (bytes: Uint8Array) => {
        const faults = trouble.active("line").map(({ what }) => what);
        for (const what of faults) trouble.took(`line ${what}`);
        board.dead = faults.includes("dead");
        board.loseEvery = faults.includes("loses") ? LOSE_EVERY : 0;
        board.write(bytes);
      },
    };
    board.onData = (bytes) => line.onData(bytes);
    this.#processor = new UartProcessor(line, clock);
    this.#tell();
    const whose = { name: GEAR, projectName: PROJECT, place, trustedKeys: TEST_KEYS };
    return new ProcessorPal({ ...whose, processor: this.#processor, crypto, clock });
  }

  /** @param powerLost the board's, too; otherwise it runs on */
  lifeOver(powerLost: boolean): void {
    this.board.onData = () => {};
    this.#processor = undefined;
    if (powerLost) this.board.reset();
  }

  #made(image: Uint8Array): Gear | undefined {
    return this.#parts.gears.find((gear) => equalBytes(gear.image, image));
  }

  #changed(): void {
    const { board } = this;
    this.#parts.judge.processor(this.#made(board.image), board.before === undefined);
    this.#tell();
  }

  /** Some say what they run. */
  #tell(): void {
    const { silentGear } = this.#parts.scenario.device;
    if (this.#processor && !silentGear) this.#processor.version = this.#made(this.board.image)?.version;
  }
}
