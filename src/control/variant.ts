/**
 * What a file of a job is of the image it brings, as its path says behind the first semicolon: the image itself, a delta
 * from a base, or the image compressed. Formats: docs/SPEC.md, "Several files for one image".
 * @module
 */
import type { JobFile } from "./job-document.js";

export interface Variant {
  /** First 8 hexadecimal digits of the ELF SHA-256 of the base; empty for an image that is compressed by itself. */
  readonly base: string;
  /** The signature is over the payload, not over the image. */
  readonly signed: boolean;
}

/** @returns undefined for a plain file; null for a kind this agent does not know */
export function variantOf({ filePath }: JobFile): Variant | undefined | null {
  const at = filePath.indexOf(";");
  if (at < 0) return undefined;
  const match = /^;(?:base=([\da-f]{8})|packed)(;signed=file)?$/.exec(filePath.slice(at));
  return match && { base: match[1] ?? "", signed: !!match[2] };
}
