/**
 * The decoder of payloads in JavaScript (`xs-ota-agent/payload-decoder`), for platforms without the native one: a range
 * decoder with adaptive bits, copies from the base as predicted, and copies from the output on flash. Bits in docs/SPEC.md,
 * "Payloads".
 * @module
 */
import type { PayloadDecoder, PayloadSource } from "./decoder.js";
import { badPayload, type PayloadHeader } from "./header.js";
import * as Model from "./model.js";
import { Predictor } from "./predictor.js";

/** Bytes of input, and of output read back, at a time. */
const INPUT = 256;
const OUTPUT = 512;

class JsPayloadDecoder implements PayloadDecoder {
  readonly #header: PayloadHeader;
  readonly #source: PayloadSource;
  readonly #predictor: Predictor | undefined;
  readonly #odds = new Uint16Array(Model.PROBABILITIES);
  readonly #input = new Uint8Array(INPUT);
  /** Output read back from flash, from `#cachedAt` on. */
  readonly #cache = new Uint8Array(OUTPUT);
  #cachedAt = -1;
  /** The next byte of input: in `#input`, and how many are there; where the rest is, and where it ends. */
  #next = 0;
  #filled = 0;
  #at = 0;
  #end = 0;
  #raw = false;
  #range = 0;
  #code = 0;
  /** Position in the image, and where the segment ends. */
  #position = 0;
  #limit = 0;
  // The state of the format: shift, distance, kind of the last token, literals since the last copy from the base.
  #shift = 0;
  #distance = 1;
  #last = 0;
  #run = Model.NO_RUN;
  /** Bytes left of a copy. */
  #left = 0;

  /** @throws OtaError "bad-payload"; whatever reading the base throws */
  constructor(header: PayloadHeader, source: PayloadSource) {
    this.#header = header;
    this.#source = source;
    this.#predictor = header.isDelta ? new Predictor(header, source.base) : undefined;
  }

