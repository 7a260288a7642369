/**
 * A product with a page beside its firmware (examples/components) on the desk: pages updated alone and with firmware, a bad one
 * among them, each read back over HTTP.
 * @module
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { buildComponent, buildStatement } from "../../hosts/formats/component-builder.js";
import { buildImage } from "../../hosts/formats/image-builder.js";
import { freePort } from "../../test/support/daemon.js";
import { onDesk, PROJECT } from "./desk.js";
import { ROOT, type Sdk } from "./sdk.js";

export const NAME = "assets";
export const FILE_TYPE = 10;
const STATEMENT_TYPE = 255;

/** Larger than a piece of the example's server, and than its socket takes at once. */
function pageOf(text: string): string {
  return `<!doctype html><title>${text}</title>${"<p>0123456789</p>".repeat(800)}`;
}

export function pageFile(version: string, content: string): Uint8Array {
  const header = { name: NAME, projectName: PROJECT, version, minFirmware: "", maxFirmware: "" };
  return buildComponent(header, new TextEncoder().encode(content));
}

/** A file of a job beside its first one. */
export interface Beside {
  readonly kind: string;
  readonly fileType: number;
  readonly bytes: Uint8Array;
}

/** A file of a set by the name and version that its statement gives it. */
export interface Member {
  readonly name: string;
  readonly version: string;
  readonly bytes: Uint8Array;
}

/** The statement that files belong together. */
export function statementOf(sequence: number, members: readonly Member[]): Beside {
  const digest = (bytes: Uint8Array) => new Uint8Array(createHash("sha256").update(bytes).digest());
  const entries = members.map(({ name, version, bytes }) => ({ name, version, digest: digest(bytes) }));
  const bytes = buildStatement({ sequence, projectName: PROJECT, entries });
  return { kind: "/set.xas", fileType: STATEMENT_TYPE, bytes };
}

/** Tries again while the device restarts, which it does behind the end of a job that failed. */
async function fetchPage(url: string, attempts = 50): Promise<string> {
  try {
    return await (await fetch(url)).text();
  } catch (error) {
    if (attempts === 0) throw error;
    await new Promise((resolve) => setTimeout(resolve, 200));
    return fetchPage(url, attempts - 1);
  }
}

/** @returns what was seen, for people @throws Error when a page or the end of a job is another one */
export async function updatePageOnDesk(options: {
  readonly sdk: Sdk;
  readonly seconds: number;
  readonly line: (text: string) => void;
}): Promise<string> {
  const pagePort = await freePort();
  const application = join(ROOT, "examples/components");
  const setup = { ...options, application, config: { pagePort }, restarts: 6 };
  return onDesk(setup, async (deploy) => {
    const seen: string[] = [];
    const expectPage = async (text: string) => {
      const page = await fetchPage(`http://127.0.0.1:${pagePort}/`);
      if (page !== text) throw new Error(`after ${seen.join(", ")}: the page is ${page.slice(0, 200)}`);
    };
    const expectJob = async (what: string, status: string, job: ReturnType<typeof deploy>) => {
      const execution = await job;
      if (execution.status !== status)
        throw new Error(`${what}: ${execution.status} ${JSON.stringify(execution.statusDetails)}`);
      seen.push(`${what} ${status}`);
    };
    await expectPage("<!doctype html><title>No page yet</title>");
    await expectJob("a page", "SUCCEEDED", deploy(pageFile("1.0.0", pageOf("one")), { fileType: FILE_TYPE }));
    await expectPage(pageOf("one"));
    await expectJob("one that is none", "FAILED", deploy(pageFile("2.0.0", "none"), { fileType: FILE_TYPE }));
    await expectPage(pageOf("one"));
    const page = pageFile("3.0.0", pageOf("three"));
    const firmware = { chip: "esp32", projectName: PROJECT, version: "2.0.0", size: 100_000 } as const;
    const image = buildImage(firmware, () => createHash("sha256"));
    const members = [
      { name: "firmware", version: "2.0.0", bytes: image },
      { name: NAME, version: "3.0.0", bytes: page },
    ];
    const payloads = [{ kind: "/assets.xac", fileType: FILE_TYPE, bytes: page }, statementOf(1, members)];
    await expectJob("firmware and page", "SUCCEEDED", deploy(image, { payloads }));
    await expectPage(pageOf("three"));
    return seen.join(", ");
  });
}
