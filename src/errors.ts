/**
 * One error class for everything that can go wrong with an update. Caller mistakes (unusable options, calls
 * with impossible arguments) are `TypeError` and `RangeError` instead.
 * @module
 */

/** Where in an update's life the error arose. */
export type OtaPhase = "init" | "job" | "image" | "transfer" | "verify" | "activate" | "self-test";

/**
 * Error codes, each with the `OtaErr_t` / `OtaPalMainStatus_t` value of the FreeRTOS OTA agent that back ends
 * know from the `reason` text (OTA library 3.4, aws_iot_ota_agent error enumeration; ours alone from 0x80).
 */
export const OTA_ERROR_WORDS = Object.freeze({
  "self-test-rejected": 0x00,
  uninitialized: 0x01,
  "request-job-failed": 0x06,
  "job-parser": 0x0c,
  "data-protocol": 0x0d,
  "no-progress": 0x0e,
  downgrade: 0x0f,
  "same-version": 0x10,
  "image-state-mismatch": 0x11,
  "no-active-job": 0x12,
  "user-abort": 0x13,
  "cbor-decode": 0x15,
  "activate-failed": 0x16,
  "wrong-chip": 0x80,
  "wrong-project": 0x81,
  "bad-image": 0x82,
  "secure-version": 0x83,
  "bad-version": 0x84,
  refused: 0x85,
  "too-slow": 0x86,
  "stream-refused": 0x87,
  "no-rollback": 0x88,
  "rolled-back": 0x89,
  "self-test-timeout": 0x8a,
  http: 0x8b,
  cancelled: 0x8c,
  "bad-der": 0x8d,
  "bad-key": 0x8e,
  "bad-base64": 0x8f,
  "bad-utf8": 0x90,
  "signature-missing": 0xe3,
  "signature-check": 0xe3,
  "bad-signer": 0xe7,
  "file-create": 0xe4,
  "file-too-large": 0xe5,
  "bad-image-state": 0xe8,
  "abort-failed": 0xe9,
  "reject-failed": 0xea,
  "commit-failed": 0xeb,
  "flash-write": 0xe0,
  "file-close": 0xee,
});

export type OtaErrorCode = keyof typeof OTA_ERROR_WORDS;

export class OtaError extends Error {
  readonly code: OtaErrorCode;
  readonly phase: OtaPhase;

  /**
   * @param code what went wrong
   * @param message the same for a person, in English
   * @param phase where in the life of an update
   */
  constructor(code: OtaErrorCode, message: string, phase: OtaPhase) {
    super(message);
    this.code = code;
    this.phase = phase;
  }

  /** The number the original agent reports for this error, as `0x` and 8 digits. */
  get word(): string {
    return hex32(OTA_ERROR_WORDS[this.code]);
  }
}

/** `value` as `0x` and eight lower-case hexadecimal digits. */
export function hex32(value: number): string {
  return `0x${(value >>> 0).toString(16).padStart(8, "0")}`;
}
