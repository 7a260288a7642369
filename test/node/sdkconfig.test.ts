/**
 * What the package's sdkconfig comes to on every chip the SDK has, by the rules of the SDK's merge (tools/mcmanifest.js) and
 * of Kconfig: the last assignment counts, a choice goes to the option set last, an empty value counts for nothing.
 * @module
 */
import { readFileSync } from "node:fs";
import { SDK_DEFAULTS, type SdkDefaults } from "../data/sdkconfig-defaults.js";
import { deepEqual, equal, ok } from "../support/assert.js";

const read = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url), "utf8");
const FRAGMENT = read("hosts/esp32/sdkconfig/sdkconfig.defaults").split("\n");

type Build = "debug" | "release" | "instrumented";
const BUILDS: readonly Build[] = ["debug", "release", "instrumented"];

/** Defaults of ESP-IDF v6.0 (Kconfig of bootloader and esp_system). */
const DEFAULTS: Readonly<Record<string, string>> = {
  BOOTLOADER_APP_ROLLBACK_ENABLE: "n",
  BOOTLOADER_SKIP_VALIDATE_ALWAYS: "n",
  BOOTLOADER_SKIP_VALIDATE_ON_POWER_ON: "n",
  BOOTLOADER_SKIP_VALIDATE_IN_DEEP_SLEEP: "n",
  BOOTLOADER_WDT_ENABLE: "y",
  ESP_INT_WDT: "y",
  ESP_TASK_WDT_EN: "y",
  ESP_TASK_WDT_INIT: "y",
  ESP_TASK_WDT_PANIC: "n",
};
const CHOICES: readonly [prefix: string, standard: string][] = [
  ["ESP_SYSTEM_PANIC_", "PRINT_REBOOT"],
  ["ESPTOOLPY_FLASHSIZE_", "2MB"],
];

/** Lines of the one sdkconfig the SDK's tool makes of its own and the application's. */
function merge(sdk: SdkDefaults, build: Build, application: readonly string[]): string[] {
  const lines = sdk.base.map((line) =>
    line.endsWith(" unset") ? `# CONFIG_${line.replace(" unset", " is not set")}` : `CONFIG_${line}`,
  );
  const added = [
    ...(build === "debug" ? [] : sdk.release),
    ...(build === "instrumented" ? sdk.instrumented : []),
  ].map((line) => `CONFIG_${line}`);
  for (const option of [...added, ...application]) {
    if (option === "" || option.startsWith("#")) continue;
    const [name, value] = option.split("=");
    const at = lines.findIndex((line) => line.includes(`${name}=`));
    // Where an option stands already it is replaced there, and switched off by an empty value.
    if (at < 0) lines.push(option);
    else lines[at] = `${name}=${value === "n" ? "" : value}`;
  }
  return lines;
}

/** What Kconfig makes of it. */
function resolve(lines: readonly string[]): Map<string, string> {
  const values = new Map(Object.entries(DEFAULTS));
  for (const [prefix, standard] of CHOICES) values.set(prefix, standard);
  for (const line of lines) {
    const unset = /^# CONFIG_(\w+) is not set$/.exec(line)?.[1];
    if (unset) values.set(unset, "n");
    const [, name, value] = /^CONFIG_(\w+)=(.+)$/.exec(line) ?? [];
    if (!name || !value) continue;
    const choice = CHOICES.find(([prefix]) => name.startsWith(prefix))?.[0];
    if (!choice) values.set(name, value);
    else if (value === "y") values.set(choice, name.slice(choice.length));
  }
  return values;
}

/** What a build lacks of what rollback needs. */
function lacks(values: ReadonlyMap<string, string>): string[] {
  const needed: Record<string, string> = {
    ...DEFAULTS,
    BOOTLOADER_APP_ROLLBACK_ENABLE: "y",
    ESP_TASK_WDT_PANIC: "y",
    ESP_SYSTEM_PANIC_: "PRINT_REBOOT",
  };
  return Object.keys(needed).filter((name) => values.get(name) !== needed[name]);
}

describe("the package's sdkconfig", () => {
  for (const [chip, sdk] of Object.entries(SDK_DEFAULTS))
    for (const build of BUILDS)
      it(`has all that rollback needs on ${chip}, ${build}`, () => {
        deepEqual(lacks(resolve(merge(sdk, build, FRAGMENT))), []);
      });

  it("is needed everywhere: no build has it all without", () => {
    for (const sdk of Object.values(SDK_DEFAULTS))
      for (const build of BUILDS)
        ok(lacks(resolve(merge(sdk, build, []))).includes("BOOTLOADER_APP_ROLLBACK_ENABLE"));
  });

  it("overrides the debugger that a panic would wait for, with all watchdogs off", () => {
    const waits = Object.entries(SDK_DEFAULTS).flatMap(([chip, sdk]) =>
      BUILDS.filter((build) => resolve(merge(sdk, build, [])).get("ESP_SYSTEM_PANIC_") === "GDBSTUB").map(
        (build) => `${chip} ${build}`,
      ),
    );
    deepEqual(waits, [
      "esp32 instrumented",
      ...["esp32s2", "esp32s3"].flatMap((chip) => BUILDS.map((build) => `${chip} ${build}`)),
      "esp32c3 instrumented",
    ]);
  });

  it("has no line that the merge ignores", () => {
    ok(!FRAGMENT.some((line) => /^#\s*CONFIG_/.test(line)));
  });

  for (const size of ["8MB", "16MB"])
    it(`fits the ${size} partition table with the line that table and guide give: the SDK sets 4 MB`, () => {
      const line = `CONFIG_ESPTOOLPY_FLASHSIZE_${size}=y`;
      ok(read("docs/guide.md").includes(line));
      ok(read(`hosts/esp32/partitions/${size.toLowerCase()}.csv`).includes(line));
      for (const sdk of Object.values(SDK_DEFAULTS)) {
        equal(resolve(merge(sdk, "release", FRAGMENT)).get("ESPTOOLPY_FLASHSIZE_"), "4MB");
        equal(resolve(merge(sdk, "release", [...FRAGMENT, line])).get("ESPTOOLPY_FLASHSIZE_"), size);
      }
    });
});
