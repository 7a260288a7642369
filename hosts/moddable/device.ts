/**
 * The module an application imports, whatever it is built for: the manifest names the host behind it. The prefix
 * keeps `mcpack`, which follows imports by Node's rules, from looking for a package.
 * @module
 */
export * from "moddable:xs-ota-agent/platform";
