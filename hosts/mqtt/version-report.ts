/**
 * Tells AWS IoT what a device runs, before its first update and after each: in the classic shadow, and in the reserved named
 * shadow `$package` (AWS IoT Device Management, Software Package Catalog), by which fleet indexing counts versions.
 * @module
 */
import { encodeUtf8 } from "../../src/bytes.js";
import type { OtaEvent, ReportParts, VersionReporter } from "../../src/options.js";
import type { MqttConnection, MqttObserver } from "../../src/ports.js";

export interface VersionReportOptions {
  /** Name of the software package, 1 to 128 characters of a–z A–Z 0–9 . _ -: then `$package` is written, too. */
  readonly package?: string;
}

/** Longest name of a version of a package. */
const VERSION_LENGTH = 64;

/** For the agent's option `versionReport`. The device's policy has to allow the topics: AWS closes the connection otherwise. */
export class VersionReport implements VersionReporter, MqttObserver {
  readonly #package: string | undefined;
  #parts: ReportParts | undefined;
  /** What the service has acknowledged, by topic. */
  #told: Record<string, string> = {};

  /** @throws RangeError for a name that AWS does not take */
  constructor(options: VersionReportOptions = {}) {
    const { package: name } = options;
    if (name !== undefined && !/^[\w.-]{1,128}$/.test(name))
      throw new RangeError("package must have 1 to 128 characters of a-z A-Z 0-9 . _ -");
    this.#package = name;
  }

  begin(parts: ReportParts): void {
    // An agent that is started anew tells anew.
    this.#parts?.mqtt.removeObserver(this);
    this.#parts = parts;
    this.#told = {};
    parts.mqtt.addObserver(this);
    this.#tell();
  }

  event({ type }: OtaEvent): void {
    if (type === "update-complete" || type === "self-test-failed") this.#tell();
  }

  online(): void {
    this.#tell();
  }

  offline(): void {}

  #tell(): void {
    const { mqtt, pal, thingName } = this.#parts as ReportParts;
    const { running } = pal;
    if (!mqtt.connected || !running) return;
    const { projectName: project, version, buildId: build, chipId: chip } = running;
    const state = stateOf(pal);
    const prefix = `$aws/things/${thingName}/shadow/`;
    this.#publish(mqtt, `${prefix}update`, { firmware: { project, version, build, chip, state } });
    const name = this.#package;
    if (!name) return;
    const versionName = version.slice(0, VERSION_LENGTH).replace(/[^\w.-]/g, "_") || "_";
    const item = { version: versionName, attributes: { build, state } };
    this.#publish(mqtt, `${prefix}name/$package/update`, { [name]: item });
  }

  /** What has been acknowledged is not said again. */
  #publish(mqtt: MqttConnection, topic: string, reported: object): void {
    const text = JSON.stringify({ state: { reported } });
    if (this.#told[topic] === text) return;
    const told = this.#told;
    mqtt.publish(topic, encodeUtf8(text), 1, (error) => {
      if (!error) told[topic] = text;
    });
  }
}

function stateOf(pal: ReportParts["pal"]): string | undefined {
  try {
    return pal.getPlatformImageState();
  } catch {
    // The agent tells of it; what runs is known all the same.
    return undefined;
  }
}
