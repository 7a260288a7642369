/**
 * `xs-ota jobs` and `xs-ota devices`
 * @module
 */
import { Command } from "commander";
import type { DeviceView, HistoryView, JobView } from "../../service/views.js";
import { type DeviceDetails, ServiceClient } from "./client.js";
import { factLines } from "./fact-lines.js";
import { Failure } from "./failure.js";
import { examples, jsonOption, serviceOption } from "./options.js";
import { phaseText } from "./screen.js";
import { paint, print, printJson, table } from "./text.js";

interface JobsOptions {
  readonly cancel: boolean;
  readonly delete: boolean;
  readonly pause: boolean;
  readonly resume: boolean;
  readonly service: string;
  readonly json: boolean;
}

export function jobsCommand(): Command {
  return new Command("jobs")
    .summary("list jobs; show, cancel or delete one")
    .description("Lists the service's jobs, or shows one of them with the history of each device.")
    .argument("[job]", "job id, or the end of one")
    .option("--cancel", "cancel it, also where it is in progress", false)
    .option("--delete", "forget it and its history", false)
    .option("--pause", "offer it to no further device", false)
    .option("--resume", "go on with a rollout that stands still", false)
    .addOption(serviceOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      examples([
        ["xs-ota jobs", "all jobs"],
        ["xs-ota jobs AFR_OTA-3f2c…", "what happened on each device"],
        ["xs-ota jobs AFR_OTA-3f2c… --cancel", "withdraw it"],
      ]),
    )
    .action(async (name: string | undefined, options: JobsOptions) => {
      const client = new ServiceClient(options.service);
      if (name === undefined) {
        if (options.cancel || options.delete || options.pause || options.resume)
          throw new Failure("name the job");
        listJobs((await client.state()).jobs, options.json);
        return await warnOfStorage(client);
      }
      const jobId = await findJob(client, name);
      if (options.cancel) await client.cancel(jobId);
      if (options.pause) await client.pause(jobId);
      if (options.resume) await client.resume(jobId);
      if (options.delete) {
        await client.delete(jobId);
        return options.json ? printJson({ deleted: jobId }) : print(`${jobId} is deleted.`);
      }
      await showJob(client, jobId, options.json);
      await warnOfStorage(client);
    });
}

interface DevicesOptions {
  readonly name?: string;
  readonly group?: readonly string[];
  readonly add: boolean;
  readonly forget: boolean;
  readonly service: string;
  readonly json: boolean;
}

export function devicesCommand(): Command {
  return new Command("devices")
    .summary("list devices; show, name, group or forget one")
    .description(
      "Lists the devices the service knows, what they run, and their update; or shows one with its history.",
    )
    .argument("[thing]", "name of a thing")
    .option("--name <text>", "what people call it; empty takes the name away")
    .option("--group <names>", "the groups it is in, with commas; empty takes it out of all", groups)
    .option("--add", "make it known before it has been heard of", false)
    .option("--forget", "forget it and what happened on it", false)
    .addOption(serviceOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      examples([
        ["xs-ota devices", "all of them"],
        ["xs-ota devices board-1", "what happened on one"],
        ["xs-ota devices board-1 --name 'front door' --group lab,beta", "name it, and put it into groups"],
        ["xs-ota devices --json | jq '.[].firmware.version'", "for programs"],
      ]),
    )
    .action(async (thing: string | undefined, options: DevicesOptions) => {
      const { service, json, name, group, add, forget } = options;
      const client = new ServiceClient(service);
      if (thing === undefined) {
        if (name !== undefined || group || add || forget) throw new Failure("name the device");
        return listDevices((await client.state()).devices, json);
      }
      if (forget) {
        await client.forgetDevice(thing);
        return json ? printJson({ forgotten: thing }) : print(`${thing} is forgotten.`);
      }
      if (name !== undefined || group || add)
        await client.editDevice(thing, {
          ...(name !== undefined && { label: name }),
          ...(group && { groups: group }),
        });
      showDevice(await client.device(thing), json);
    });
}

/** An empty text is no group. */
function groups(text: string): string[] {
  return text
    .split(",")
    .map((name) => name.trim())
    .filter(Boolean);
}

function listDevices(devices: readonly DeviceView[], json: boolean): void {
  if (json) return printJson(devices);
  if (devices.length === 0) return print("No device has been heard of yet.");
  print(...deviceTable(devices));
}

