/**
 * What the hosts on the Moddable runtime share: an agent from the parts of a device and the options of an
 * application.
 * @module
 */

import {
  type BootControl,
  FlashPal,
  type FlashPalOptions,
  OtaAgent,
  type OtaAgentOptions,
  type OtaPal,
  TrustedKeys,
} from "xs-ota-agent";
import type { Flash, Random, Store } from "../../src/ports.js";
import { ModdableClock } from "./clock.js";
import { ModdableCrypto } from "./crypto.js";
import { traceLog } from "./log.js";

export interface DeviceParts {
  readonly slot: Flash;
  readonly boot: BootControl;
  readonly store: Store;
  readonly random: Random;
}

type Keys = ConstructorParameters<typeof TrustedKeys>[0];

export interface DeviceAgentOptions
  extends Omit<OtaAgentOptions, "pal" | "clock" | "random">,
    Pick<FlashPalOptions, "allowDowngrade" | "eraseLength" | "journal" | "onNoResume"> {
  /** Certificates or public keys (PEM or DER) that images may be signed with, by the job's `certfile`; "" for any. */
  readonly trustedKeys: TrustedKeys | Keys;
  /** Takes deltas and compressed images, too: `payloads()` of "xs-ota-agent/payload-device". */
  readonly payloads?: (parts: FlashPalOptions & { boot: BootControl }) => FirmwarePal;
  /** Files beside the firmware: `deviceComponents(…)` of "xs-ota-agent/components-device". */
  readonly components?: {
    layer(firmware: FirmwarePal, parts: FlashPalOptions & { boot: BootControl }): OtaPal;
  };
}

/** What updates the firmware itself, and knows the digest of the file it has closed. */
export type FirmwarePal = OtaPal & Pick<FlashPal, "digest">;

/** @throws TypeError, RangeError as `OtaAgent` and `FlashPal` do */
export function createAgent(parts: DeviceParts, options: DeviceAgentOptions): OtaAgent {
  const { allowDowngrade, eraseLength, journal, onNoResume, trustedKeys, payloads, components, ...rest } =
    options;
  const { slot, boot, store, random } = parts;
  const clock = new ModdableClock();
  const keys = trustedKeys instanceof TrustedKeys ? trustedKeys : new TrustedKeys(trustedKeys);
  const own = { slot, boot, store, clock, crypto: new ModdableCrypto(), trustedKeys: keys };
  const all = { ...own, allowDowngrade, eraseLength, journal, onNoResume };
  const firmware = payloads ? payloads(all) : new FlashPal(all);
  const pal = components ? components.layer(firmware, all) : firmware;
  return new OtaAgent({ log: traceLog, store, ...rest, pal, clock, random });
}
