#!/usr/bin/env node
/**
 * What npm links as `xs-ota`: there before the program is built, since npm leaves out what is not.
 * @module
 */
import "../dist/bin/xs-ota.js";
