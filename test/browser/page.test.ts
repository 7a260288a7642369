import { existsSync, mkdirSync, readFileSync } from "node:fs";
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

/** Runs in the page: keeps every share of every progress bar from now on in `shares`, by device. */
const RECORD = `
  globalThis.shares = {};
  const look = () => {
    for (const row of document.querySelectorAll("tr[data-thing]")) {
      const bar = row.querySelector("progress");
      if (bar) (shares[row.dataset.thing] ??= []).push(bar.value);
    }
  };
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
`;

describe("the page of xs-ota serve, in Chromium", function () {
  this.timeout(180_000);
  let folder: Folder;
  let serve: Running;
  let browser: Browser;
  let page: Page;
  let address: string;
  const problems: string[] = [];
  /** What the page has asked, and been answered yes to. */
  const questions: string[] = [];

  before(async () => {
    const executablePath = CHROMIUM.find((path) => existsSync(path));
    ok(executablePath, "the tests need Chromium: apt-get install chromium");
    mkdirSync(PICTURES, { recursive: true });
    folder = new Folder();
    await folder.good("keygen");
    await folder.good("demo-image", "v2.bin", "--size", "300K");
    await folder.good("demo-image", "v3.bin", "--version", "3.0.0");
    folder.write("broken.bin", "this is no firmware ".repeat(50));
    await folder.good("demo-image", "s3.bin", "--chip", "esp32s3", "--version", "4.0.0", "--size", "20K");
    const damaged = readFileSync(folder.file("v3.bin"));
    damaged[9000] ^= 1;
    folder.write("damaged.bin", damaged);
    await startService("0", "0", "0");
    browser = await chromium.launch({ executablePath, args: FLAGS });
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error" && !message.text().includes("Failed to load resource"))
        problems.push(message.text());
    });
    page.on("dialog", (dialog) => {
      questions.push(dialog.message());
      void dialog.accept();
    });
    page.setDefaultTimeout(120_000);
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
    const deadline = Date.now() + 120_000;
    while (!(await page.evaluate(script))) {
      if (Date.now() > deadline) throw new Error(`does not come true: ${script}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  const row = (thing: string) => page.locator(`tr[data-thing="${thing}"]`);
  const go = async (name: "Devices" | "Deployments" | "Deploy") =>
    await page.getByRole("navigation").getByRole("link", { name, exact: true }).click();

  it("says that there is nothing yet", async () => {
    await page.getByText("None has been heard of yet").waitFor();
    await go("Deployments");
    await page.getByText("None yet.").waitFor();
    await go("Deploy");
    ok(await page.getByRole("button", { name: "Check" }).isDisabled(), "one could deploy nothing");
  });

  it("shows devices as they connect, with what they run", async () => {
    folder.start("device", "--thing", "good", "--count", "2", "--rate", "50K", "--service", address);
    folder.start("device", "--thing", "bad", "--fail", "self-test", "--rate", "50K", "--service", address);
    await go("Devices");
    for (const thing of ["good-1", "good-2", "bad"]) await row(thing).getByText("1.0.0").waitFor();
    equal(await row("bad").locator(".dot").getAttribute("aria-label"), "connected");
    await page.getByRole("button", { name: /^1\.0\.0/ }).waitFor();
    await picture("1-devices");
  });

  it("inspects what is to be deployed, and refuses what is no image in words", async () => {
    await go("Deploy");
    const file = page.getByLabel("Image", { exact: true });
    await file.setInputFiles(folder.file("broken.bin"));
    await page.getByText("No ESP32 image: first byte is 0x74, not 0xe9.").waitFor();
    ok(await page.getByRole("button", { name: "Check" }).isDisabled(), "one could deploy it");
    await file.setInputFiles(folder.file("v2.bin"));
    await page.getByText("Checksum and SHA-256 are right.").waitFor();
    const facts = await page.locator("#inspection").innerText();
    for (const part of ["xs-ota-demo", "2.0.0", "ESP32-C3", "307,200 bytes"])
      ok(facts.includes(part), `${part} is not in ${facts}`);
  });

  it("says whom it would touch, deploys, and shows a live update to its end, with the reason of a failure", async () => {
    await page.getByRole("button", { name: "Check" }).click();
    await page.getByText("It touches 3 devices").waitFor();
    await page.getByRole("button", { name: "Deploy to 3 devices" }).click();
    await page.getByRole("heading", { name: /xs-ota-demo 2\.0\.0/ }).waitFor();
    await go("Devices");
    await page.evaluate(RECORD);
    for (const thing of ["good-1", "good-2"])
      await row(thing).locator(".phase", { hasText: "accepted" }).waitFor();
    await row("bad").locator(".phase", { hasText: "rolled back" }).waitFor();
    const shares = (await page.evaluate("shares")) as Record<string, number[]>;
    for (const thing of ["good-1", "good-2"]) {
      const seen = shares[thing] ?? [];
      ok(new Set(seen).size >= 2, `progress of ${thing} did not move: ${seen}`);
      deepEqual(
        seen,
        [...seen].sort((a, b) => a - b),
        "progress went back",
      );
      equal(await row(thing).locator("td").first().textContent(), "2.0.0");
    }
    ok((await row("bad").innerText()).includes("rejected by the application"), "no reason in words");
    // It says so before it restarts into the old image, which then says what runs.
    await row("bad").getByText("1.0.0", { exact: true }).waitFor();
    await picture("2-ended");
  });

  it("shows why a deployment failed, the devices that did, and the history of one", async () => {
    await go("Deployments");
    await page.getByRole("link", { name: "xs-ota-demo 2.0.0" }).click();
    await page.getByText(/rolled back: .*rejected by the application/).waitFor();
    await picture("3-deployment");
    await page.getByRole("link", { name: "Show these devices" }).click();
    await until("document.querySelectorAll('tr[data-thing]').length === 1");
    await row("bad").getByRole("link").click();
    await page.getByRole("heading", { name: "What happened" }).waitFor();
    const steps = await page.locator(".execution ol li .phase").allTextContents();
    const order = steps.filter((step, index) => step !== steps[index - 1]);
    deepEqual(order, ["offered", "downloading", "restarting", "testing", "rolled back"]);
    const facts = await page.locator(".execution .facts").innerText();
    ok(/Phase\s+self-test/.test(facts) && /Firmware\s+1\.0\.0\+.* -> 2\.0\.0\+/.test(facts), facts);
    ok((await page.locator(".execution .lines li", { hasText: "start-test" }).count()) === 1, facts);
    await picture("4-device");
  });

  it("names a device, puts it into a group, and deploys to the group by keyboard with an image of the folder", async () => {
    await page.goto(`${address}/#/devices/good-2`);
    await page.getByLabel("Name").fill("front door");
    await page.getByLabel("Groups").fill("lab");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: /^front door/ }).waitFor();
    await go("Deploy");
    await page.getByLabel("or from the folder").selectOption("v3.bin");
    await page.getByText("Checksum and SHA-256 are right.").waitFor();
    await page.getByLabel("all that are known").focus();
    await page.keyboard.press("ArrowDown");
    await page.getByRole("textbox", { name: "Groups" }).focus();
    await page.keyboard.type("lab");
    await page.getByText("Smaller files").click();
    await page.getByLabel("from v2.bin: xs-ota-demo 2.0.0").check();
    await page.getByLabel("the image compressed").check();
    await page.getByRole("textbox", { name: "Groups" }).focus();
    await page.keyboard.press("Enter");
    await page.getByText("It touches 1 device: good-2").waitFor();
    await page
      .getByText(/^Delta from v2\.bin: [\d,]+ bytes, [\d.]+ % of the image; 1 device runs it\.$/)
      .waitFor();
    await page.getByText(/^Compressed: [\d,]+ bytes, [\d.]+ % of the image\.$/).waitFor();
    await picture("5-smaller-files");
    await page.keyboard.press("Enter");
    await page.getByText("runs 3.0.0 for good").waitFor();
    await page.goto(`${address}/#/devices/good-2`);
    await page
      .getByText(/delta of [0-9a-f]{8}, \d+ bytes/)
      .first()
      .waitFor({ state: "attached" });
    await go("Devices");
    equal(await row("good-1").locator("td").first().textContent(), "2.0.0");
  });

  it("refuses an image that is damaged: neither devices nor the command line take it", async () => {
    await go("Deploy");
    await page.getByLabel("Image", { exact: true }).setInputFiles(folder.file("damaged.bin"));
    await page.getByText(/ESP-IDF would refuse it: checksum is 0x[0-9a-f]+/).waitFor();
    ok(await page.getByRole("button", { name: "Check" }).isDisabled(), "one could deploy it");
  });

  it("asks for consent to another chip, and knows no device by a name nobody has heard of", async () => {
    await page.getByLabel("or from the folder").selectOption("s3.bin");
    await page.getByText("Checksum and SHA-256 are right.").waitFor();
    await page.getByLabel("these").check();
    await page.getByRole("textbox", { name: "Names" }).fill("baord-1");
    await page.getByRole("button", { name: "Check" }).click();
    await page.getByRole("alert").getByText("No device is known by the name baord-1.").waitFor();
    await page.getByRole("textbox", { name: "Names" }).fill("good-1, bad");
    await page.getByRole("button", { name: "Check" }).click();
    await page.getByText("2 of 2 devices have another chip than ESP32-S3.").waitFor();
    ok(
      await page.getByRole("button", { name: "Deploy to 2 devices" }).isDisabled(),
      "no consent is asked for",
    );
  });

  it("asks for consent to what stands against a deployment", async () => {
    await page.goto(`${address}/#/devices`);
    await go("Deploy");
    await page.getByLabel("or from the folder").selectOption("v2.bin");
    await page.getByText("Checksum and SHA-256 are right.").waitFor();
    await page.getByRole("button", { name: "Check" }).click();
    await page.getByText("1 of 3 devices run a newer version than 2.0.0").waitFor();
    const button = page.getByRole("button", { name: "Deploy to 3 devices" });
    ok(await button.isDisabled(), "one could deploy without consent");
    await page.getByLabel("Deploy all the same").check();
    ok(await button.isEnabled(), "consent changes nothing");
  });

  it("says when the service is gone, and goes on when it is back", async () => {
    const { port: web } = new URL(address);
    const status = (await (await fetch(`${address}/api/status`)).json()) as { mqtt: string; http: string };
    await serve.stop("SIGKILL");
    await page.getByText("The service does not answer").waitFor();
    await startService(new URL(status.mqtt).port, new URL(status.http).port, web);
    await page.getByText("The service does not answer").waitFor({ state: "hidden" });
    await go("Deployments");
    await until("document.querySelectorAll('tr[data-job]').length === 2");
  });

  it("deletes a deployment", async () => {
    await page.getByRole("link", { name: "xs-ota-demo 3.0.0" }).click();
    await page.getByRole("button", { name: "Delete" }).click();
    await until("document.querySelectorAll('tr[data-job]').length === 1");
  });

  it("pauses a rollout, goes on with it, and aborts it", async () => {
    for (const name of ["shelf-1", "shelf-2"])
      await fetch(`${address}/api/devices/${name}`, { method: "PATCH", body: "{}" });
    await go("Deploy");
    await page.getByLabel("or from the folder").selectOption("v3.bin");
    await page.getByText("Checksum and SHA-256 are right.").waitFor();
    await page.getByLabel("these").check();
    await page.getByRole("textbox", { name: "Names" }).fill("shelf-1, shelf-2");
    await page.getByText("Stages, rate and stops").click();
    await page.getByLabel("Stages", { exact: true }).fill("1");
    await page.getByRole("button", { name: "Check" }).click();
    await page.getByText("It touches 2 devices: shelf-1, shelf-2; 2 not connected.").waitFor();
    await page.getByRole("button", { name: "Deploy to 2 devices" }).click();
    await page.getByText("1 of 2, 1 device waits").waitFor();
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByText(/paused by an operator/).waitFor();
    await picture("6-paused");
    await page.getByRole("button", { name: "Resume" }).click();
    await page.getByText(/paused by an operator/).waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Abort" }).click();
    await page.getByText(/Cancelled by an operator; 1 device was never offered it/).waitFor();
    equal(questions.at(-1), "Cancel this job, also on devices that are at it?");
    await page.getByRole("button", { name: "Delete" }).waitFor();
    equal(await page.getByRole("button", { name: "Pause" }).count(), 0);
  });

  it("forgets a device", async () => {
    await go("Devices");
    await row("shelf-2").getByRole("link").click();
    await page.getByRole("button", { name: "Forget" }).click();
    await until("document.querySelectorAll('tr[data-thing]').length === 4");
    equal(questions.at(-1), "Forget shelf-2 and what happened on it?");
    equal(await row("shelf-2").count(), 0);
  });

  it("shows of a set its files, and where each of them is on a device", async () => {
    folder.write("page.html", "x".repeat(9000));
    const header = ["--name", "assets", "--project", "xs-ota-demo", "--version", "1", "--out", "assets.xac"];
    await folder.good("component", "page.html", ...header);
    const device = ["device", "--thing", "parts", "--rate", "20K", "--component", "assets=10"];
    folder.start(...device, "--service", address);
    await go("Devices");
    await row("parts").getByText("1.0.0").waitFor();
    const set = ["deploy", "v2.bin", "--component", "10=assets.xac", "--sequence", "1", "--thing", "parts"];
    await folder.good(...set, "--no-wait", "--service", address);
    await row("parts")
      .getByText(/file 2 of 3, block \d+ of \d+; files 255 ready, 0 \d+%, 10 waits/)
      .waitFor();
    await go("Deployments");
    await page.locator("tr[data-job]").first().getByRole("link").click();
    await page.getByText(/assets\.xac \(type 10\): 9,256 bytes/).waitFor();
    equal(await page.locator(".facts li").count(), 3);
    await picture("7-set");
  });

  it("did all this without an error in the browser", () => {
    deepEqual(problems, []);
  });
});
