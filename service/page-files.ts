/**
 * The files of the page, as they are: nothing is built.
 * @module
 */
import { existsSync, readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";

const TYPES: Readonly<Record<string, string>> = Object.freeze({
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
});
const NAMES: readonly string[] = Object.freeze([
  "index.html",
  "page.css",
  "page.js",
  "service.js",
  "format.js",
  "list.js",
  "devices.js",
  "jobs.js",
  "deploy.js",
  "icon.svg",
]);
/** What the page is built with (preact and htm), as its package has it. */
const LIBRARY = "htm/preact/standalone";
/** The page loads nothing from elsewhere, and nobody frames it. */
const POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

export class PageFiles {
  readonly #files = new Map<string, Buffer>();

  /** @throws Error when the package is incomplete */
  constructor() {
    // In the package, this module is in dist/bin; `npm start` has it in build/tools.
    const folders = ["./page/", "../page/", "../../service/page/"].map(
      (path) => new URL(path, import.meta.url),
    );
    const folder = folders.find((url) => existsSync(new URL("index.html", url)));
    if (!folder) throw new Error("the files of the page are missing");
    for (const name of NAMES) this.#files.set(`/${name}`, readFileSync(new URL(name, folder)));
    this.#files.set("/htm.js", readFileSync(new URL(import.meta.resolve(LIBRARY))));
    this.#files.set("/", this.#files.get("/index.html")!);
  }

  send(path: string, response: ServerResponse): void {
    const file = this.#files.get(path);
    if (!file) {
      response.writeHead(404, { "Content-Type": "text/plain; charset=utf-8" });
      response.end("There is no such page.\n");
      return;
    }
    response.writeHead(200, {
      "Content-Type": TYPES[/\.\w+$/.exec(path)?.[0] ?? ".html"],
      "Content-Length": file.length,
      "Cache-Control": "no-cache",
      "Content-Security-Policy": POLICY,
    });
    response.end(file);
  }
}
