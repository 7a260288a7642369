/**
 * The memory the guide recommends for the machine of a product on ESP32, as it is printed there.
 * @module
 */
import { printed } from "./printed.js";

/** Bytes at a time. */
const GROWTH = 4096;

interface Creation {
  readonly chunk: { readonly initial: number };
}

/**
 * @returns `creation` for the simulator. Chunks may grow there: its flash takes some that a chip has not.
 * @throws BuildError when the guide is another one
 */
export function recommendedCreation(): object {
  const block = printed("docs/guide.md", "7. What it costs", "json");
  const { creation } = JSON.parse(`{${block}}`) as { creation: Creation };
  return { ...creation, chunk: { ...creation.chunk, incremental: GROWTH } };
}
