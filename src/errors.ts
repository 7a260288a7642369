/**
 * One error class for everything that can go wrong with an update. Caller mistakes (unusable options, calls
 * with impossible arguments) are `TypeError` and `RangeError` instead.
 * @module
 */

/** Where in an update's life the error arose. */
export type OtaPhase = "init" | "job" | "image" | "transfer" | "verify" | "activate" | "self-test";

/**
 * Error codes, each with the `OtaErr_t` / `OtaPalMainStatus_t` value (hexadecimal) of the FreeRTOS OTA agent that back
 * ends know from the `reason` text (OTA library 3.4, aws_iot_ota_agent error enumeration; ours alone from 0x80), and
 * the phase it usually arises in. One text, because an object would take two slots of ROM for every code.
 */
export const OTA_ERROR_CODES = `
self-test-rejected 0 self-test
uninitialized 1 init
request-job-failed 6 init
job-parser c job
data-protocol d job
no-progress e transfer
downgrade f image
same-version 10 image
image-state-mismatch 11 self-test
no-active-job 12 transfer
user-abort 13 transfer
cbor-decode 15 transfer
activate-failed 16 activate
wrong-chip 80 image
wrong-project 81 image
bad-image 82 image
secure-version 83 image
bad-version 84 image
refused 85 job
too-slow 86 transfer
stream-refused 87 transfer
no-rollback 88 init
rolled-back 89 self-test
self-test-timeout 8a self-test
http 8b transfer
cancelled 8c job
bad-key 8e verify
bad-base64 8f job
bad-utf8 90 job
failed-before 91 image
custom-job 92 job
store-failed 93 init
bad-payload a0 image
wrong-base a1 image
no-way-back 93 job
unsafe-build 94 init
flash-write e0 transfer
signature-missing e3 verify
signature-check e3 verify
file-create e4 transfer
file-too-large e5 transfer
bad-signer e7 verify
bad-image-state e8 self-test
abort-failed e9 self-test
reject-failed ea self-test
commit-failed eb self-test
file-close ee verify
`;

type Codes<Rows extends string, Found = never> = Rows extends `${infer Row}\n${infer Rest}`
  ? Codes<Rest, Found | (Row extends `${infer Code} ${string}` ? Code : never)>
  : Found;
export type OtaErrorCode = Codes<typeof OTA_ERROR_CODES>;

/** The words of the row of `table` that begins with `key`; undefined when there is none. */
export function findRow(table: string, key: string): string[] | undefined {
  const at = table.indexOf(`\n${key} `) + 1;
  return at > 0 ? table.slice(at, table.indexOf("\n", at)).split(" ") : undefined;
}

export class OtaError extends Error {
  readonly code: OtaErrorCode;
  readonly phase: OtaPhase;

  /**
   * @param code what went wrong
   * @param message the same for a person, in English
   * @param phase where in the life of an update; default: where this usually goes wrong
   */
  constructor(
    code: OtaErrorCode,
    message: string,
    phase = (findRow(OTA_ERROR_CODES, code) as string[])[2] as OtaPhase,
  ) {
    super(message);
    this.code = code;
    this.phase = phase;
  }

  /** The number the original agent reports for this error. */
  get value(): number {
    return Number.parseInt((findRow(OTA_ERROR_CODES, this.code) as string[])[1], 16);
  }
}

/** What something thrown says, whatever it is: an application may throw `null`. Never throws itself. */
export function wordsOf(cause: unknown): string {
  try {
    return String((cause as Error | null)?.message ?? cause);
  } catch {
    return "something that is no text";
  }
}

/** What was thrown, as an OtaError; `code` is for what is none. */
export function asOtaError(cause: unknown, code: OtaErrorCode, phase?: OtaPhase): OtaError {
  return cause instanceof OtaError ? cause : new OtaError(code, wordsOf(cause), phase);
}

/** `value` as `0x` and eight lower-case hexadecimal digits. */
export function hex32(value: number): string {
  return `0x${(value >>> 0).toString(16).padStart(8, "0")}`;
}
