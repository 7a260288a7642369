/**
 * `net` of the Moddable SDK by the name that no tool takes for Node's module; the SDK cuts the prefix off.
 */
declare module "moddable:net" {
  const Net: {
    /** Calls back once, later; without `address` when there is none. */
    resolve(host: string, callback: (host: string, address?: string) => void): void;
  };
  export default Net;
}