  begin(position: number, at: number, end: number, raw: boolean): void {
    const { segmentLog2, imageLength } = this.#header;
    const limit = position + (1 << segmentLog2);
    this.#position = position;
    this.#limit = limit < imageLength ? limit : imageLength;
    this.#at = at;
    this.#end = end;
    this.#raw = raw;
    this.#next = this.#filled = this.#shift = this.#last = this.#left = this.#code = 0;
    this.#cachedAt = -1;
    this.#distance = 1;
    this.#run = Model.NO_RUN;
    this.#odds.fill(Model.HALF);
    this.#range = Model.RANGE;
    if (this.#raw) return;
    for (let n = 0; n < 4; n++) this.#code = (this.#code << 8) | this.#byte();
    // As a signed integer: 2^31 and above is negative.
    if (this.#code < 0 || this.#code >= Model.RANGE) badPayload("the payload's bits make no sense");
  }

  decode(out: Uint8Array): void {
    const end = out.length;
    const start = this.#position;
    if (end > this.#limit - start) badPayload("the payload's segment is over");
    if (this.#raw) {
      this.#source.payload(out, this.#at);
      this.#at += end;
    } else
      for (let n = 0; n < end; n = this.#position - start) {
        if (this.#left === 0) this.#token(out, n);
        if (this.#left > 0) this.#copy(out, start);
      }
    // A block that was not all there yet may not be taken for what it is later.
    if (this.#cachedAt + OUTPUT > start) this.#cachedAt = -1;
    if (this.#raw) this.#position += end;
    // Trailing zeros are not in the payload: more than all of it may have been asked for, but nothing may be left.
    else if (this.#position === this.#limit && (this.#at < this.#end || this.#next < this.#filled))
      badPayload("the payload's segment has bytes left over");
  }

  /** A literal, or the beginning of a copy. */
  #token(out: Uint8Array, n: number): void {
    const last = this.#last;
    const position = this.#position;
    if (this.#bit(Model.IS_COPY + last) === 0) {
      const at = position + this.#shift;
      const { isDelta, baseLength } = this.#header;
      if (isDelta && this.#run < Model.RUN && at >= 0 && at < baseLength) {
        out[n] = this.#tree(Model.DIFFERENCE, 8) + (this.#predictor as Predictor).byte(at, this.#shift);
        this.#last = 2;
      } else {
        out[n] = this.#tree(Model.LITERAL, 8);
        this.#last = 0;
      }
      this.#run++;
      this.#position++;
      return;
    }
    const isOther = this.#bit(Model.IS_OTHER + last);
    const isNew = isOther && this.#bit(Model.IS_NEW);
    let length: number;
    if (isNew) {
      const repeated = this.#bit(Model.IS_REPEATED);
      length = this.#number(Model.NEW_LENGTH) + 2;
      if (!repeated)
        this.#distance = this.#number(length > Model.SHORT_LENGTH ? Model.LONG : Model.SHORT) + 1;
      if (this.#distance > position) badPayload("a copy from before the image");
      this.#last = 3;
      this.#run = Model.NO_RUN;
    } else {
      if (isOther) {
        const minus = this.#bit(Model.IS_MINUS);
        const by = this.#number(Model.SHIFT) + 1;
        this.#shift += minus ? -by : by;
      }
      length = this.#number(Model.OLD_LENGTH) + 1;
      const at = position + this.#shift;
      if (at < 0 || at + length > this.#header.baseLength) badPayload("a copy from outside of the base");
      this.#last = 1;
      this.#run = 0;
    }
    if (length > this.#limit - position) badPayload("a copy beyond the segment");
    this.#left = length;
  }

  /** Goes on with the copy at hand, as far as `out`, whose first byte is at `start` of the image, has room. */
  #copy(out: Uint8Array, start: number): void {
    const position = this.#position;
    let n = position - start;
    let end = n + this.#left;
    if (end > out.length) end = out.length;
    this.#left -= end - n;
    this.#position += end - n;
    if (this.#last === 1) {
      (this.#predictor as Predictor).copy(position + this.#shift, this.#shift, out, n, end);
      return;
    }
    const distance = this.#distance;
    const cache = this.#cache;
    // What stands before this sector is on flash.
    for (; n < end && n < distance; n++) {
      const at = start + n - distance;
      const place = at % OUTPUT;
      if (at - place !== this.#cachedAt) {
        this.#cachedAt = at - place;
        this.#source.output(cache, this.#cachedAt);
      }
      out[n] = cache[place];
    }
    for (; n < end; n++) out[n] = out[n - distance];
  }

  #byte(): number {
    if (this.#next === this.#filled) {
      const rest = this.#end - this.#at;
      // Zeros at the end are cut off.
      if (rest === 0) return 0;
      this.#filled = rest < INPUT ? rest : INPUT;
      const input = this.#input;
      this.#source.payload(rest < INPUT ? input.subarray(0, rest) : input, this.#at);
      this.#at += this.#filled;
      this.#next = 0;
    }
    return this.#input[this.#next++];
  }

  /** One bit of the model at `place`. */
  #bit(place: number): number {
    const odds = this.#odds;
    const p = odds[place];
    const bound = (this.#range >>> 11) * p;
    let bit = 0;
    if (this.#code < bound) {
      this.#range = bound;
      odds[place] = p + ((2048 - p) >> 4);
    } else {
      this.#code -= bound;
      this.#range -= bound;
      odds[place] = p - (p >> 4);
      bit = 1;
    }
    while (this.#range < Model.LOW_RANGE) {
      this.#range <<= 8;
      this.#code = (this.#code << 8) | this.#byte();
    }
    return bit;
  }

  /** `bits` bits by the tree at `place`, the most significant first. */
  #tree(place: number, bits: number): number {
    // As `#bit`, in one go: most of the time goes by here.
    const odds = this.#odds;
    let range = this.#range;
    let code = this.#code;
    let node = 1;
    for (let n = bits; n > 0; n--) {
      const p = odds[place + node];
      const bound = (range >>> 11) * p;
      if (code < bound) {
        range = bound;
        odds[place + node] = p + ((2048 - p) >> 4);
        node <<= 1;
      } else {
        code -= bound;
        range -= bound;
        odds[place + node] = p - (p >> 4);
        node = (node << 1) | 1;
      }
      while (range < Model.LOW_RANGE) {
        range <<= 8;
        code = (code << 8) | this.#byte();
      }
    }
    this.#range = range;
    this.#code = code;
    return node - (1 << bits);
  }

  /** A number from 0 on: its length in binary, two digits by models of their own, the rest as it is. */
  #number(place: number): number {
    const exponent = this.#tree(place, 5);
    if (exponent > Model.MAX_EXPONENT) badPayload("a number that is too large");
    const modelled = exponent < 2 ? exponent : 2;
    let value = (1 << modelled) | this.#tree(place + 32 + 4 * exponent, modelled);
    for (let n = exponent - modelled; n > 0; n--) {
      this.#range >>= 1;
      let bit = 0;
      if (this.#code >= this.#range) {
        this.#code -= this.#range;
        bit = 1;
      }
      value = (value << 1) | bit;
      while (this.#range < Model.LOW_RANGE) {
        this.#range <<= 8;
        this.#code = (this.#code << 8) | this.#byte();
      }
    }
    // Beyond its range the code is none that an encoder makes, and would grow without bound.
    if (this.#code >= this.#range) badPayload("the payload's bits make no sense");
    return value - 1;
  }
}

/**
 * Makes the decoder in JavaScript: for option `decoder` of `StagedPal`. It reads the base when it is made of a delta.
 * @throws OtaError "bad-payload"; whatever reading the base throws
 */
export function jsDecoder(header: PayloadHeader, source: PayloadSource): PayloadDecoder {
  return new JsPayloadDecoder(header, source);
}
