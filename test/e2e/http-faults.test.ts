/**
 * A device updates itself over HTTP from servers that misbehave: on real connections, each in its own way. Every
 * update ends: well, or FAILED with the reason; and what boots is what should boot.
 */
import { presignedPlaceholder } from "../../service/documents.js";
import { bootsOfCopy, slotHolds } from "../../tools/start/checks.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { drip } from "../support/http-faults/drip.js";
import { expired } from "../support/http-faults/expired.js";
import {
  type FaultServer,
  type Misbehaviour,
  startFaultServer,
} from "../support/http-faults/fault-server.js";
import { gzip } from "../support/http-faults/gzip.js";
import { longBody } from "../support/http-faults/long-body.js";
import { lyingContentLength } from "../support/http-faults/lying-content-length.js";
import { redirectLoop } from "../support/http-faults/redirect-loop.js";
import { reset } from "../support/http-faults/reset.js";
import { shortBody } from "../support/http-faults/short-body.js";
import { stall } from "../support/http-faults/stall.js";
import { RETRY_AFTER, tooManyRequests } from "../support/http-faults/too-many-requests.js";
import { wholeFile } from "../support/http-faults/whole-file.js";
import { wrongContentRange } from "../support/http-faults/wrong-content-range.js";
import { firmware, type Lab, withLab } from "../support/lab.js";

const RANGE = 32_768;
/** Patience of the devices, ms: short, so that the tests are. */
const STALL_MS = 400;
const NO_PROGRESS_MS = 3000;
const DEADLINE_MS = 12_000;

interface Case {
  readonly title: string;
  readonly misbehave: Misbehaviour;
  /** Wrong answers; default: all. */
  readonly times?: number;
  /** Default: HTTP alone. */
  readonly protocols?: readonly ("HTTP" | "MQTT")[];
  /** Undefined: the update succeeds. Otherwise the code and a part of the message of its failure. */
  readonly failure?: readonly [code: string, message: string];
  /** No wait of the device ends before the deadline of the whole: a busy machine may let a server drip more slowly yet. */
  readonly patient?: boolean;
  /** What the service makes of the image's URL each time it delivers the job. */
  readonly signUrl?: (url: string) => string;
  readonly check?: (lab: Lab, server: FaultServer) => void;
}

/** Each delivery of the job has another URL; the first one used has expired. */
function freshUrls() {
  let given = 0;
  let old: string | undefined;
  return {
    signUrl: (url: string) => `${url}?signed=${++given}`,
    valid: (target: string) => {
      old ??= target;
      return target !== old;
    },
  };
}

const urls = freshUrls();

