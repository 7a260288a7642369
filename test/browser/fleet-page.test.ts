import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { ApiServer } from "../../service/api.js";
import { Desk } from "../../service/desk.js";
import { generateIdentity } from "../../service/signer.js";
import { deepEqual, equal, ok } from "../support/assert.js";

const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const PICTURES = fileURLToPath(new URL("../../build/screenshots/", import.meta.url));
const AXE = readFileSync(new URL(import.meta.resolve("axe-core/axe.min.js")), "utf8");
const DEVICES = 2000;
const JOBS = 10_000;
/** What a viewer may take while everything changes, bytes a second. */
const RATE = 20_000;
/** Processor of the page's thread that one piece of work may take, ms. */
const LONGEST_TASK = 100;
/** As long as anybody has, by the machine the tests run on. */
const LONGEST_NAME = "a-very-long-name-".repeat(8).slice(0, 128);

/** Microseconds; `tdur` of the thread's processor. */
interface TraceEvent {
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  readonly dur?: number;
  readonly tdur?: number;
  readonly args?: { readonly name?: string; readonly data?: { readonly url?: string } };
}
interface Trace {
  readonly traceEvents: readonly TraceEvent[];
}
interface Longest {
  readonly processor: number;
  readonly clock: number;
}
/** A page that nothing but the page itself runs in, but for a short look now and then. */
interface QuietPage {
  readonly open: (hash: string) => Promise<unknown>;
  readonly run: (expression: string) => Promise<unknown>;
  readonly until: (expression: string) => Promise<void>;
}

