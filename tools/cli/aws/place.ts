/**
 * What every `aws` command takes: where AWS is, and how it tells of what it does.
 * @module
 */
import { type Command, Option } from "commander";
import { httpUrl, jsonOption, seconds } from "../options.js";
import { print } from "../text.js";

export interface AwsPlace {
  readonly region: string;
  readonly endpoint?: string;
  readonly timeout?: number;
  readonly poll: number;
  readonly json: boolean;
}

export function addPlaceOptions(command: Command): Command {
  return command
    .addOption(new Option("--region <name>", "AWS region").env("AWS_REGION").makeOptionMandatory())
    .option("--timeout <seconds>", "stop waiting after so long", seconds)
    .option("--poll <seconds>", "how often AWS is asked for progress", seconds, 5)
    .option("--endpoint <url>", "another service that speaks AWS's protocols", httpUrl)
    .addOption(jsonOption("print JSON, one object a line"));
}

export function tell({ json }: Pick<AwsPlace, "json">, data: object, text: string): void {
  print(json ? JSON.stringify(data) : text);
}
