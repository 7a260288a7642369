/**
 * `xs-ota aws watch`, `jobs`, `cancel` and `versions`: what has been deployed through AWS.
 * @module
 */
import { Command } from "commander";
import { Failure } from "../failure.js";
import { interruption } from "../interrupt.js";
import { examples, wholeNumber } from "../options.js";
import { printable, printableData } from "../printable.js";
import { print, table } from "../text.js";
import { Cloud } from "./cloud.js";
import { countsText, follow, reasons, reasonText } from "./follow.js";
import { type AwsPlace, addPlaceOptions, tell } from "./place.js";

/** Where the agent's report stands in the index of classic shadows. */
const VERSION_FIELD = "shadow.reported.firmware.version";

export function awsWatchCommand(): Command {
  const command = new Command("watch")
    .summary("follow a job until it has ended")
    .description("Follows a job by the counts AWS keeps of it, and says why devices failed.")
    .argument("<job>", "job id")
    .addHelpText(
      "after",
      `${examples([["xs-ota aws watch AFR_OTA-3f2c…", "until it has ended, or Ctrl-C"]])}

Exit code: 0 when every device succeeded, 1 when one did not, 130 after Ctrl-C.`,
    )
    .action(async (jobId: string, options: AwsPlace) => {
      const stop = interruption();
      await withCloud(options, async (cloud) => {
        process.exitCode = await follow(cloud, { jobId, updateId: jobId }, options, stop);
      });
    });
  return addPlaceOptions(command);
}

export function awsJobsCommand(): Command {
  const command = new Command("jobs")
    .summary("list jobs, or show one with why devices failed")
    .description("Lists the latest jobs, or shows where the devices of one are, and why some failed.")
    .argument("[job]", "job id")
    .option("--limit <count>", "how many jobs are listed", wholeNumber(1, 250), 25)
    .addHelpText(
      "after",
      examples([
        ["xs-ota aws jobs", "the latest"],
        ["xs-ota aws jobs AFR_OTA-3f2c…", "one of them"],
      ]),
    )
    .action(async (jobId: string | undefined, options: AwsPlace & { limit: number }) => {
      await withCloud(options, async (cloud) => {
        if (jobId === undefined) return listJobs(cloud, options);
        const progress = await cloud.progress(jobId);
        const failed = await reasons(cloud, progress);
        const why = progress.comment ?? progress.reasonCode;
        const lines = [
          `${jobId}  ${countsText(progress)}`,
          ...(why ? [printable(why)] : []),
          ...failed.map(reasonText),
        ];
        tell(options, { ...progress, failed }, lines.join("\n"));
      });
    });
  return addPlaceOptions(command);
}

async function listJobs(cloud: Cloud, { limit, json }: AwsPlace & { limit: number }): Promise<void> {
  const jobs = printableData(await cloud.jobs(limit));
  if (json) return print(...jobs.map((job) => JSON.stringify(job)));
  if (jobs.length === 0) return print("There are no jobs.");
  const time = (ms?: number) => (ms === undefined ? "" : new Date(ms).toLocaleString("sv-SE"));
  print(
    ...table(
      ["Job", "Created", "Status", "Targets"],
      jobs.map(({ jobId, createdAt, status, targetSelection }) => [
        jobId,
        time(createdAt),
        status,
        targetSelection ?? "",
      ]),
    ),
  );
}

export function awsCancelCommand(): Command {
  const command = new Command("cancel")
    .summary("cancel a job")
    .description("Cancels a job on the devices that wait for it; with --force also on those that are at it.")
    .argument("<job>", "job id")
    .option("--force", "also on devices that are at it", false)
    .option("--comment <text>", "why")
    .addHelpText("after", examples([["xs-ota aws cancel AFR_OTA-3f2c… --comment 'wrong image'", ""]]))
    .action(async (jobId: string, options: AwsPlace & { force: boolean; comment?: string }) => {
      await withCloud(options, async (cloud) => {
        await cloud.cancel(jobId, options.force, options.comment);
        tell(options, { event: "cancelled", jobId }, `${jobId} is cancelled.`);
      });
    });
  return addPlaceOptions(command);
}

export function awsVersionsCommand(): Command {
  const command = new Command("versions")
    .summary("how many devices run which version")
    .description(
      "Counts the versions that devices report in their shadows, by fleet indexing, which has to be on.",
    )
    .option("--field <name>", "field of the index", VERSION_FIELD)
    .addHelpText("after", examples([["xs-ota aws versions", "of all devices"]]))
    .action(async (options: AwsPlace & { field: string }) => {
      await withCloud(options, async (cloud) => {
        const versions = printableData(await cloud.versions(options.field));
        if (options.json)
          return print(...versions.map(([version, count]) => JSON.stringify({ version, count })));
        if (versions.length === 0)
          throw new Failure(`no device reports ${options.field}, or fleet indexing is off`, 1);
        print(
          ...table(
            ["Version", "Devices"],
            versions.map(([version, count]) => [version, String(count)]),
          ),
        );
      });
    });
  return addPlaceOptions(command);
}

async function withCloud(options: AwsPlace, action: (cloud: Cloud) => Promise<void> | void): Promise<void> {
  const cloud = await Cloud.connect(options.region, options.endpoint);
  try {
    await action(cloud);
  } finally {
    cloud.close();
  }
}
