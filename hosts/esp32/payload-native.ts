/**
 * The native decoder of payloads: the typed face of payload.c, which reads the flash by itself. A file of its own, because only
 * the XS compiler understands `native`.
 * @module
 */
import { OtaError } from "xs-ota-agent";
import type { MakeDecoder, PayloadDecoder, PayloadHeader, PayloadPlace } from "xs-ota-agent/payload";

/** payload.c. The compiler takes each body for a binding only when it is this call and nothing else. */
class Native {
  size(): number {
    return native("xs_ota_payloadSize").call(this) as number;
  }
  /**
   * @param numbers bytes of the image, bytes of the base, predictor, binary logarithm of the segment, bytes of the payload
   * @param segments of the image: rows of offset, address, length
   * @param steps of the map: rows of offset and shift
   * @param start offset in the slot where the payload lies, its first sector behind the others
   */
  open(
    state: Uint8Array,
    numbers: Int32Array,
    segments: Int32Array,
    steps: Int32Array,
    start: number,
  ): number {
    return native("xs_ota_payloadOpen").call(
      this,
      state as never,
      numbers as never,
      segments as never,
      steps as never,
      start as never,
    ) as number;
  }
  begin(state: Uint8Array, position: number, at: number, end: number, raw: number): number {
    return native("xs_ota_payloadBegin").call(
      this,
      state as never,
      position as never,
      at as never,
      end as never,
      raw as never,
    ) as number;
  }
  decode(state: Uint8Array, out: Uint8Array): number {
    return native("xs_ota_payloadDecode").call(this, state as never, out as never) as number;
  }
}

class EspPayloadDecoder implements PayloadDecoder {
  readonly #native = new Native();
  readonly #state: Uint8Array;

  constructor(header: PayloadHeader, { length, start }: PayloadPlace) {
    const { imageLength, baseLength, predictor, segmentLog2, imageSegments, steps } = header;
    const numbers = Int32Array.of(imageLength, baseLength, predictor, segmentLog2, length);
    this.#state = new Uint8Array(this.#native.size());
    check(this.#native.open(this.#state, numbers, imageSegments, steps, start));
  }

  begin(position: number, at: number, end: number, raw: boolean): void {
    check(this.#native.begin(this.#state, position, at, end, raw ? 1 : 0));
  }

  decode(out: Uint8Array): void {
    check(this.#native.decode(this.#state, out));
  }
}

/** @param error `PAYLOAD_OK`, `PAYLOAD_BAD` or `PAYLOAD_UNREADABLE` of payload-core.h */
function check(error: number): void {
  if (error === -1) throw new OtaError("bad-payload", "the payload makes no sense");
  if (error) throw new OtaError("flash-write", "the flash cannot be read");
}

export const makeDecoder: MakeDecoder = (header, place) => new EspPayloadDecoder(header, place);

/** Compressed images are taken by default. */
export const packed: boolean = true;