describe(`the page with ${DEVICES} devices and ${JOBS} jobs, in Chromium`, function () {
  // Making so many jobs takes seconds, and minutes on a machine that does much else.
  this.timeout(900_000);
  let folder: string;
  let desk: Desk;
  let api: ApiServer;
  let browser: Browser;
  let page: Page;
  const names = Array.from({ length: DEVICES }, (_, index) => `board-${index + 1}`);
  names[1] = LONGEST_NAME;

  const report = (thing: string, jobId: string, body: object) => {
    const topic = `$aws/things/${thing}/jobs/${jobId}/update`;
    desk.service.jobs.handle(topic, new TextEncoder().encode(JSON.stringify(body)), () => {});
  };

  before(async () => {
    const executablePath = CHROMIUM.find((path) => existsSync(path));
    ok(executablePath, "the tests need Chromium: apt-get install chromium");
    mkdirSync(PICTURES, { recursive: true });
    folder = mkdtempSync(join(tmpdir(), "xs-ota-fleet-page-"));
    desk = await Desk.open({ folder, identity: await generateIdentity() });
    for (const [index, name] of names.entries())
      desk.service.editDevice(name, { groups: index % 3 ? ["production", "europe"] : ["lab"] });
    for (let index = 0; index < JOBS; index++) {
      const thing = names[index % DEVICES];
      const jobId = `AFR_OTA-${index}`;
      const version = `1.${index % 7}.0`;
      const image = { fileName: "app.bin", size: 300_000, project: "demo", version, chip: "ESP32-C3" };
      desk.service.jobs.createJob({
        jobId,
        document: { afr_ota: { protocols: ["MQTT"] } },
        targets: [thing],
        image,
      });
      const failed = index % 50 === 7;
      const statusDetails = failed
        ? { code: "rolled-back", message: "the boot loader gave the image up" }
        : { image: `${version}+aabbccdd` };
      report(thing, jobId, { status: failed ? "FAILED" : "SUCCEEDED", statusDetails });
    }
    await desk.service.settled();
    api = await ApiServer.start({ desk });
    const flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"];
    browser = await chromium.launch({ executablePath, args: flags });
    page = await browser.newPage({ viewport: { width: 1280, height: 900 }, bypassCSP: true });
    page.setDefaultTimeout(120_000);
  });
  after(async () => {
    await browser?.close();
    await api?.close();
    await desk?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Goes to a place of the page and waits for something of it. */
  async function show(hash: string, selector: string): Promise<void> {
    await page.goto("about:blank");
    await page.goto(`${api.origin}/${hash}`);
    await page.locator(selector).first().waitFor();
  }

  /**
   * The longest pieces of work of the page's thread while something goes on, ms: of its processor, which what else the machine
   * does hardly changes, and by the clock. What the browser measures itself and no script of Playwright's: looking for
   * an element by its locators alone takes as long as the page's first rows.
   */
  async function longestTask(goesOn: (quiet: QuietPage) => Promise<void>): Promise<Longest> {
    const viewer = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    const client = await viewer.context().newCDPSession(viewer);
    const run = async (expression: string) =>
      (await client.send("Runtime.evaluate", { expression })).result.value;
    const until = async (expression: string) => {
      for (const deadline = Date.now() + 120_000; !(await run(expression)); ) {
        ok(Date.now() < deadline, `does not come true: ${expression}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    await browser.startTracing(viewer, { categories: ["toplevel", "devtools.timeline"] });
    await goesOn({ run, until, open: (hash) => viewer.goto(`${api.origin}/${hash}`) });
    const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as Trace;
    await viewer.close();
    const ofThread = ({ pid, tid }: TraceEvent) => `${pid} ${tid}`;
    const mains = traceEvents.filter(({ args }) => args?.name === "CrRendererMain").map(ofThread);
    const ours = traceEvents.filter(({ args }) => args?.data?.url?.startsWith(api.origin)).map(ofThread);
    const threads = new Set(ours.filter((thread) => mains.includes(thread)));
    const tasks = traceEvents.filter(
      (event) => event.name.endsWith("RunTask") && threads.has(ofThread(event)),
    );
    ok(tasks.length > 50, `the trace has ${tasks.length} pieces of work of the page`);
    const longest = (of: (task: TraceEvent) => number) => Math.round(Math.max(...tasks.map(of)) / 1000);
    return { processor: longest(({ tdur = 0 }) => tdur), clock: longest(({ dur = 0 }) => dur) };
  }

  it("shows the first rows at once, whatever else there is", async () => {
    const client = await page.context().newCDPSession(page);
    // The time of its thread alone: what a clock tells is also what else the machine does.
    await client.send("Performance.enable", { timeDomain: "threadTicks" });
    await show("#/jobs", "tr[data-job]");
    const first = await page.evaluate<number>("performance.now()");
    ok((await page.locator("tr[data-job]").count()) < 100, "rows nobody sees are there");
    equal(await page.locator("table").getAttribute("aria-rowcount"), String(JOBS + 1));
    const bytes = await page.evaluate<number>(
      "performance.getEntriesByType('resource').reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0)",
    );
    ok(bytes < 150_000, `${bytes} bytes for the first rows`);
    const paint = await page.evaluate<number>(
      "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0",
    );
    const { metrics } = await client.send("Performance.getMetrics");
    const worked = metrics.find(({ name }) => name === "TaskDuration")?.value ?? 0;
    console.log(
      `      ${JOBS} jobs: first content after ${Math.round(paint)} ms, first rows after ${Math.round(first)} ms, ` +
        `${bytes} bytes; ` +
        `${Math.round(worked * 1000)} ms of the page's processor altogether`,
    );
    await page.screenshot({ path: `${PICTURES}fleet-jobs.png` });
  });

  it("does all of it in short pieces: making the first formatter of dates alone took 60 ms", async () => {
    const pieces = {
      "loading the jobs": await longestTask(async ({ open, until }) => {
        await open("#/jobs");
        await until("document.querySelector('tr[data-job]') !== null");
      }),
      "loading the devices, to their end, looking for one": await longestTask(
        async ({ open, run, until }) => {
          await open("#/devices");
          await until("document.querySelector('tr[data-thing]') !== null");
          await run("document.querySelector('.list').scrollTop = 1e9");
          await until(`document.querySelector('tr[data-thing="board-${DEVICES}"]') !== null`);
          await run(`{
          const field = document.querySelector('input[type="search"]');
          field.value = "board-1234";
          field.dispatchEvent(new Event("input", { bubbles: true }));
        }`);
          await until("document.querySelectorAll('tr[data-thing]').length === 1");
        },
      ),
      "all devices change": await longestTask(async ({ open, until }) => {
        const { jobId } = desk.service.jobs.createJob({
          jobId: "AFR_OTA-some",
          document: {},
          targets: names,
        });
        await open("#/devices");
        await until("document.querySelector('tr[data-thing]') !== null");
        for (let block = 1; block <= 3; block++) {
          for (const name of names)
            report(name, jobId, { status: "IN_PROGRESS", statusDetails: { receive: `${block}/74` } });
          await until(`document.querySelector(".list").textContent.includes("block ${block} of 74")`);
        }
        desk.service.jobs.cancelJob(jobId, true);
      }),
    };
    for (const [what, { processor, clock }] of Object.entries(pieces)) {
      console.log(
        `      longest task, ${what}: ${processor} ms of the page's processor, ${clock} ms by the clock`,
      );
      ok(processor < LONGEST_TASK, `${what}: ${processor} ms in one piece`);
    }
  });

  it("scrolls to the end of the list, and finds one by its name", async () => {
    await show("#/devices", "tr[data-thing]");
    await page.screenshot({ path: `${PICTURES}fleet-devices.png` });
    await page.evaluate("document.querySelector('.list').scrollTop = 1e9");
    await page.locator(`tr[data-thing="board-${DEVICES}"]`).waitFor();
    await page.getByRole("searchbox").fill("board-1234");
    await page.locator('tr[data-thing="board-1234"]').waitFor();
    await page.waitForFunction("document.querySelectorAll('tr[data-thing]').length === 1");
  });

  it("takes little of the line while all devices change", async () => {
    const { jobId } = desk.service.jobs.createJob({ jobId: "AFR_OTA-all", document: {}, targets: names });
    await show("#/devices", "tr[data-thing]");
    const client = await page.context().newCDPSession(page);
    await client.send("Network.enable");
    let bytes = 0;
    // Head and body of each answer as it went over the line; events are told of one by one.
    client.on("Network.loadingFinished", ({ encodedDataLength }) => {
      bytes += encodedDataLength;
    });
    client.on("Network.eventSourceMessageReceived", ({ eventName, data }) => {
      bytes += eventName.length + data.length + "event: \ndata: \n\n".length;
    });
    const started = performance.now();
    for (let block = 1; block <= 5; block++) {
      for (const name of names)
        report(name, jobId, { status: "IN_PROGRESS", statusDetails: { receive: `${block}/74` } });
      await new Promise((resolve) => setTimeout(resolve, 1000));
      // On a busy machine the answer may take longer than the second.
      await page.locator(".list").getByText(`block ${block} of 74`).first().waitFor();
    }
    const rate = (bytes * 1000) / (performance.now() - started);
    console.log(
      `      ${DEVICES} devices change every second: ${Math.round(rate)} bytes a second to a viewer`,
    );
    ok(bytes > 0, "nothing was shown");
    ok(rate < RATE, `${rate} bytes a second`);
  });

  it("breaks no column at a long name, and no phone", async () => {
    await show("#/devices", "tr[data-thing]");
    const wide = await page.evaluate<number>("document.documentElement.scrollWidth");
    ok(wide <= 1280, `the page is ${wide} pixels wide`);
    await page.setViewportSize({ width: 390, height: 844 });
    await page.emulateMedia({ colorScheme: "dark" });
    for (const hash of [
      "#/devices",
      "#/jobs",
      "#/jobs/AFR_OTA-all",
      `#/devices/${LONGEST_NAME}`,
      "#/deploy",
    ]) {
      await show(hash, "main h2");
      const width = await page.evaluate<number>("document.documentElement.scrollWidth");
      ok(width <= 390, `${hash} is ${width} pixels wide`);
      const cut = await page.evaluate<string[]>(
        "[...document.querySelectorAll('thead th')].filter((head) => head.scrollWidth > head.clientWidth).map((head) => head.textContent)",
      );
      deepEqual(cut, [], `heads of columns that are cut off on ${hash}`);
    }
    await page.screenshot({ path: `${PICTURES}fleet-phone.png` });
    await page.setViewportSize({ width: 1280, height: 900 });
  });

  for (const colorScheme of ["light", "dark"] as const)
    it(`has nothing that axe-core objects to, ${colorScheme}`, async () => {
      await page.emulateMedia({ colorScheme });
      const places = [
        ["#/devices", "tr[data-thing]"],
        ["#/jobs", "tr[data-job]"],
        ["#/jobs/AFR_OTA-all", ".executions li"],
        ["#/devices/board-8", ".execution"],
        ["#/deploy", "form.deploy"],
      ] as const;
      for (const [hash, selector] of places) {
        await show(hash, selector);
        await page.evaluate(AXE);
        const found = await page.evaluate<{ id: string; nodes: string[] }[]>(
          "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => ({ id, nodes: nodes.map(({ html }) => html) })))",
        );
        deepEqual(found, [], hash);
      }
    });
});