function showDevice(details: DeviceDetails, json: boolean): void {
  if (json) return printJson(details);
  const { device, executions } = details;
  const { thingName, label, groups, connected, lastSeen, firmware } = device;
  const seen = lastSeen === undefined ? "never heard of" : `last heard of ${localTime(lastSeen)}`;
  print(
    `${thingName}${label ? `  ${label}` : ""}`,
    `Connected  ${connected === undefined ? "unknown" : connected ? "yes" : "no"}, ${seen}`,
    `Firmware   ${[firmware.project, firmware.version, firmware.chip, firmware.slot, firmware.state].filter(Boolean).join(", ") || "unknown"}`,
    ...(groups.length > 0 ? [`Groups     ${groups.join(", ")}`] : []),
  );
  for (const execution of executions) {
    const { image, attempt, phase, text, jobId } = execution;
    const what = image?.version ? `${image.project} ${image.version}` : (image?.fileName ?? jobId);
    print("", `${what}${attempt > 1 ? ` (attempt ${attempt})` : ""}  ${phaseText(phase)}: ${text}`);
    print(...historyLines(execution.history));
  }
}

/** What happened, and below the last of it what else the device has said. */
function historyLines(history: readonly HistoryView[]): string[] {
  const lines = history.map(({ at, phase, text }) => `  ${paint("dim", localTime(at))}  ${phase}: ${text}`);
  return [...lines, ...factLines(history.at(-1)?.facts ?? [])];
}

export function deviceTable(devices: readonly DeviceView[]): string[] {
  return table(
    ["Device", "Connected", "Version", "Slot", "Chip", "Update"],
    devices.map(({ thingName, label, connected, firmware, update }) => [
      label ? `${thingName} (${label})` : thingName,
      connected === undefined ? "unknown" : connected ? paint("green", "yes") : "no",
      firmware.version ?? "unknown",
      firmware.slot ? `${firmware.slot}${firmware.state ? `, ${firmware.state}` : ""}` : "",
      firmware.chip ?? "",
      update ? `${phaseText(update.phase)}: ${update.text}` : "",
    ]),
  );
}

/** On stderr, as it is no part of the answer. */
export async function warnOfStorage(client: ServiceClient): Promise<void> {
  const { storageProblem } = await client.status();
  if (storageProblem)
    process.stderr.write(`warning: the service can store nothing at present: ${storageProblem}\n`);
}

/** @throws Failure unless exactly one job is meant */
async function findJob(client: ServiceClient, name: string): Promise<string> {
  const { jobs } = await client.state();
  const found = jobs.filter(({ jobId }) => jobId === name);
  const similar = found.length > 0 ? found : jobs.filter(({ jobId }) => jobId.endsWith(name));
  if (similar.length === 1) return similar[0].jobId;
  throw new Failure(similar.length === 0 ? `there is no job "${name}"` : `several jobs end with "${name}"`);
}

function listJobs(jobs: readonly JobView[], json: boolean): void {
  if (json) return printJson(jobs);
  if (jobs.length === 0) return print("There are no jobs.");
  print(
    ...table(
      ["Job", "Created", "Status", "Image", "Devices"],
      jobs.map(({ jobId, createdAt, status, image, phases, waiting, paused }) => [
        jobId,
        localTime(createdAt),
        paused ? `${status}, paused` : status,
        image?.version ? `${image.project} ${image.version}` : (image?.fileName ?? ""),
        Object.entries(phases)
          .map(([phase, count]) => `${count} ${phase}`)
          .concat(waiting > 0 ? [`${waiting} wait`] : [])
          .join(", "),
      ]),
    ),
  );
}

async function showJob(client: ServiceClient, jobId: string, json: boolean): Promise<void> {
  const details = await client.job(jobId);
  if (json) return printJson(details);
  const { job, executions } = details;
  const { image } = job;
  print(`${job.jobId}  ${job.status}  ${localTime(job.createdAt)}`);
  if (job.description) print(job.description);
  const { stage, waiting, held } = job;
  const wait = waiting > 0 ? `, ${waiting} ${waiting === 1 ? "device waits" : "devices wait"}` : "";
  if (stage) print(`Stage ${stage.stage} of ${stage.stages}${wait}`);
  if (held) print(paint("yellow", held));
  if (image)
    print(`${image.fileName}: ${[image.project, image.version, image.chip].filter(Boolean).join(" ")}`);
  for (const { type, path, size } of job.files ?? [])
    print(`  type ${String(type).padEnd(3)} ${path}  ${size.toLocaleString("en-US")} bytes`);
  for (const { thingName, attempt, phase, text, history } of executions) {
    print("", `${thingName}${attempt > 1 ? ` (attempt ${attempt})` : ""}  ${phaseText(phase)}: ${text}`);
    print(...historyLines(history));
  }
}

/** `2026-01-31 12:34:56` in this machine's time zone. */
function localTime(milliseconds: number): string {
  return new Date(milliseconds).toLocaleString("sv-SE");
}
