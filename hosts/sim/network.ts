/**
 * The network of the simulators is the computer's: there at once, and the time with it.
 * @module
 */
import { ModdableClock } from "../moddable/clock.js";
import type { Network, NetworkEvent, NetworkOptions } from "../moddable/network-keeper.js";

export type { Network, NetworkEvent, NetworkOptions } from "../moddable/network-keeper.js";

/** As on ESP32: calls back in a later turn. */
export function startNetwork({ onReady, onEvent }: NetworkOptions = {}): Network {
  const clock = new ModdableClock();
  const event: NetworkEvent = { type: "connected", address: undefined };
  const timer = clock.set(() => {
    onEvent?.(event);
    onReady?.();
  }, 0);
  return { online: true, timeKnown: true, close: () => clock.clear(timer) };
}
