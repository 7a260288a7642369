/**
 * The conformance tests of the ports, as `xs-ota/conformance` has them: docs/porting.md.
 * @module
 */
export * from "./boot-control.js";
export * from "./component.js";
export * from "./crypto.js";
export * from "./flash.js";
export * from "./http-client.js";
export * from "./mqtt-connection.js";