const CASES: readonly Case[] = [
  { title: "stalls once", misbehave: stall, times: 1 },
  {
    title: "stalls always",
    misbehave: stall,
    failure: ["no-progress", `nothing came for ${STALL_MS} ms`],
  },
  { title: "drips fast enough", misbehave: drip(1000, 1) },
  { title: "drips too slowly", misbehave: drip(1, 100), failure: ["no-progress", "no block for"] },
  {
    title: "drips on and on",
    misbehave: drip(200, 50),
    patient: true,
    failure: ["too-slow", `${DEADLINE_MS} ms`],
  },
  { title: "sends short bodies twice", misbehave: shortBody, times: 2 },
  { title: "sends short bodies always", misbehave: shortBody, failure: ["no-progress", "shorter than"] },
  { title: "sends long bodies", misbehave: longBody },
  { title: "sends the wrong range once", misbehave: wrongContentRange, times: 1 },
  {
    title: "sends the wrong range always",
    misbehave: wrongContentRange,
    failure: ["no-progress", "; the service said: HTTP: content-range bytes "],
  },
  { title: "answers 200 to a range", misbehave: wholeFile },
  { title: "redirects in a circle for a while", misbehave: redirectLoop, times: 6 },
  {
    title: "redirects in a circle always",
    misbehave: redirectLoop,
    failure: ["no-progress", "redirect to /"],
  },
  {
    title: "has let the URL expire, and takes a fresh one",
    misbehave: expired(urls.valid),
    signUrl: urls.signUrl,
    check: (lab) => equal(statisticsOf(lab).refusals, 1, "one URL was refused"),
  },
  {
    title: "lets every URL expire",
    misbehave: expired(() => false),
    failure: ["no-progress", "status 403"],
  },
  {
    title: "answers 429 with Retry-After once",
    misbehave: tooManyRequests,
    times: 1,
    check: (_lab, { requests: [, refused, again] }) =>
      ok(again - refused >= RETRY_AFTER * 1000, `asked again after ${again - refused} ms`),
  },
  {
    title: "answers 429 with Retry-After always",
    misbehave: tooManyRequests,
    failure: ["no-progress", "status 429"],
  },
  { title: "resets connections twice", misbehave: reset, times: 2 },
  { title: "resets connections always", misbehave: reset, failure: ["no-progress", "no block for"] },
  { title: "compresses", misbehave: gzip, failure: ["http", "content-encoding gzip"] },
  {
    title: "compresses, and there is MQTT",
    misbehave: gzip,
    protocols: ["HTTP", "MQTT"],
    check: (lab) => {
      ok(lab.requests.length > 0, "blocks came over MQTT");
      equal(statisticsOf(lab).packetsProcessed, 24, "each block is written once");
    },
  },
  { title: "lies about the Content-Length", misbehave: lyingContentLength },
];

/** The agent's statistics once the image was verified. */
function statisticsOf(lab: Lab): Record<string, number> {
  const verified = lab.events.find((event) => event.type === "verified");
  return (verified as { statistics: Record<string, number> }).statistics;
}

async function update({
  misbehave,
  times,
  protocols = ["HTTP"],
  signUrl,
  check,
  failure,
  patient,
}: Case): Promise<void> {
  const image = firmware("0.9.1");
  const server = await startFaultServer(image, misbehave, times);
  const agent = {
    noProgressTimeoutMs: patient ? 2 * DEADLINE_MS : NO_PROGRESS_MS,
    totalDeadlineMs: DEADLINE_MS,
  };
  const http = { rangeBytes: RANGE, stallTimeoutMs: patient ? DEADLINE_MS : STALL_MS };
  try {
    await withLab({ protocols, agent, http, service: { signUrl } }, async (lab) => {
      const url = signUrl ? presignedPlaceholder(server.url) : server.url;
      const { status, statusDetails } = await lab.ended(lab.deploy(image, { protocols, url }), 25_000);
      ok(server.wrong > 0, "the server never misbehaved");
      const { code = "", message = "" } = statusDetails;
      if (failure) {
        deepEqual([status, code], ["FAILED", failure[0]], message);
        ok(message.includes(failure[1]), message);
        rests(lab, "ota_0", "0.9.0", firmware("0.9.0"));
        return;
      }
      equal(status, "SUCCEEDED", `${code} ${message}`);
      await lab.runs("0.9.1");
      rests(lab, "ota_1", "0.9.1", image);
      check?.(lab, server);
    });
  } finally {
    await server.close();
  }
}

/** This image runs, whole and confirmed, and goes on booting. */
function rests({ device }: Lab, slot: string, version: string, image: Uint8Array): void {
  const { app, state, slot: running } = device.status();
  deepEqual([running, app.version, state], [slot, version, "valid"]);
  ok(device.running && slotHolds(device.flash, device.running, image), `${slot} was changed`);
  deepEqual(bootsOfCopy(device.flash), [slot, slot, slot]);
}

describe("HTTP, the server", () => {
  // All at the same time, each with a device, a service and a server of its own: most of it is waiting.
  const runs = new Map<Case, Promise<unknown>>();
  before(() => {
    for (const one of CASES)
      runs.set(
        one,
        update(one).then(
          () => undefined,
          (error: unknown) => error,
        ),
      );
  });

  for (const one of CASES)
    it(one.title, async () => {
      const error = await runs.get(one);
      if (error) throw error;
    });
});
