/**
 * `net` of the Moddable SDK by the name that no tool takes for Node's module; the SDK cuts the prefix off.
 */
declare module "moddable:net" {
  export default class Net {
    /** Calls back once, later; without `address` when there is none. */
    static resolve(host: string, callback: (host: string, address?: string) => void): void;
  }
}
