/**
 * `xs-ota user`: accounts of the service, and what its devices show who they are with.
 * @module
 */
import { existsSync } from "node:fs";
import { Command, InvalidArgumentError, Option } from "commander";
import {
  type AccountEntry,
  hashPassword,
  makeToken,
  parseAccounts,
  ROLES,
  type Role,
} from "../../service/accounts.js";
import { askSecret } from "./confirm.js";
import { FAILED, Failure } from "./failure.js";
import { readText, replaceSecret, writeNew } from "./files.js";
import { examples, jsonOption, USERS_FILE } from "./options.js";
import { paint, print, printJson, table } from "./text.js";

interface UsersOption {
  readonly users: string;
  readonly json: boolean;
}

interface AddOptions extends UsersOption {
  readonly role: Role;
  readonly token: boolean;
  readonly certificate: boolean;
  readonly data: string;
  readonly force: boolean;
}

/** NIST SP 800-63B §5.1.1.1. */
const PASSWORD_LEAST = 8;
const PASSWORD_MOST = 256;

export function userCommand(): Command {
  const command = new Command("user")
    .summary("accounts for xs-ota serve --users")
    .description("Keeps the accounts of people, programs and devices that xs-ota serve --users lets in.");
  for (const make of [addCommand, listCommand, removeCommand]) command.addCommand(make());
  return command;
}

function addCommand(): Command {
  return withFile(new Command("add"))
    .summary("add an account")
    .description("Adds an account. A running service takes it at once.")
    .argument("<name>", "name of the person, the program or the thing", accountName)
    .addOption(
      new Option("--role <what>", "read: look; deploy: also deploy; device: speak for the thing of that name")
        .choices([...ROLES])
        .makeOptionMandatory(),
    )
    .option("--token", "make a token for a program instead of asking for a password", false)
    .option("--certificate", "make a certificate for a device instead of a token", false)
    .option("--data <folder>", "the service's, with the authority that certifies devices", ".xs-ota")
    .option("--force", "replace an account that is there", false)
    .addHelpText(
      "after",
      `${examples([
        ["xs-ota user add ada --role deploy", "asks for a password, or reads it from a pipe"],
        ["xs-ota user add ci --role deploy --token", "prints a token for XS_OTA_TOKEN, once"],
        ["xs-ota user add board-1 --role device", "prints the device's password, once"],
        ["xs-ota user add board-1 --role device --certificate", "board-1-cert.pem and board-1-key.pem"],
      ])}

The file keeps passwords as scrypt makes of them, and digests of tokens.`,
    )
    .action(add);
}

async function add(name: string, options: AddOptions): Promise<void> {
  const { users, role, force, json } = options;
  if (options.certificate && role !== "device") throw new Failure("--certificate is for --role device");
  if (options.certificate && options.token)
    throw new Failure("give either --token or --certificate, not both");
  const entries = readUsers(users, true);
  if (entries.some((entry) => entry.name === name) && !force)
    throw new Failure(`${name} is there already: --force replaces the account`);
  const others = entries.filter((entry) => entry.name !== name);
  const save = (entry: AccountEntry) => writeUsers(users, [...others, entry]);
  if (options.certificate) {
    const files = await certify(name, options.data);
    save({ name, role });
    if (json) return printJson({ name, role, ...files });
    return print(
      `${paint("green", files.certificateFile)}  the certificate of ${name}, by the authority in ${options.data}`,
      `${paint("green", files.keyFile)}   its key`,
    );
  }
  if (options.token || role === "device") {
    const { text, kept } = makeToken();
    save({ name, role, token: kept });
    if (json) return printJson({ name, role, token: text });
    const use = role === "device" ? `user name ${name}, password` : "XS_OTA_TOKEN, shown this once";
    return print(`${use}: ${text}`);
  }
  const password = await askSecret(`Password of ${name}: `);
  if ([...password].length < PASSWORD_LEAST || password.length > PASSWORD_MOST)
    throw new Failure(`a password has ${PASSWORD_LEAST} to ${PASSWORD_MOST} characters`);
  save({ name, role, password: await hashPassword(password) });
  if (json) return printJson({ name, role });
  print(`${name} may ${role === "read" ? "look" : "look and deploy"}.`);
}

async function certify(name: string, folder: string) {
  const { loadAuthority } = await import("./authority.js");
  const authority = await loadAuthority(folder);
  const { cert, key } = await authority.issueClient(name);
  const file = name.replaceAll(":", "_");
  const [certificateFile, keyFile] = [`${file}-cert.pem`, `${file}-key.pem`];
  writeNew(keyFile, key, 0o600);
  writeNew(certificateFile, cert);
  return { certificateFile, keyFile };
}

function listCommand(): Command {
  return withFile(new Command("list"))
    .summary("list the accounts")
    .description("Lists the accounts.")
    .addHelpText("after", examples([["xs-ota user list", "names, roles, and what they show"]]))
    .action(({ users, json }: UsersOption) => {
      const entries = readUsers(users, false).map(({ name, role, password, token }) => ({
        ...{ name, role, shows: password ? "password" : token ? "token" : "certificate" },
      }));
      if (json) return printJson(entries);
      print(
        ...table(
          ["Name", "Role", "Shows"],
          entries.map(({ name, role, shows }) => [name, role, shows]),
        ),
      );
    });
}

function removeCommand(): Command {
  return withFile(new Command("remove"))
    .summary("remove an account")
    .description(
      "Removes an account. A running service lets it in no longer; connections that are there stay.",
    )
    .argument("<name>", "of the account")
    .addHelpText("after", examples([["xs-ota user remove ada", ""]]))
    .action((name: string, { users, json }: UsersOption) => {
      const entries = readUsers(users, false);
      const others = entries.filter((entry) => entry.name !== name);
      if (others.length === entries.length) throw new Failure(`there is no account ${name}`, FAILED);
      writeUsers(users, others);
      if (json) return printJson({ removed: name });
      print(`${name} is removed.`);
    });
}

function withFile(command: Command): Command {
  return command.option("--users <file>", "the accounts", USERS_FILE).addOption(jsonOption());
}

function readUsers(path: string, mayBeNew: boolean): AccountEntry[] {
  if (mayBeNew && !existsSync(path)) return [];
  const text = readText(path);
  try {
    return parseAccounts(text);
  } catch (error) {
    throw new Failure(`${path} cannot be used: ${(error as Error).message}`);
  }
}

function writeUsers(path: string, users: readonly AccountEntry[]): void {
  replaceSecret(path, `${JSON.stringify({ users }, null, 2)}\n`);
}

function accountName(text: string): string {
  if (!/^[\w.@:-]{1,128}$/.test(text))
    throw new InvalidArgumentError("It must have 1 to 128 characters of a-z A-Z 0-9 _ . @ : -.");
  return text;
}
