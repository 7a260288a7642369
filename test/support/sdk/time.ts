/**
 * `time`. On ESP32 (modules/base/time/esp): milliseconds since start as a signed 32-bit integer, which is negative
 * from the 25th day and starts again after the 49th; `delta` is the difference, signed 32 bits again. On Linux
 * (modules/base/time/lin): the wall clock, which may be set back.
 * @module
 */
import { sdk } from "./machine.js";

// biome-ignore lint/complexity/noStaticOnlyClass: the SDK's shape
export default class Time {
  static get ticks(): number {
    const now = sdk.tickBase + sdk.clock.now();
    return sdk.platform === "lin" ? now : Math.floor(now % 0x1_0000_0000) | 0;
  }

  static delta(start: number, end = Time.ticks): number {
    return sdk.platform === "lin" ? end - start : (end - start) | 0;
  }

  /** @param seconds since 1970 */
  static set(seconds: number): void {
    sdk.time = { seconds: Math.trunc(seconds), at: sdk.clock.now() };
  }
}
