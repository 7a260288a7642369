/**
 * docs/troubleshooting.md, made of the error codes in src/errors.ts: numbers and phases from there, what to do from here.
 * @module
 */
import { OTA_ERROR_CODES } from "../../src/errors.js";

/** What a code means, and what to do about it. */
const ADVICE: Readonly<Record<string, readonly [meaning: string, remedy: string]>> = {
  "self-test-rejected": [
    'The application called `setImageState("rejected")` during the self-test of the new image; the old one runs again.',
    "Read the application's own log of the self-test. Release a corrected image with a higher version.",
  ],
  uninitialized: [
    "A method was called before `init` or after `shutdown`.",
    "Call `init` first; after `shutdown` make a new agent.",
  ],
  "request-job-failed": [
    "The broker refused the subscription to the job topics, or the service refused the request for a job.",
    "Check the policy of the device's certificate (`docs/aws.md`) and that client id and thing name agree. The agent keeps trying.",
  ],
  "job-parser": [
    "The job document has an `afr_ota` that is incomplete, too long, nested too deep, or of unknown fields' types.",
    'Compare the document with `docs/SPEC.md`, "Job document"; `xs-ota deploy` and the AWS console make valid ones.',
  ],
  "data-protocol": [
    "None of the document's `protocols` is among the agent's `dataPlanes`, or its address is missing.",
    "Create the job for MQTT, or give the agent the HTTP data plane (`manifest-http.json`).",
  ],
  "no-progress": [
    "No new block came for `noProgressTimeoutMs` while the device was connected.",
    "Check that the stream still exists and that the device may use its topics. On a very slow link raise the limit. A new job resumes.",
  ],
  downgrade: [
    "The offered image, or the one found after the restart, has a lower version than the one running.",
    "Release the old code under a higher version: going back is a new release.",
  ],
  "same-version": [
    "The offered image has the version of the running one.",
    "Raise the version in the sdkconfig (`docs/guide.md`) and build again.",
  ],
  "image-state-mismatch": [
    "The job says that an image is on trial, the boot loader does not; or the state was set at an impossible time.",
    "Usually a board that was written by cable in the middle of a job: cancel the job. Otherwise look at `otadata` with `xs-ota inspect`.",
  ],
  "no-active-job": [
    "`activateNewImage` or `setImageState` was called with nothing to activate or to abort.",
    'Call them from the events "activate" and "start-test" on, not before.',
  ],
  "user-abort": ['The application called `setImageState("aborted")`.', "Nothing, if it meant to."],
  "cbor-decode": [
    "A message of the file stream is no CBOR of the expected form.",
    "Seen with foreign brokers that rewrite payloads. The block is asked for again; the job fails only when none is right.",
  ],
  "activate-failed": [
    "The verified image could not be made the next to boot: the service refused `self_test: ready`, `otadata` could not be written, or the image on flash changed since it was verified.",
    "If the flash is at fault it shows in `xs-ota inspect` of a dump. Otherwise deploy again.",
  ],
  "wrong-chip": [
    "The image is for another chip.",
    "Build for the platform the device has, and target the right group of things.",
  ],
  "wrong-project": [
    "The project name in the image's descriptor differs from the running one's.",
    "Deploy the product's own image. Moddable names every app `xs_esp32`; products are told apart by their keys.",
  ],
  "bad-image": [
    "The file is not an ESP32 application image, or its checksums are wrong.",
    "Deploy `xs_esp32.bin`, not the ELF file or a merged flash image; `xs-ota inspect` says what it is.",
  ],
  "secure-version": [
    "The image's secure version is lower than the one the device insists on (anti-rollback eFuses).",
    "Build with the `CONFIG_BOOTLOADER_APP_SECURE_VERSION` of the fleet or a higher one.",
  ],
  "bad-version": [
    "A version, of the image or the running one, cannot be compared: it is not `major.minor.build`.",
    "Set `CONFIG_APP_PROJECT_VER` as `docs/guide.md` shows. The first image of a device has to be right, too.",
  ],
  refused: [
    "`onUpdateAvailable` answered `{refuse}`; the job is REJECTED with the application's words.",
    "Nothing, if it meant to.",
  ],
  "too-slow": [
    "The transfer took longer than `transferTimeoutMs`, or brought fewer bytes a second than `minBytesPerSecond`.",
    "Raise the option or mend the link. What has arrived is kept: a new job resumes.",
  ],
  "stream-refused": [
    "The stream service refused: unknown stream or file, no permission, or the subscription to its topics was refused.",
    "Check that the stream exists and the policy allows `$aws/things/<thing>/streams/*`.",
  ],
  "no-rollback": [
    "The boot loader has no rollback: a bad image would be final. The agent refuses updates.",
    "Write a boot loader with `CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE` by cable, or accept the risk with `allowNoRollback`.",
  ],
  "rolled-back": [
    "The new image crashed, hung or was switched off during its trial; the boot loader started the old one again.",
    'Reproduce it with the image on a board and its serial log. See the FAQ, "Why was a good image rolled back?".',
  ],
  "self-test-timeout": [
    "The new image was not accepted within `selfTestTimeoutMs` of `init`; it was rolled back.",
    "Usually it did not reach the service (Wi-Fi, clock, certificates), so the test never started. Otherwise raise the limit.",
  ],
  http: [
    "The HTTP server refused, sent something else than was asked for, or cannot be reached; the words say what.",
    "An expired presigned URL: make its life longer than a transfer. Servers have to answer `Range` with 206.",
  ],
  cancelled: ["The job was cancelled or replaced by another.", "Nothing."],
  "bad-key": [
    "A trusted key cannot be read, or is of a kind that is not supported.",
    "ECDSA P-256 or RSA, PEM or DER, as certificate or public key; `xs-ota keygen` makes one.",
  ],
  "bad-base64": [
    "The signature in the job document is not base64.",
    "Sign with `xs-ota deploy`, AWS Signer, or `base64 -w0`.",
  ],
  "bad-utf8": [
    "A text from the network is not UTF-8.",
    "The sender is at fault; the message is dropped or the job refused.",
  ],
  "flash-write": [
    "A write to the slot, or the check after it, failed.",
    "Worn or failing flash, or a supply that breaks down. The sectors are tried again; repeated on one device means its flash.",
  ],
  "signature-missing": [
    "The job document has no signature for the file.",
    "Create the update with code signing. Unsigned updates are never taken.",
  ],
  "signature-check": [
    "The signature is not one of the trusted key for this file: another key, or another file.",
    "Sign the very file that is deployed, with SHA-256, with the private key whose certificate is in `trustedKeys`.",
  ],
  "file-create": [
    "There is no place for the file: no second slot, a file type nobody takes, or the slot cannot be erased.",
    "Use a partition table with two OTA slots and `otadata` (`hosts/esp32/partitions`).",
  ],
  "file-too-large": [
    "The file does not fit the slot.",
    "Make the image smaller, or the slots larger, which needs a cable.",
  ],
  "bad-signer": [
    "There is no trusted key for the document's `certfile`, or none for its algorithm.",
    'Give `trustedKeys` an entry of that name, or one named `""` for all.',
  ],
  "bad-image-state": [
    "`setImageState` was called with a state that does not exist.",
    '"accepted", "rejected" or "aborted".',
  ],
  "abort-failed": [
    "The journal could not be cleared when a transfer was given up.",
    "As for flash-write; the next transfer begins anew.",
  ],
  "reject-failed": [
    "The image on trial could not be marked as bad.",
    "The device restarts, and the boot loader rolls back as the image was not accepted.",
  ],
  "commit-failed": [
    "The image could not be marked as good.",
    "As for flash-write, in `otadata`. The image is rolled back at the next start.",
  ],
  "file-close": [
    "The complete file could not be read back or verified for another reason than its signature.",
    "As for flash-write.",
  ],
  "failed-before": [
    "The image failed on this device before: it was rolled back or rejected.",
    "Release a corrected image with a higher version.",
  ],
  "custom-job": [
    "A job that is no OTA job, and that the application did not claim, stands in front of the queue.",
    "Claim it with `onCustomJob`, cancel it, or let the agent end such jobs as FAILED with the option `failCustomJobs`.",
  ],
  "no-way-back": [
    "The running image would not boot again should the new one be given up: its `otadata` entry or its bytes are damaged.",
    "Look at a dump with `xs-ota inspect`. The device runs, but has to be written by cable before it takes updates.",
  ],
  "unsafe-build": [
    "The build lacks something that rollback needs; the words say what. A notice, told at `init`.",
    "Set it in the sdkconfig (`hosts/esp32/sdkconfig` has all of it) and release the image by cable or as an update.",
  ],
  "store-failed": [
    "The port `Store` threw: what should outlive a restart could not be read or written.",
    "NVS is full, encrypted with another key, or worn: look at its use, and erase what no version reads any more.",
  ],
  "bad-payload": [
    "The compressed image or the delta cannot be decoded, or decodes into something else than its head says.",
    "Make the payload again with the same release's tools; a file that was cut or changed on its way is refused like this.",
  ],
  "wrong-base": [
    "The delta is for another image than the one that runs.",
    "Deploy the delta made from the version the device runs, or the whole image.",
  ],
};

