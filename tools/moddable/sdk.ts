/**
 * The user's Moddable SDK: finding it, building with it, running what it built. Nothing is written into it.
 * @module
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** SDK release the package is tested with. */
const TESTED = "8.2";
const BUILD_MS = 600_000;

/** Something that is needed is not here; the message says what, and where to get it. */
export class MissingError extends Error {
  override name = "MissingError";
}

/** mcconfig or a compiler has failed; the message has its output. */
export class BuildError extends Error {
  override name = "BuildError";
}

export interface BuildOptions {
  /** Directory with the manifest, or of a package without one. */
  readonly directory: string;
  /** "lin", "esp32", "esp32/esp32c3" … */
  readonly platform: string;
  /** With instrumentation, for memory figures. */
  readonly instrument?: boolean;
  /** With AddressSanitizer: what reads or writes beyond the end of memory ends the program. */
  readonly sanitize?: boolean;
}

const SANITIZE = "-fsanitize=address";

export class Sdk {
  readonly path: string;
  readonly tools: string;
  /** Where builds go; removed by `close` unless it was given. */
  readonly output: string;
  readonly #kept: boolean;
  readonly #runners = new Map<boolean, string>();

  /** @param output where builds go and stay; default: thrown away @throws MissingError naming all that is missing */
  static find(output?: string): Sdk {
    const missing: string[] = [];
    const path = process.env["MODDABLE"] ?? "";
    const tools = path && toolsOf(path);
    if (!path)
      missing.push(
        "the environment variable MODDABLE: install the Moddable SDK (https://www.moddable.com), then set it to the SDK's directory",
      );
    else if (!existsSync(join(path, "examples/manifest_base.json")))
      missing.push(`a Moddable SDK in MODDABLE=${path}: there is no examples/manifest_base.json`);
    else if (!tools)
      missing.push(
        `the SDK's tools: build them with "make" in ${join(path, "build/makefiles", platformName())}`,
      );
    for (const [command, from] of [
      ["make", "Debian: apt-get install make"],
      ["gcc", "Debian: apt-get install gcc"],
    ])
      if (!findProgram(command)) missing.push(`the program ${command} (${from})`);
    for (const name of ["index.js", "device.js", "platform-sim.js", "platform-esp32.js", "boot.js"])
      if (!existsSync(join(ROOT, "dist", name))) {
        missing.push(`dist/${name}: run "npm run build"`);
        break;
      }
    if (missing.length || !tools) throw new MissingError(missing.map((item) => `- ${item}`).join("\n"));
    return new Sdk(path, tools, output);
  }

  private constructor(path: string, tools: string, output?: string) {
    this.path = path;
    this.tools = tools;
    this.#kept = output !== undefined;
    this.output = output ? resolve(output) : mkdtempSync(join(tmpdir(), "xs-ota-moddable-"));
    mkdirSync(this.output, { recursive: true });
  }

  /** As the SDK says of itself, e.g. "8.2.3". */
  get version(): string {
    const file = join(this.path, "tools/VERSION");
    return existsSync(file) ? readFileSync(file, "utf8").trim() : "of unknown version";
  }

  /** True when this release has been tried. */
  get tested(): boolean {
    return this.version.startsWith(TESTED);
  }

  get environment(): NodeJS.ProcessEnv {
    // mcconfig starts `tsc`: the one the guide asks for, whichever of the two npm has put into .bin.
    const own = ["node_modules/typescript/bin", "node_modules/.bin"].map((folder) => join(ROOT, folder));
    const path = [...own, this.tools, process.env["PATH"] ?? ""].join(delimiter);
    return { ...process.env, MODDABLE: this.path, PATH: path };
  }

