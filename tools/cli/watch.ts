/**
 * `xs-ota watch`
 * @module
 */

import { stripVTControlCharacters } from "node:util";
import { Command } from "commander";
import type { DeviceView, ExecutionView } from "../../service/views.js";
import { ServiceClient } from "./client.js";
import { interruption } from "./interrupt.js";
import { deviceTable } from "./jobs.js";
import { LiveState } from "./live.js";
import { examples, jsonOption, serviceOption } from "./options.js";
import { bar, percent, phaseText, Screen, shorten } from "./screen.js";
import { paint, print, table } from "./text.js";

interface WatchOptions {
  readonly service: string;
  readonly json: boolean;
}

/** Columns from which on there is room for everything. */
const WIDE = 100;
const NAME_LEAST = 5;

export function watchCommand(): Command {
  return new Command("watch")
    .summary("show what goes on, live")
    .description("Shows devices and their updates as they change: a table on a terminal, lines otherwise.")
    .addOption(serviceOption())
    .addOption(jsonOption("print every change as JSON, one object a line"))
    .addHelpText(
      "after",
      `${examples([
        ["xs-ota watch", "until Ctrl-C"],
        ["xs-ota watch --json | jq -c .phase", "for programs"],
      ])}`,
    )
    .action(watch);
}

async function watch({ service, json }: WatchOptions): Promise<void> {
  const stop = interruption();
  const live = new LiveState();
  const screen = new Screen();
  const printed = new Map<string, string>();
  let isLost = false;
  for await (const event of new ServiceClient(service).events(stop)) {
    const changed = live.take(event);
    if (event.type === "lost") {
      if (!isLost && !json) print(paint("yellow", "The service has gone; waiting for it to come back …"));
      if (!isLost) screen.leave();
      isLost = true;
    } else {
      isLost = false;
      if (json) for (const execution of changed) print(JSON.stringify({ event: "execution", ...execution }));
      else if (process.stdout.isTTY) screen.draw(picture(live, screen), true);
      else if (event.type === "change") for (const execution of changed) line(execution, printed);
    }
  }
}

/** Where it is narrow, only what changes. */
function liveTable(devices: readonly DeviceView[], columns: number): string[] {
  if (columns >= WIDE) return deviceTable(devices);
  const states = devices.map(({ update }) =>
    update
      ? [update.phase === "accepted" ? "" : percent(update.progress).trim(), phaseText(update.phase)]
      : [],
  );
  const least = Math.max(...states.map((cells) => stripVTControlCharacters(cells.join("  ")).length));
  const width = Math.max(NAME_LEAST, Math.floor((columns - least - 6) * 0.6));
  return table(
    ["Device", "Version", "", "Update"],
    devices.map(({ thingName, firmware }, index) => [
      shorten(thingName, width),
      shorten(firmware.version ?? "unknown", Math.max(NAME_LEAST, columns - least - 6 - width)),
      ...states[index],
    ]),
  );
}

function line({ thingName, jobId, attempt, phase, text }: ExecutionView, printed: Map<string, string>): void {
  const key = `${jobId} ${thingName} ${attempt}`;
  if (printed.get(key) === phase) return;
  printed.set(key, phase);
  print(`${thingName}  ${phase}: ${text}`);
}

function picture(live: LiveState, { rows, columns }: Screen): string[] {
  const devices = [...live.devices.values()];
  const jobs = [...live.jobs.values()].filter((job) => !job.ended);
  const lines = devices.length > 0 ? liveTable(devices, columns) : ["No device has been heard of yet."];
  const shown = lines.slice(0, Math.max(3, rows - jobs.length * 2 - 3));
  if (shown.length < lines.length) shown.push(paint("dim", `… ${lines.length - shown.length} more`));
  for (const { jobId, image, phases, progress, waiting, stage, paused } of jobs) {
    const counts = Object.entries(phases).map(([phase, count]) =>
      phaseText(phase as ExecutionView["phase"], `${count} ${phase}`),
    );
    if (waiting > 0) counts.push(`${waiting} wait`);
    if (paused) counts.push(paint("yellow", "stands still"));
    else if (stage) counts.push(`stage ${stage.stage} of ${stage.stages}`);
    const line = `${percent(progress)}  ${image?.version ?? ""} ${counts.join(", ")}  ${paint("dim", jobId)}`;
    shown.push("", columns < WIDE ? line.trimStart() : `${bar(progress)} ${line}`);
  }
  return [...shown, paint("dim", `${new Date().toTimeString().slice(0, 8)}  Ctrl-C ends`)];
}
