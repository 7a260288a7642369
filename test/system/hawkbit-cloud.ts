/**
 * The fleet's side of a story told with hawkBit: the strict model with its faults, what is assigned, and what the operator does.
 * @module
 */
import type { Execution } from "../../service/job-records.js";
import { decodeBase64 } from "../../src/base64.js";
import { encodeUtf8 } from "../../src/bytes.js";
import { Hawkbit, type HawkbitAction, type HawkbitModule } from "../support/hawkbit.js";
import type { VirtualTime } from "../support/virtual-clock.js";
import type { HttpRequest, HttpResponse } from "../support/virtual-http.js";
import {
  basisOf,
  bringsFirmware,
  type Deployment,
  FINAL_VERSION,
  type FleetService,
  factoryGear,
  finalOf,
  OLD_SEQUENCE,
  statementOf,
} from "./deliveries.js";
import type { Assets, Firmware, Foundry, Gear } from "./images.js";
import { type HawkbitSite, ONE_WAY_MS } from "./parts.js";
import {
  BOOTABLE,
  type DdiSetup,
  type JobStory,
  type Refusal,
  type Scenario,
  type SetStory,
} from "./scenario.js";
import type { Trouble } from "./trouble.js";

const LATE_MS = 8_000;
/** Longest signature, bytes. */
const MAX_SIGNATURE = 512;
/** What stands between device and server may answer anything: a status for each of the service's refusals. */
const STATUSES: Readonly<Record<Refusal, number>> = Object.freeze({
  ...{ RequestThrottled: 429, InternalError: 500, ResourceNotFound: 404, VersionMismatch: 410 },
  ...{ InvalidStateTransition: 409, TerminalStateReached: 410, InvalidRequest: 400, InvalidJson: 400 },
  ...{ InvalidTopic: 403 },
});

export class HawkbitCloud implements FleetService, HawkbitSite {
  readonly server = new Hawkbit();
  readonly deployments: Deployment[] = [];
  readonly firmware: Firmware[] = [];
  readonly assets: Assets[] = [];
  readonly gears: Gear[] = [];
  onSet: (firmware: Firmware, assets: Assets) => void = () => {};
  onExecution: (execution: Execution) => void = () => {};
  corrupt = 0;
  /** It takes any words. */
  readonly refusedWords: ReadonlySet<string> = new Set();
  readonly #scenario: Scenario;
  readonly #time: VirtualTime;
  readonly #foundry: Foundry;
  readonly #random: () => number;
  readonly #trouble: () => Trouble;
  readonly #setup: DdiSetup;
  readonly #statuses = new Map<HawkbitAction, string>();
  /** Answers that will be garbage. */
  #garbage = 0;
  readonly #gone = new Set<string>();
  #sequence = OLD_SEQUENCE;

  constructor(
    scenario: Scenario,
    time: VirtualTime,
    foundry: Foundry,
    random: () => number,
    trouble: () => Trouble,
    factorySize = 20_000,
  ) {
    this.#scenario = scenario;
    this.#time = time;
    this.#foundry = foundry;
    this.#random = random;
    this.#trouble = trouble;
    this.#setup = scenario.ddi as DdiSetup;
    this.firmware.push(foundry.make("good", "1.0.0", factorySize));
    this.gears.push(factoryGear(foundry));
    this.server.sleep = this.#setup.sleep;
    this.server.multiAssignments = this.#setup.queue;
    this.server.confirmation = this.#setup.confirmation;
  }

  /** MQTT is the application's own here. */
  handle(): void {}

  deploy(index: number, version = `${index + 2}.0.0`): void {
    this.#deploy(this.#scenario.jobs[index], version);
  }

  deployFinal(gear = false): Deployment {
    return this.#deploy(finalOf(this.#scenario, gear), FINAL_VERSION);
  }

  deployment(jobId: string): Deployment | undefined {
    return this.deployments.find((deployment) => deployment.jobId === jobId);
  }

  /** No action takes the name of another. */
  isStale(): boolean {
    return false;
  }

