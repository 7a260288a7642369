/**
 * `xs-ota-agent/url`: updates from a manifest on any web server.
 * @module
 */
export { UrlUpdates, type UrlUpdatesOptions } from "./url-updates.js";
