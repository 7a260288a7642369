/**
 * `xs-ota jobs` and `xs-ota devices`
 * @module
 */
import { Command } from "commander";
import type { DeviceView, JobView } from "../../service/views.js";
import { ServiceClient } from "./client.js";
import { Failure } from "./failure.js";
import { examples, jsonOption, serviceOption } from "./options.js";
import { phaseText } from "./screen.js";
import { paint, print, printJson, table } from "./text.js";

interface JobsOptions {
  readonly cancel: boolean;
  readonly delete: boolean;
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
        if (options.cancel || options.delete) throw new Failure("name the job");
        listJobs((await client.state()).jobs, options.json);
        return await warnOfStorage(client);
      }
      const jobId = await findJob(client, name);
      if (options.cancel) await client.cancel(jobId);
      if (options.delete) {
        await client.delete(jobId);
        return print(`${jobId} is deleted.`);
      }
      await showJob(client, jobId, options.json);
      await warnOfStorage(client);
    });
}

export function devicesCommand(): Command {
  return new Command("devices")
    .summary("list devices")
    .description("Lists the devices the service has heard of, what they run, and their update.")
    .addOption(serviceOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      examples([
        ["xs-ota devices", "all of them"],
        ["xs-ota devices --json | jq '.[].firmware.version'", "for programs"],
      ]),
    )
    .action(async ({ service, json }: JobsOptions) => {
      const { devices } = await new ServiceClient(service).state();
      if (json) return printJson(devices);
      if (devices.length === 0) return print("No device has been heard of yet.");
      print(...deviceTable(devices));
    });
}

export function deviceTable(devices: readonly DeviceView[]): string[] {
  return table(
    ["Device", "Connected", "Version", "Slot", "Chip", "Update"],
    devices.map(({ thingName, connected, firmware, update }) => [
      thingName,
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
      jobs.map(({ jobId, createdAt, status, image, phases }) => [
        jobId,
        localTime(createdAt),
        status,
        image?.version ? `${image.project} ${image.version}` : (image?.fileName ?? ""),
        Object.entries(phases)
          .map(([phase, count]) => `${count} ${phase}`)
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
  if (image)
    print(`${image.fileName}: ${[image.project, image.version, image.chip].filter(Boolean).join(" ")}`);
  for (const { thingName, attempt, phase, text, history } of executions) {
    print("", `${thingName}${attempt > 1 ? ` (attempt ${attempt})` : ""}  ${phaseText(phase)}: ${text}`);
    for (const entry of history)
      print(`  ${paint("dim", localTime(entry.at))}  ${entry.phase}: ${entry.text}`);
  }
}

/** `2026-01-31 12:34:56` in this machine's time zone. */
function localTime(milliseconds: number): string {
  return new Date(milliseconds).toLocaleString("sv-SE");
}