/** A code's row: number as in the job's `reason`, and phase. */
interface Code {
  readonly code: string;
  readonly value: string;
  readonly phase: string;
}

export function errorCodes(): Code[] {
  return OTA_ERROR_CODES.trim()
    .split("\n")
    .map((row) => row.split(" "))
    .map(([code = "", value = "", phase = ""]) => ({ code, value, phase }));
}

/** Codes that have no advice yet, and advice for codes that are not there any more. */
export function unadvised(): string[] {
  const codes = errorCodes().map(({ code }) => code);
  return [
    ...codes.filter((code) => !(code in ADVICE)),
    ...Object.keys(ADVICE).filter((code) => !codes.includes(code)),
  ];
}

/** The page. */
export function troubleshooting(): string {
  const rows = errorCodes().map(({ code, value, phase }) => {
    const [meaning = "", remedy = ""] = ADVICE[code] ?? [];
    return `| \`${code}\` | 0x${value} | ${phase} | ${meaning} | ${remedy} |`;
  });
  return `# Troubleshooting

<!-- Made by "npm run docs" from src/errors.ts and tools/docs/troubleshooting.ts: change those. -->

An update that fails tells the application an \`OtaError\` (events "fail", "notice", "self-test-failed") with a \`code\`, a
\`phase\` and a sentence, and the service the same in the job's status details (\`docs/SPEC.md\`, "Status details"): the
number below stands in \`reason\`. Caller mistakes, such as options that cannot be used, are \`TypeError\` and
\`RangeError\` and happen at once.

The log (\`log\` of the options, level "debug") says what the agent does. \`npx xs-ota inspect\` reads images and flash dumps;
\`npx xs-ota trace\` turns a stack trace from the field into names and lines.

| code | number | phase | what it means | what to do |
|---|---|---|---|---|
${rows.join("\n")}

The phase is the usual one: some codes can arise in others, and the error says in which.
`;
}
