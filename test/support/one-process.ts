/**
 * Loaded first by mocha when coverage is measured: what the tests start as processes of their own is not counted.
 * V8's figures of programs that were translated differently cannot be added up.
 * @module
 */
delete process.env["NODE_V8_COVERAGE"];
