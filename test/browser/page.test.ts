import { existsSync, mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { Folder, type Running } from "../cli/run.js";
import { deepEqual, equal, ok } from "../support/assert.js";

const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
/** Screenshots to look at. */
const PICTURES = fileURLToPath(new URL("../../build/screenshots/", import.meta.url));
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** What a row showed at some moment. */
interface Look {
  readonly thing: string;
  readonly version: string;
  readonly slot: string;
  readonly phase: string;
  readonly text: string;
  readonly progress: number;
}

/** Runs in the page: keeps every look of every row from now on in `looks`. */
const RECORD = `
  const body = document.querySelector("#device-table tbody");
  globalThis.looks = [];
  const look = () => {
    for (const row of body.children) {
      const [name, version, slot, cell] = row.children;
      const [phase, text, bar] = cell.children;
      looks.push({
        thing: name.textContent, version: version.textContent, slot: slot.textContent,
        phase: phase.textContent, text: text.textContent, progress: bar.value,
      });
    }
  };
  look();
  new MutationObserver(look).observe(body, { subtree: true, childList: true, attributes: true, characterData: true });
`;

describe("the page of xs-ota serve, in Chromium", function () {
  this.timeout(90_000);
  let folder: Folder;
  let serve: Running;
  let browser: Browser;
  let page: Page;
  let address: string;
  const problems: string[] = [];

  before(async () => {
    const executablePath = CHROMIUM.find((path) => existsSync(path));
    ok(executablePath, "the tests need Chromium: apt-get install chromium");
    mkdirSync(PICTURES, { recursive: true });
    folder = new Folder();
    await folder.good("keygen");
    await folder.good("demo-image", "v2.bin", "--size", "300K");
    await folder.good("demo-image", "v3.bin", "--version", "3.0.0");
    folder.write("broken.bin", "this is no firmware ".repeat(50));
    await startService("0", "0", "0");
    browser = await chromium.launch({ executablePath, args: FLAGS });
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error" && !message.text().includes("Failed to load resource"))
        problems.push(message.text());
    });
    page.on("dialog", (dialog) => void dialog.accept());
    await page.goto(address);
  });

  after(async () => {
    await browser?.close();
    await folder?.close();
  });

  async function startService(mqtt: string, http: string, web: string): Promise<void> {
    const ports = ["--mqtt-port", mqtt, "--http-port", http, "--page-port", web];
    serve = folder.start("serve", "--images", ".", "--json", ...ports);
    const [, line] = await serve.until(/^(\{"event":"serving".*\})$/m);
    address = JSON.parse(line).page;
  }

  async function picture(name: string): Promise<void> {
    await page.screenshot({ path: `${PICTURES}${name}.png`, fullPage: true });
  }

  /** Waits until a script is true. The page's policy forbids scripts of strings that it would run itself. */
  async function until(script: string): Promise<void> {
    const deadline = Date.now() + 30_000;
    while (!(await page.evaluate(script))) {
      if (Date.now() > deadline) throw new Error(`does not come true: ${script}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  const looks = async (thing: string) =>
    ((await page.evaluate("looks")) as Look[]).filter((look) => look.thing === thing);
  const row = (thing: string) => page.locator("#device-table tbody tr", { hasText: thing });

  it("says that there is nothing yet", async () => {
    await page.getByText("None has been heard of yet").waitFor();
    ok(await page.getByRole("button", { name: "Deploy" }).isDisabled(), "one could deploy to nobody");
  });

  it("shows devices as they connect, with what they run", async () => {
    folder.start("device", "--thing", "good", "--count", "2", "--rate", "100K", "--service", address);
    folder.start("device", "--thing", "bad", "--fail", "self-test", "--rate", "100K", "--service", address);
    for (const thing of ["good-1", "good-2", "bad"]) await row(thing).getByText("1.0.0").waitFor();
    equal(await row("bad").locator(".dot").getAttribute("title"), "connected");
    equal(await row("good-1").locator("td").nth(1).textContent(), "ota_0, valid");
    await picture("1-devices");
  });

  it("inspects what is to be deployed, and refuses what is no image in words", async () => {
    await page.getByLabel("Image", { exact: true }).setInputFiles(folder.file("broken.bin"));
    await page.getByText("No ESP32 image: first byte is 0x74, not 0xe9.").waitFor();
    ok(await page.getByRole("button", { name: "Deploy" }).isDisabled(), "one could deploy it");
    await page.getByLabel("Image", { exact: true }).setInputFiles(folder.file("v2.bin"));
    await page.getByText("Check sum and SHA-256 are right.").waitFor();
    const facts = await page.locator("#inspection").innerText();
    for (const part of ["xs-ota-demo", "2.0.0", "ESP32-C3", "307,200 bytes"])
      ok(facts.includes(part), `${part} is not in ${facts}`);
  });

  it("shows a live update: progress, restart, accepted, and rolled back with its reason", async () => {
    await page.evaluate(RECORD);
    await page.getByRole("button", { name: "Deploy" }).click();
    await page.getByText("Deployed to 3 devices.").waitFor();
    await until("[...document.querySelectorAll('progress')].some(({ value }) => value > 0.3 && value < 0.9)");
    await picture("2-downloading");
    for (const thing of ["good-1", "good-2"])
      await row(thing).locator(".phase", { hasText: "accepted" }).waitFor();
    await row("bad").locator(".phase", { hasText: "rolled back" }).waitFor();
    for (const thing of ["good-1", "good-2"]) {
      const seen = await looks(thing);
      const shares = [...new Set(seen.map(({ progress }) => progress))].filter(
        (share) => share > 0 && share < 1,
      );
      ok(shares.length >= 3, `progress of ${thing} did not move: ${shares}`);
      deepEqual(
        shares,
        [...shares].sort((a, b) => a - b),
        "progress went back",
      );
      const phases = [...new Set(seen.map(({ phase }) => phase))];
      ok(
        phases.indexOf("downloading") >= 0 && phases.indexOf("downloading") < phases.indexOf("accepted"),
        `${phases}`,
      );
      await row(thing).getByText("ota_1, valid").waitFor();
      equal(await row(thing).locator("td").first().textContent(), "2.0.0");
    }
    const text = await row("bad").locator("td").last().innerText();
    ok(text.includes("rejected by the application"), `no reason in words: ${text}`);
    equal(await row("bad").locator("td").first().textContent(), "1.0.0");
    await picture("3-ended");
  });

  it("shows the history of the job, every step of it", async () => {
    await page.getByRole("button", { name: /^History of job 2\.0\.0/ }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("heading", { name: "bad: rolled back" }).waitFor();
    const steps = await dialog.locator("ol").last().locator("li .phase").allTextContents();
    const order = steps.filter((step, index) => step !== steps[index - 1]);
    deepEqual(order, ["offered", "downloading", "restarting", "testing", "accepted"]);
    await picture("4-history");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
  });

  it("deploys to chosen devices by keyboard alone, with an image of the folder", async () => {
    await page.getByLabel("or from the folder").focus();
    await until("document.querySelectorAll('#folder option').length === 4");
    equal(await page.locator("#folder option[value='broken.bin']").isDisabled(), true);
    await page.getByLabel("or from the folder").selectOption("v3.bin");
    await page.getByText("Check sum and SHA-256 are right.").waitFor();
    await page.getByLabel("all that are known").focus();
    await page.keyboard.press("ArrowDown");
    ok(await page.getByLabel("these:").isChecked(), "the arrow did not choose");
    for (let presses = 0; presses < 20; presses++) {
      await page.keyboard.press("Tab");
      const at = await page.evaluate("document.activeElement.value");
      if (at === "good-2") break;
    }
    await page.keyboard.press("Space");
    const focused = () => page.evaluate("document.activeElement.textContent");
    for (let presses = 0; presses < 20 && (await focused()) !== "Deploy"; presses++)
      await page.keyboard.press("Tab");
    equal(await focused(), "Deploy");
    await page.keyboard.press("Enter");
    await page.getByText("Deployed to 1 device.").waitFor();
    await row("good-2").getByText("runs 3.0.0 for good").waitFor();
    equal(await row("good-1").locator("td").first().textContent(), "2.0.0");
  });

  it("says when the service is gone, and goes on when it is back", async () => {
    const { port: web } = new URL(address);
    const status = (await (await fetch(`${address}/api/status`)).json()) as { mqtt: string; http: string };
    await serve.stop("SIGKILL");
    await page.getByText("The service does not answer").waitFor();
    await startService(new URL(status.mqtt).port, new URL(status.http).port, web);
    await page.getByText("The service does not answer").waitFor({ state: "hidden" });
    await row("good-2").getByText("3.0.0", { exact: true }).waitFor();
    equal(await page.locator("#job-list li").count(), 2);
  });

  it("is readable on a phone, in the dark", async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await page.emulateMedia({ colorScheme: "dark" });
    const width = await page.evaluate<number>("document.documentElement.scrollWidth");
    ok(width <= 390, `the page is ${width} pixels wide`);
    await picture("5-phone");
  });

  it("forgets a job", async () => {
    await page.getByRole("button", { name: /^Delete job 3\.0\.0/ }).click();
    await until("document.querySelectorAll('#job-list li').length === 1");
  });

  it("did all this without an error in the browser", () => {
    deepEqual(problems, []);
  });
});
