/**
 * What a product says of its components, and what it gets.
 * @module
 */
import type { OtaError } from "../errors.js";
import type { BootControl, Clock, Crypto, Flash } from "../ports.js";
import type { OtaPal } from "../slot/pal.js";
import type { TrustedKeys } from "../slot/signature.js";
import type { ComponentHeader } from "./header.js";

export interface ComponentDefinition {
  /** As in the file's header: 1 to 15 characters of a–z 0–9 _ - */
  readonly name: string;
  /** `fileType` of its files in job documents, 1 to 254. */
  readonly fileType: number;
  /**
   * Its places, two data partitions. One alone has no way back: it is allowed for what may be missing until it has been
   * fetched again, and never in a job with other files.
   */
  readonly places: readonly Flash[];
  readonly refetchable?: boolean;
  /** It takes effect by a restart alone, whatever `live` says. */
  readonly restart?: boolean;
  /**
   * Judges what follows the header in the first bytes of a file, 288 of them at least. Comes again once it is verified.
   * @param withFirmware it is for firmware that comes with it, not for what runs
   * @throws OtaError when the file must not be installed
   */
  judge?(head: Uint8Array, fileSize: number, withFirmware: boolean): void;
  /** A file of these bytes, with this SHA-256, has been verified in a place. */
  verified?(place: number, digest: Uint8Array, fileSize: number): void;
  /** What lies in a place is about to be overwritten. */
  lost?(place: number): void;
  /** The place that must not be written now, whatever the record says; undefined: none but the current one. */
  inUse?(): number | undefined;
  /** The place to which what is current has been copied, to be used there from now on. */
  moved?(): number | undefined;
  /** What was on trial has been accepted or given up. */
  settled?(): void;
  /** The device is about to restart, as it was asked to. */
  leaving?(): void;
}

/** Where firmware goes; `digest` is the SHA-256 of the file it has verified. */
export type FirmwarePal = OtaPal & { readonly digest: Uint8Array | undefined };

export interface ComponentsOptions {
  firmware: FirmwarePal;
  boot: BootControl;
  /** Data partition of the record log, two sectors. Not one that flash encryption covers: see docs/SPEC.md. */
  log: Flash;
  components: readonly ComponentDefinition[];
  crypto: Crypto;
  clock: Clock;
  trustedKeys: TrustedKeys;
  /** A data partition for the journals of places that have no room for one. */
  journal?: Flash;
  /** Starts components on trial have until they are accepted, 1 to 255. Default 1: the first crash brings the old ones back. */
  attempts?: number;
  /** Put components in effect at once, without a restart, when no firmware comes with them. Default false. */
  live?: boolean;
  /** `fileType` of the statement of a set. Default 255. */
  statementType?: number;
  /** Accept several files in a job without a statement that they belong together. Default false. */
  allowLooseSets?: boolean;
  /** Accept a component of the same or an older version. Default false. */
  allowDowngrade?: boolean;
  /** Told of what went wrong without consequences for the update. */
  onNotice?: (error: OtaError) => void;
}

/** A component as it is in use: read-only. */
export interface OpenComponent {
  readonly header: ComponentHeader;
  /** Bytes of the content. */
  readonly byteLength: number;
  /** Fills `into` from byte `offset` of the content. @throws RangeError beyond its end; Error of the driver */
  read(offset: number, into: Uint8Array): void;
}

/** Where what is in use of a component lies. */
export interface ComponentUse {
  /** Index of its place. */
  readonly place: number;
  readonly onTrial: boolean;
  /** The trial is one of firmware as well. */
  readonly withFirmware: boolean;
}