  cancel(index: number, force: boolean): void {
    this.#operate(index, (action, deployment) => {
      this.server.cancel(action);
      // Otherwise the device has a say.
      if (force) this.#quit(action, deployment);
    });
  }

  delete(index: number): void {
    this.#operate(index, (action, deployment) => this.#quit(action, deployment));
  }

  replace(index: number): void {
    this.#operate(index, (action, deployment) => {
      this.#quit(action, deployment);
      this.deploy(index, `${index + 2}.5.0`);
    });
  }

  dropStream(index: number): void {
    this.#operate(index, ({ id }) => this.#gone.add(String(id)));
  }

  foreign(): void {}
  cleanUp(): void {
    this.#garbage = 0;
    this.#gone.clear();
    // Windows open in the end.
    for (const action of this.server.actions) if (action.window === false) action.window = true;
  }
  replay(): void {}

  forge(what: "job" | "none" | "garbage" | "block"): void {
    if (what === "garbage") this.#garbage++;
  }

  get unfinished(): Execution[] {
    return this.server.actions.filter(({ active }) => active).map((action) => executionOf(action));
  }

  execution(jobId: string): Execution {
    return executionOf(this.server.actions.find(({ id }) => String(id) === jobId) as HawkbitAction);
  }

  readonly serve = (request: HttpRequest): HttpResponse => {
    const { method, url } = request;
    const artifact = url.includes("/softwaremodules/");
    const operation = method !== "GET" ? "update" : artifact ? "get-stream" : "describe";
    const trouble = this.#trouble();
    if (trouble.active("refuse").length) return { status: 401 };
    if (trouble.active("mute").length) return { status: 0, silent: true };
    const faults = trouble
      .active("service")
      .filter((fault) => fault.operation === "any" || fault.operation === operation);
    for (const { what } of faults) {
      if (what !== "lose-reply" && what !== "late" && what !== "twice")
        trouble.took(`hawkBit: ${operation} ${what}`);
      if (what === "drop") return { status: 0, silent: true };
      if (what === "lose-reply" || what === "late" || what === "twice") continue;
      // The root can be reached or not; refusals of every sort are for what a device reports or fetches.
      return { status: operation === "describe" ? 503 : STATUSES[what] };
    }
    if (this.#garbage > 0 && !artifact) {
      this.#garbage--;
      return { status: 200, body: encodeUtf8('{"config": {"polling"') };
    }
    if (artifact && [...this.#gone].some((id) => url.includes(`/softwaremodules/${id}.`)))
      return { status: 404 };
    let response: HttpResponse = this.#handle(request);
    // Like the link to the broker, it gets better in the end.
    let delay = (trouble.over ? 2 * ONE_WAY_MS : this.#scenario.link.rtt) - ONE_WAY_MS;
    for (const { what } of faults) {
      if (what === "lose-reply" || what === "late" || what === "twice")
        trouble.took(`hawkBit: reply ${what}`);
      if (what === "lose-reply") return { status: 0, silent: true };
      if (what === "late") delay += this.#random() * LATE_MS;
      if (what === "twice") response = this.#handle(request);
    }
    if (artifact && this.corrupt > 0 && response.body && response.body.length > 5) {
      this.corrupt--;
      trouble.took("block corrupted");
      const body = response.body.slice();
      body[body.length - 5] ^= 0x04;
      response = { ...response, body };
    }
    // In pieces of one TCP segment: a power cut loses what is on its way.
    return { ...response, delay: Math.max(0, delay), interval: artifact ? 1 : 0 };
  };

  #handle(request: HttpRequest): HttpResponse {
    const response = this.server.handle(request);
    for (const action of this.server.actions) {
      const before = this.#statuses.get(action);
      this.#statuses.set(action, action.status);
      if (before !== action.status && before !== undefined) this.onExecution(executionOf(action));
    }
    return response;
  }

  #quit(action: HawkbitAction, deployment: Deployment): void {
    deployment.withdrawn = true;
    this.server.forceQuit(action);
  }

  #operate(index: number, act: (action: HawkbitAction, deployment: Deployment) => void): void {
    const deployment = this.deployments.filter(({ story }) => story === this.#scenario.jobs[index]).pop();
    const action = this.server.actions.find(({ id }) => String(id) === deployment?.jobId);
    if (deployment && action?.active) act(action, deployment);
  }

  #deploy(story: JobStory, version: string): Deployment {
    const { kind, size, set, gear: gearStory } = story;
    const odd: Partial<Record<string, string>> = { older: "0.9.0", same: "1.0.0" };
    const custom = kind === "custom";
    const made =
      kind === "again"
        ? this.firmware[0]
        : this.#foundry.make(custom ? "good" : kind, odd[kind] ?? version, size);
    const firmware = !custom && bringsFirmware(story) ? made : undefined;
    const gear = gearStory && !custom ? this.#foundry.gear(version, gearStory, kind === "good") : undefined;
    const assets = set && !custom ? this.#assets(story, set, version, firmware) : undefined;
    const modules: HawkbitModule[] = [];
    // A part this device knows nothing of, when it is for somebody else.
    if (custom) modules.push(this.#module("sensor-hub", version, [{ ...made, name: "app.bin" }]));
    if (firmware) modules.push(this.#module("os", version, this.#images(story, firmware)));
    if (gear) modules.push(this.#module("gear", version, [{ ...gear, name: "gear.bin" }]));
    if (set && assets) {
      modules.push(this.#module("assets", version, [{ ...assets, name: "assets.bin" }]));
      if (set.statement !== "none") modules.push(this.#statement(set, version, firmware, assets));
    }
    const { window, type } = this.#setup;
    const { weight } = story;
    const action = this.server.assign(modules, { type, window: window > 0 ? false : undefined, weight });
    if (window > 0) this.#time.at(this.#time.now + window, () => void (action.window = true));
    // Soft first, forced after a while: what "time-forced" is to a device.
    if (type === "soft") this.#time.at(this.#time.now + LATE_MS, () => void (action.type = "forced"));
    this.#statuses.set(action, action.status);
    const deployment: Deployment = {
      ...{ story, jobId: String(action.id), assets, firmware, gear, withdrawn: false },
    };
    if (firmware) this.firmware.push(firmware);
    if (firmware && assets) this.onSet(firmware, assets);
    if (assets) this.assets.push(assets);
    if (gear) this.gears.push(gear);
    this.deployments.push(deployment);
    return deployment;
  }

  #assets({ kind }: JobStory, set: SetStory, version: string, firmware: Firmware | undefined): Assets {
    const behaviour = firmware || !BOOTABLE.has(kind) ? "good" : kind;
    return this.#foundry.assets(behaviour, version, set, this.#scenario.device.mod);
  }

  #statement(set: SetStory, version: string, firmware: Firmware | undefined, assets: Assets): HawkbitModule {
    const sequence = set.statement === "old" ? OLD_SEQUENCE : ++this.#sequence;
    const parts = { set, sequence, firmware, assets, other: this.firmware[0] };
    const bytes = statementOf(this.#foundry, parts);
    return this.#module("statement", version, [
      { name: "set.bin", bytes, signature: this.#foundry.sign(bytes) },
    ]);
  }

  /** The image, and payloads of it under the names that hawkBit can serve. */
  #images({ payloads = [], set }: JobStory, firmware: Firmware): SignedFile[] {
    const files: SignedFile[] = [{ ...firmware, name: "app.bin" }];
    for (const payload of set ? [] : payloads) {
      const { from } = payload;
      const base = from === undefined ? undefined : basisOf(this, this.#scenario, from);
      if (from !== undefined && !base) continue;
      const file = this.#foundry.payload(firmware, base, payload);
      const name = `app.bin${file.kind.replaceAll(";", ",")}`;
      if (files.every((other) => other.name !== name)) files.push({ ...file, name });
    }
    return files;
  }

  /** The signature of the first file is the module's, unless signatures are artifacts; others have one beside them. */
  #module(type: string, version: string, files: readonly SignedFile[]): HawkbitModule {
    const { artifactSignature } = this.#setup;
    const [{ signature }] = files;
    const beside = files.filter((file) => artifactSignature || file.signature !== signature);
    return {
      ...{ type, version, name: "story" },
      artifacts: [
        ...files.map(({ name, bytes }) => ({ filename: name, content: bytes })),
        ...beside.flatMap(({ name, signature: own }) =>
          own === undefined ? [] : [{ filename: `${name}.sig`, content: decodeBase64(own, MAX_SIGNATURE) }],
        ),
      ],
      metadata: signature !== undefined && !artifactSignature ? { "sig-sha256-ecdsa": signature } : undefined,
    };
  }
}

interface SignedFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Base64. */
  readonly signature: string | undefined;
}

/** An action in the words of the stories. */
function executionOf({ id, status, history }: HawkbitAction): Execution {
  const details: Record<string, string> = {};
  for (const message of history[history.length - 1]?.messages ?? []) {
    const at = message.indexOf(": ");
    if (at > 0) details[message.slice(0, at)] = message.slice(at + 2);
  }
  const names = { finished: "SUCCEEDED", error: "FAILED", canceled: "CANCELED" } as const;
  const word = names[status as keyof typeof names] ?? "IN_PROGRESS";
  return {
    jobId: String(id),
    executionNumber: 1,
    status: word,
    statusDetails: details,
  } as unknown as Execution;
}
