/**
 * Everything that parses what comes from outside, as fuzzing targets.
 * @module
 */
import type { FuzzTarget } from "./target.js";
import { dataBlock, rejection } from "./targets/cbor.js";
import { ecdsaSignature, publicKey, trustedKeys } from "./targets/der.js";
import { espImage } from "./targets/esp-image.js";
import { journal, otadata, partitionTable } from "./targets/flash.js";
import { contentRange, redirect, retryAfterField } from "./targets/http.js";
import { jobDocument } from "./targets/job-document.js";
import { mqttFraming } from "./targets/mqtt.js";
import { base64, utf8, version } from "./targets/text.js";

export const TARGETS: readonly FuzzTarget[] = [
  dataBlock,
  rejection,
  jobDocument,
  ecdsaSignature,
  publicKey,
  trustedKeys,
  espImage,
  base64,
  utf8,
  version,
  mqttFraming,
  journal,
  otadata,
  partitionTable,
  contentRange,
  retryAfterField,
  redirect,
];