  /** Runs a program to its end. @param more of its environment @throws BuildError with its output */
  async call(
    command: string,
    args: readonly string[],
    directory: string,
    more: NodeJS.ProcessEnv = {},
  ): Promise<string> {
    const child = spawn(command, args, {
      cwd: directory,
      env: { ...this.environment, ...more },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: BUILD_MS,
    });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (text += data));
    const [code] = await once(child, "close");
    if (code !== 0) throw new BuildError(`${command} ${args.join(" ")}\n${text.slice(-4000)}`);
    return text;
  }

  /**
   * Has mcconfig make an application, or mcpack where it is a package without a manifest.
   * @param args of mcconfig @param more of its environment @throws BuildError with its output
   */
  configure(directory: string, args: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<string> {
    if (existsSync(join(directory, "manifest.json"))) return this.call("mcconfig", args, directory, more);
    const environment = { ...more, MODDABLE: this.#links() };
    return this.call("mcpack", ["mcconfig", ...args], directory, environment);
  }

  /** The SDK as links, but for build/tmp: mcpack writes a manifest there, whatever mcconfig's `-o` says. */
  #links(): string {
    const path = join(this.output, "sdk");
    const link = (below: string, but: string) => {
      mkdirSync(join(path, below), { recursive: true });
      for (const name of readdirSync(join(this.path, below))) {
        const to = join(path, below, name);
        if (name !== but && !existsSync(to)) symlinkSync(join(this.path, below, name), to);
      }
    };
    link(".", "build");
    link("build", "tmp");
    mkdirSync(join(path, "build/tmp"), { recursive: true });
    return path;
  }

  /**
   * Builds for the simulator. The target is always "build": the default one of a debug build ends other processes.
   * @returns the application's library
   */
  async build({ directory, platform, instrument, sanitize }: BuildOptions): Promise<string> {
    const kind = instrument ? ["-i"] : [];
    const output = join(this.output, sanitize ? "out-asan" : "out");
    mkdirSync(output, { recursive: true });
    const args = [...kind, "-m", "-p", platform, "-t", "build", "-o", output];
    await this.configure(directory, args, sanitize ? { CC: `gcc ${SANITIZE} -g` } : {});
    const name = directory.split("/").at(-1) as string;
    return join(output, "bin", platform, "mc", instrument ? "instrument" : "release", name, "mc.so");
  }

  /** Directory with what the linker made of an application built with `build`. */
  intermediate(directory: string, platform: string, instrument = false): string {
    const name = directory.split("/").at(-1) as string;
    return join(this.output, "out/tmp", platform, "mc", instrument ? "instrument" : "release", name);
  }

  /**
   * Starts an application without a display.
   * @param limit the run is ended after so many seconds of the clock, or of the processor
   * @param restarts how often the application may restart
   * @param sanitize whether it was built so
   */
  async run(
    library: string,
    limit: number | { readonly processor: number },
    restarts: number,
    sanitize = false,
  ): Promise<ChildProcess> {
    const seconds = typeof limit === "number" ? String(limit) : `${limit.processor}p`;
    const runner = this.#runners.get(sanitize) ?? (await this.#compileRunner(sanitize));
    this.#runners.set(sanitize, runner);
    // The engine frees little of what it has when it ends.
    const options = sanitize ? { ASAN_OPTIONS: "detect_leaks=0" } : {};
    return spawn(runner, [seconds, String(restarts), library], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...this.environment, ...options },
    });
  }

  close(): void {
    if (!this.#kept) rmSync(this.output, { recursive: true, force: true });
  }

  async #compileRunner(sanitize: boolean): Promise<string> {
    const runner = join(this.output, sanitize ? "runner-asan" : "runner");
    const flags = spawnSync("pkg-config", ["--cflags", "--libs", "glib-2.0"], { encoding: "utf8" });
    if (flags.status !== 0)
      throw new MissingError("- GLib for development (Debian: apt-get install pkg-config libglib2.0-dev)");
    const source = join(ROOT, "tools/moddable/runner.c");
    const include = `-I${join(this.path, "build/simulators/modules")}`;
    const glib = flags.stdout.trim().split(/\s+/);
    await this.call(
      "gcc",
      [...(sanitize ? [SANITIZE] : []), "-O1", include, source, "-o", runner, ...glib, "-ldl"],
      ROOT,
    );
    return runner;
  }
}

function platformName(): string {
  return process.platform === "darwin" ? "mac" : process.platform === "win32" ? "win" : "lin";
}

function toolsOf(path: string): string | undefined {
  const directory = join(path, "build/bin", platformName(), "release");
  return existsSync(join(directory, "mcconfig")) ? directory : undefined;
}

export function findProgram(name: string): string | undefined {
  for (const directory of (process.env["PATH"] ?? "").split(delimiter)) {
    const path = join(directory, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // The next directory may have it.
    }
  }
  return undefined;
}
