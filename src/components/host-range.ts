/**
 * Which firmware a component goes with.
 * @module
 */
import { OtaError } from "../errors.js";
import { compareVersions } from "../slot/version.js";
import type { ComponentHeader } from "./header.js";

/** @throws OtaError "bad-version" unless the component goes with firmware of version `host` */
export function requireHost({ name, minFirmware, maxFirmware }: ComponentHeader, host: string): void {
  if (minFirmware && !(compareVersions(host, minFirmware) >= 0))
    throw new OtaError("bad-version", `${name} needs firmware ${minFirmware} or newer, not ${host}`);
  if (maxFirmware && !(compareVersions(host, maxFirmware) <= 0))
    throw new OtaError("bad-version", `${name} needs firmware ${maxFirmware} or older, not ${host}`);
}
