/**
 * Makes the files of components and the statements of sets. Layouts: docs/SPEC.md, "Components".
 * @module
 */
import type { ComponentHeader } from "../../src/components/header.js";
import type { Statement } from "../../src/components/statement.js";

const COMPONENT_HEADER = 256;
const STATEMENT_HEADER = 48;
const STATEMENT_ENTRY = 80;

/** A text that does not fit, or is not printable ASCII without spaces. */
export class ComponentError extends Error {
  override name = "ComponentError";
}

function putText(bytes: Uint8Array, at: number, length: number, text: string, what: string): void {
  if (text.length >= length || !/^[\x21-\x7e]*$/.test(text))
    throw new ComponentError(
      `${what} "${text}": at most ${length - 1} printable ASCII characters, none of them a space`,
    );
  for (let n = 0; n < text.length; n++) bytes[at + n] = text.charCodeAt(n);
}

/** @throws ComponentError */
export function buildComponent(header: ComponentHeader, content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(COMPONENT_HEADER + content.length);
  bytes.set(Uint8Array.from("XSOTAC1", (letter) => letter.charCodeAt(0)));
  new DataView(bytes.buffer).setUint32(8, content.length, true);
  const { name, projectName, version, minFirmware, maxFirmware } = header;
  if (!/^[\w-]{1,15}$/.test(name))
    throw new ComponentError(`name "${name}": 1 to 15 characters of a–z A–Z 0–9 _ -`);
  if (!projectName || !version) throw new ComponentError("a component needs a product and a version");
  putText(bytes, 16, 32, name, "name");
  putText(bytes, 48, 32, projectName, "product");
  putText(bytes, 80, 32, version, "version");
  putText(bytes, 112, 32, minFirmware, "oldest firmware");
  putText(bytes, 144, 32, maxFirmware, "newest firmware");
  bytes.set(content, COMPONENT_HEADER);
  return bytes;
}

/** @throws ComponentError */
export function buildStatement({ sequence, projectName, entries }: Statement): Uint8Array {
  if (!(sequence >= 0 && sequence <= 0xffffffff && sequence % 1 === 0))
    throw new ComponentError(`sequence ${sequence}: an integer from 0 to 4294967295`);
  if (entries.length < 1 || entries.length > 16)
    throw new ComponentError(`a set of ${entries.length} files: 1 to 16 are possible`);
  const bytes = new Uint8Array(STATEMENT_HEADER + entries.length * STATEMENT_ENTRY);
  bytes.set(Uint8Array.from("XSOTAS1", (letter) => letter.charCodeAt(0)));
  const view = new DataView(bytes.buffer);
  view.setUint32(8, sequence, true);
  view.setUint32(12, entries.length, true);
  putText(bytes, 16, 32, projectName, "product");
  entries.forEach(({ name, version, digest }, index) => {
    const at = STATEMENT_HEADER + index * STATEMENT_ENTRY;
    putText(bytes, at, 16, name, "name");
    putText(bytes, at + 16, 32, version, "version");
    if (digest.length !== 32) throw new ComponentError(`digest of ${name}: ${digest.length} bytes, not 32`);
    bytes.set(digest, at + 48);
  });
  return bytes;
}
