/**
 * Certificates and private key of the device out of its flash. A module of its own (`xs-ota-agent/keys`), for products that want it;
 * `xs-ota nvs` writes what it reads.
 * @module
 */
import { nvsBytes, openPartition } from "moddable:xs-ota-agent/platform";
import { readNvs } from "../formats/nvs-reader.js";
import { type DeviceKeys, keysFrom } from "./device-keys.js";

export { type DeviceKeys, type KeyPart, type KeySource, keysFrom, tlsWith } from "./device-keys.js";

/** Namespace of NVS that holds the blobs `root`, `cert` and `key`. */
const NAMESPACE = "xs-ota-tls";

/** Keys from NVS, the SDK's preferences: the partition "nvs". @throws Error when one is missing */
export function keysFromNvs(namespace = NAMESPACE): DeviceKeys {
  return keysFrom((part) => nvsBytes(namespace, part), `namespace "${namespace}" of NVS`);
}

/**
 * Keys from a data partition of their own with the same content, which flash encryption can cover and no erased NVS takes away.
 * @param label of the partition, such as "keys"
 * @throws Error when there is no such partition, or a part is missing
 */
export function keysFromPartition(label: string, namespace = NAMESPACE): DeviceKeys {
  const flash = openPartition(label);
  return keysFrom(
    (part) => readNvs(flash, namespace, part),
    `namespace "${namespace}" of partition "${label}"`,
  );
}
