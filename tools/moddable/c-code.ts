/**
 * What the C code of an application takes of a RISC-V chip, by Debian's cross compiler and its C library's headers, without
 * ESP-IDF: the files of an ESP32 build, each compiled with the SDK's -Os. Kinds of the engine's own are as on the chip, and of
 * ESP-IDF there is no more than declarations. Not measured: what the linker leaves out, Xtensa, ESP-IDF itself.
 * @module
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { COMPILER, compile, sizeOf } from "./cross-compiler.js";
import { ROOT, type Sdk } from "./sdk.js";

/** picolibc: the headers of a C library. */
const LIBRARY = "--specs=picolibc.specs";
const FLAGS = [LIBRARY, "-march=rv32imc", "-mabi=ilp32", "-Os", "-w", "-DESP32=1", "-D__arm__", "-DmxRun=1"];

/** What neither the compiler nor the SDK has: headers of other systems, and declarations of ESP-IDF. */
const HEADERS: Readonly<Record<string, string>> = {
  "arpa/inet.h": "",
  "pthread.h": "typedef int pthread_t; typedef int pthread_mutex_t; typedef int pthread_cond_t;\n",
  "freertos/FreeRTOS.h":
    "#include <stdint.h>\ntypedef struct { uint32_t owner, count; } portMUX_TYPE;\n" +
    "void vPortEnterCritical(portMUX_TYPE *); void vPortExitCritical(portMUX_TYPE *);\n" +
    "#define portENTER_CRITICAL(MUX) vPortEnterCritical(MUX)\n#define portEXIT_CRITICAL(MUX) vPortExitCritical(MUX)\n" +
    "#ifndef C_NULL\n\t#define C_NULL 0\n#endif\n",
};

/** Compiles the C files of builds. */
export class CCode {
  readonly #sdk: Sdk;
  readonly #headers: string;
  readonly #sizes = new Map<string, number>();

  /** @returns undefined when the compiler or its library is missing */
  static find(sdk: Sdk): CCode | undefined {
    const { status } = spawnSync(COMPILER, [LIBRARY, "-E", "-"], { input: "#include <stdlib.h>\n" });
    return status === 0 ? new CCode(sdk) : undefined;
  }

  private constructor(sdk: Sdk) {
    this.#sdk = sdk;
    this.#headers = join(sdk.output, "c-headers");
    for (const [name, text] of Object.entries(HEADERS)) {
      const path = join(this.#headers, name);
      mkdirSync(join(path, ".."), { recursive: true });
      writeFileSync(path, text);
    }
  }

  /**
   * Bytes of code and constants of the C files that one build has and another has not.
   * @param build folder with its makefile and what the linker made
   * @throws Error when one cannot be compiled
   */
  more(build: string, than: string): number {
    const had = new Set(sourcesOf(than));
    return sourcesOf(build)
      .filter((source) => !had.has(source))
      .reduce((sum, source) => sum + this.#size(source, build), 0);
  }

  #size(source: string, build: string): number {
    const known = this.#sizes.get(source);
    if (known !== undefined) return known;
    const { path } = this.#sdk;
    const engine = ["platforms", "includes", "sources"].map((folder) => join(path, "xs", folder));
    const include = [this.#headers, ...engine, build, ...foldersOf(build), join(ROOT, "test/support/idf")];
    const object = join(this.#headers, `${basename(source)}.o`);
    const inputs = [...include.flatMap((folder) => ["-I", folder]), "-c", source, "-o", object];
    compile([...FLAGS, ...inputs]);
    const { text, data } = sizeOf(object);
    const bytes = text + data;
    this.#sizes.set(source, bytes);
    return bytes;
  }
}

function makefileOf(build: string): string {
  return readFileSync(join(build, "makefile"), "utf8");
}

function sourcesOf(build: string): string[] {
  return [...makefileOf(build).matchAll(/^\s*xsid (\S+\.c) -o/gm)].map(([, source]) => source);
}

/** Where its headers are. */
function foldersOf(build: string): string[] {
  return [...makefileOf(build).matchAll(/^\s*-I(\/[^\s\\]+)\\?$/gm)].map(([, folder]) => folder);
}
