/**
 * `net` (modules/network/net/esp/modResolve.c): calls back in a turn of its own, without an address when there is none.
 * What the callback throws ends the machine.
 * @module
 */
import { sdk } from "./machine.js";

// biome-ignore lint/complexity/noStaticOnlyClass: the SDK's shape
export default class Net {
  static resolve(host: string, callback: (host: string, address?: string) => void): void {
    sdk.clock.set(() => {
      const address = sdk.addresses.get(host);
      if (address === undefined) callback(host);
      else callback(host, address);
    }, 1);
  }
}
