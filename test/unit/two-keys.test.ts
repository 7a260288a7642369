import { TwoKeys } from "../../hosts/moddable/two-keys.js";
import type { Store } from "../../src/ports.js";
import { deepEqual, equal, throws } from "../support/assert.js";

/** NVS as the SDK uses it: a key is erased, then written. Longer keys than 15 characters do not exist. */
class Nvs implements Store {
  readonly values = new Map<string, string>();
  /** Steps until the power goes. */
  left = Number.POSITIVE_INFINITY;

  get(key: string): string | undefined {
    return this.values.get(key);
  }

  set(key: string, value: string): void {
    if (key.length > 15) throw new Error("ESP_ERR_NVS_KEY_TOO_LONG");
    this.#step();
    this.values.delete(key);
    this.#step();
    this.values.set(key, value);
  }

  #step(): void {
    if (this.left-- <= 0) throw new Error("the power went");
  }
}

const KEY = "xs-ota.highest";

describe("a store with two keys", () => {
  it("gives back what was set last, however often", () => {
    const store = new TwoKeys(new Nvs());
    equal(store.get(KEY), undefined);
    for (let n = 0; n < 20; n++) {
      store.set(KEY, `1.${n}.0`);
      equal(store.get(KEY), `1.${n}.0`);
    }
  });

  it("takes any text", () => {
    const store = new TwoKeys(new Nvs());
    for (const text of ["", "0", "a\nb", "3 4"]) {
      store.set(KEY, text);
      equal(store.get(KEY), text);
    }
  });

  it("never loses both, wherever the power goes: the highest confirmed version was gone before", () => {
    for (let rounds = 1; rounds < 10; rounds++)
      for (let step = 0; step < 2; step++) {
        const nvs = new Nvs();
        const store = new TwoKeys(nvs);
        for (let n = 1; n <= rounds; n++) store.set(KEY, `1.${n}.0`);
        nvs.left = step;
        throws(() => store.set(KEY, "2.0.0"));
        nvs.left = Number.POSITIVE_INFINITY;
        const next = new TwoKeys(nvs);
        equal(next.get(KEY), `1.${rounds}.0`);
        next.set(KEY, "3.0.0");
        equal(next.get(KEY), "3.0.0");
        next.set(KEY, "4.0.0");
        equal(next.get(KEY), "4.0.0");
      }
  });

  it("keeps what an earlier version of the package has left under one key, until it is replaced", () => {
    const nvs = new Nvs();
    nvs.values.set(KEY, "1.5.0");
    const store = new TwoKeys(nvs);
    equal(store.get(KEY), "1.5.0");
    store.set(KEY, "1.6.0");
    equal(store.get(KEY), "1.6.0");
  });

  it("writes nothing when nothing changes", () => {
    const nvs = new Nvs();
    const store = new TwoKeys(nvs);
    store.set(KEY, "1.0.0");
    const before = [...nvs.values];
    store.set(KEY, "1.0.0");
    deepEqual([...nvs.values], before);
  });
});
