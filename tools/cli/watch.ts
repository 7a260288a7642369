/**
 * `xs-ota watch`
 * @module
 */
import { Command } from "commander";
import type { ExecutionView } from "../../service/views.js";
import { ServiceClient } from "./client.js";
import { interruption } from "./interrupt.js";
import { deviceTable } from "./jobs.js";
import { LiveState } from "./live.js";
import { examples, jsonOption, serviceOption } from "./options.js";
import { bar, percent, phaseText, Screen } from "./screen.js";
import { paint, print } from "./text.js";

interface WatchOptions {
  readonly service: string;
  readonly json: boolean;
}

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
      else if (process.stdout.isTTY) screen.draw(picture(live, screen.rows), true);
      else if (event.type === "change") for (const execution of changed) line(execution, printed);
    }
  }
}

function line({ thingName, jobId, attempt, phase, text }: ExecutionView, printed: Map<string, string>): void {
  const key = `${jobId} ${thingName} ${attempt}`;
  if (printed.get(key) === phase) return;
  printed.set(key, phase);
  print(`${thingName}  ${phase}: ${text}`);
}

function picture(live: LiveState, rows: number): string[] {
  const devices = [...live.devices.values()];
  const jobs = [...live.jobs.values()].filter((job) => !job.ended);
  const lines = devices.length > 0 ? deviceTable(devices) : ["No device has been heard of yet."];
  const shown = lines.slice(0, Math.max(3, rows - jobs.length * 2 - 3));
  if (shown.length < lines.length) shown.push(paint("dim", `… ${lines.length - shown.length} more`));
  for (const { jobId, image, phases } of jobs) {
    const latest = live.latest(jobId);
    const share = latest.reduce((sum, { progress }) => sum + progress, 0) / Math.max(1, latest.length);
    const counts = Object.entries(phases).map(([phase, count]) =>
      phaseText(phase as ExecutionView["phase"], `${count} ${phase}`),
    );
    shown.push(
      "",
      `${bar(share)} ${percent(share)}  ${image?.version ?? ""} ${counts.join(", ")}  ${paint("dim", jobId)}`,
    );
  }
  return [...shown, paint("dim", `${new Date().toTimeString().slice(0, 8)}  Ctrl-C ends`)];
}
