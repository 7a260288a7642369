/**
 * The ports whose work the host does within the call: flash, boot side, cryptography, store, log.
 * @module
 */
import type {
  AppDescription,
  BootControl,
  BootImageState,
  Crypto,
  Flash,
  Hash,
  Log,
  Store,
} from "../../../src/ports.js";
import { Call, fromUtf8, toUtf8, Writer } from "../wire.js";
import { call, callNumber, callText } from "./engine.js";

export class XsFlash implements Flash {
  readonly #partition: number;
  #open = true;

  /** @param partition its index in the list of partitions the host was given */
  constructor(partition: number) {
    this.#partition = partition;
  }

  eraseBlock(start: number, end = start + 1): void {
    this.#check(start, end);
    call(new Writer(10).u8(Call.flashErase).u8(this.#partition).u32(start).u32(end).finish());
  }

  read(buffer: Uint8Array, offset: number): void {
    this.#check(offset);
    const message = new Writer(10).u8(Call.flashRead).u8(this.#partition).u32(offset).u32(buffer.length);
    buffer.set(call(message.finish()));
  }

  write(buffer: Uint8Array, offset: number): void {
    this.#check(offset);
    const message = new Writer(6 + buffer.length).u8(Call.flashWrite).u8(this.#partition).u32(offset);
    call(message.bytes(buffer).finish());
  }

  status(): { size: number; blocks: number; blockLength: number } {
    this.#check();
    return JSON.parse(fromUtf8(call(new Writer(2).u8(Call.flashStatus).u8(this.#partition).finish())));
  }

  close(): void {
    this.#open = false;
  }

  /** What the host could not tell from the bytes it gets. */
  #check(...numbers: number[]): void {
    if (!this.#open) throw new Error("the partition is closed");
    for (const number of numbers)
      if (!(Number.isInteger(number) && number >= 0 && number < 2 ** 32))
        throw new RangeError(`${number} lies outside the partition`);
  }
}

export class XsBoot implements BootControl {
  readonly running: AppDescription = boot("running");
  readonly chipRevision: number | undefined = boot<number | null>("chipRevision") ?? undefined;
  readonly rollbackEnabled: boolean = boot("rollbackEnabled");

  imageState(): BootImageState {
    return boot("imageState");
  }
  otherState(): BootImageState {
    return boot("otherState");
  }
  keepWayBack(): void {
    boot("keepWayBack");
  }
  clearOther(): void {
    boot("clearOther");
  }
  setBoot(): void {
    boot("setBoot");
  }
  markValid(): void {
    boot("markValid");
  }
  markInvalid(): void {
    boot("markInvalid");
  }
  secure(): void {
    boot("secure");
  }
  restart(): void {
    boot("restart");
  }
}

function boot<T>(method: keyof BootControl): T {
  return JSON.parse(fromUtf8(callText(Call.boot, method)));
}

class XsHash implements Hash {
  readonly #id = new DataView(call(new Writer(1).u8(Call.hashNew).finish()).slice().buffer).getUint32(
    0,
    true,
  );

  update(bytes: Uint8Array): void {
    call(new Writer(5 + bytes.length).u8(Call.hashUpdate).u32(this.#id).bytes(bytes).finish());
  }
  digest(): Uint8Array {
    return callNumber(Call.hashDigest, this.#id).slice();
  }
}

export const xsCrypto: Crypto = Object.freeze({
  sha256: (): Hash => new XsHash(),

  verifyEcdsaP256(publicKey: Uint8Array, digest: Uint8Array, r: Uint8Array, s: Uint8Array): boolean {
    const message = new Writer(1 + 65 + 3 * 32).u8(Call.verifyEcdsa);
    return call(message.bytes(publicKey).bytes(digest).bytes(r).bytes(s).finish())[0] === 1;
  },

  verifyRsa(modulus: Uint8Array, exponent: Uint8Array, digest: Uint8Array, signature: Uint8Array): boolean {
    const length = 5 + modulus.length + exponent.length + digest.length + signature.length;
    const message = new Writer(length).u8(Call.verifyRsa).u16(modulus.length).bytes(modulus);
    message.u16(exponent.length).bytes(exponent).bytes(digest).bytes(signature);
    return call(message.finish())[0] === 1;
  },
});

export const xsStore: Store = Object.freeze({
  get(key: string): string | undefined {
    const name = toUtf8(key);
    const message = new Writer(3 + name.length).u8(Call.storeGet).u16(name.length).bytes(name);
    const answer = call(message.finish());
    return answer[0] === 1 ? fromUtf8(answer.subarray(1)) : undefined;
  },
  set(key: string, value: string): void {
    const name = toUtf8(key);
    const content = toUtf8(value);
    const message = new Writer(3 + name.length + content.length).u8(Call.storeSet).u16(name.length);
    call(message.bytes(name).bytes(content).finish());
  },
});

export const xsLog: Log = (level, text) => {
  const name = toUtf8(level);
  const content = toUtf8(text);
  const message = new Writer(3 + name.length + content.length).u8(Call.log).u16(name.length);
  call(message.bytes(name).bytes(content).finish());
};
