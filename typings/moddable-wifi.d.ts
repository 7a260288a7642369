/**
 * Wi-Fi as ECMA-419 has it, of the Moddable SDK 8.2, which the published typings lack.
 */
declare module "embedded:network/interface/wifi" {
  import type { WifiConstructor } from "../hosts/moddable/network-keeper.js";

  const WiFi: WifiConstructor;
  export default WiFi;
}
