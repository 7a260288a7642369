/**
 * `xs-ota-agent/network`, whatever the application is built for: the manifest names the host behind it.
 * @module
 */
export * from "moddable:xs-ota-agent/network-platform";
