/**
 * What the decoder of payloads in C takes on a RISC-V chip, by Debian's cross compiler with the SDK's options (-Os), and
 * the RAM of its state. The kinds of the decoder for Xtensa need Espressif's compiler.
 * @module
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { COMPILER, compile, sizeOf } from "../tools/moddable/cross-compiler.js";

const HOST = fileURLToPath(new URL("../hosts/esp32/", import.meta.url));
/** Declarations of ESP-IDF that payload.c uses. */
const IDF = fileURLToPath(new URL("../test/support/idf/", import.meta.url));
const FLAGS = [
  "-march=rv32imc",
  "-mabi=ilp32",
  "-Os",
  "-ffreestanding",
  "-DCONFIG_IDF_TARGET_ARCH_RISCV=1",
  "-DESP32=1",
];

/** What a freestanding compiler has no header for; sizes do not depend on what is in them. */
const HEADERS: Readonly<Record<string, string>> = {
  "string.h":
    "#include <stddef.h>\nvoid *memcpy(void *, const void *, size_t);\nvoid *memset(void *, int, size_t);\n" +
    "void *memmove(void *, const void *, size_t);\nint memcmp(const void *, const void *, size_t);\n",
  "setjmp.h": "typedef long jmp_buf[32]; int setjmp(jmp_buf); void longjmp(jmp_buf, int);\n",
  "stdio.h": "#include <stddef.h>\n",
  ...Object.fromEntries(["stdlib", "math", "errno", "time", "mc.defines"].map((name) => [`${name}.h`, "\n"])),
};

/** The three entry points alone. */
const CORE = `#include "payload-core.h"
int o(payload_t *p, const payload_header_t *h, const payload_segment_t *s, uint32_t n, const payload_step_t *t, uint32_t m,
  payload_read_t r, void *c) { return payload_open(p, h, s, n, t, m, r, c); }
int b(payload_t *p, uint32_t a, uint32_t d, uint32_t e, uint32_t w, payload_read_t r, void *c) {
  return payload_begin(p, a, d, e, w, r, c); }
int d(payload_t *p, uint8_t *o, uint32_t l, payload_read_t r, void *c) { return payload_decode(p, o, l, r, c); }
`;
const STATE = '#include "payload-core.h"\nconst char state[sizeof(payload_t)] = {1};\n';

export interface NativeSize {
  /** Bytes of code: the decoder itself. */
  readonly core: number;
  /** With the functions XS calls; undefined without the SDK. */
  readonly whole: number | undefined;
  /** Bytes of RAM. */
  readonly state: number;
}

/** @param sdk the SDK's folder, if it is there @returns undefined without the compiler. @throws Error when it cannot compile */
export function nativeSize(sdk: string | undefined): NativeSize | undefined {
  if (spawnSync(COMPILER, ["--version"]).error) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "native-size-"));
  try {
    mkdirSync(join(folder, "include"));
    for (const [name, text] of Object.entries(HEADERS)) writeFileSync(join(folder, "include", name), text);
    const size = (source: string, more: readonly string[] = []) => {
      const object = join(folder, "object.o");
      const include = [join(folder, "include"), HOST, ...more].flatMap((path) => ["-I", path]);
      compile([...FLAGS, ...include, "-c", source, "-o", object]);
      return sizeOf(object).text;
    };
    const own = (text: string) => {
      const source = join(folder, "own.c");
      writeFileSync(source, text);
      return size(source);
    };
    const xs = sdk ? [join(sdk, "xs/includes"), IDF, join(sdk, "xs/platforms/esp")] : undefined;
    return { core: own(CORE), whole: xs && size(join(HOST, "payload.c"), xs), state: own(STATE) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
