/**
 * The interfaces a host supplies. The agent sees the world through these and nothing else: code in src
 * imports neither Node nor Moddable.
 *
 * Common rules
 * - Every callback arrives in a turn of its own: a port never calls back from inside the call that asked.
 *   The exception is stated where it applies.
 * - A port reports failure through its callback or by throwing an `Error`; it never does both.
 * - Byte counts are in bytes, times in milliseconds.
 * @module
 */

/** What `Clock.set` returns and `Clock.clear` takes; opaque. */
export type Timer = unknown;

/** Monotonic time and one-shot timers. */
export interface Clock {
  /** Milliseconds since an arbitrary start; never goes backwards. */
  now(): number;
  /** Calls back once, `ms` or more milliseconds from now, in a turn of its own. */
  set(callback: () => void, ms: number): Timer;
  /** Cancels a timer. Harmless for one that has fired, was cleared, or is `undefined`. */
  clear(timer: Timer | undefined): void;
}

/** Uniform random number in [0, 1), from a source that differs between devices (jitter, MQTT packet spacing). */
export type Random = () => number;

export type LogLevel = "debug" | "info" | "warn" | "error";
export type Log = (level: LogLevel, text: string) => void;

/** One topic filter somebody listens to. The same object is handed to `subscribe` and `unsubscribe`. */
export interface MqttSubscription {
  /** Topic filter, with `+` and `#` as in MQTT 3.1.1 §4.7. */
  readonly filter: string;
  readonly qos: 0 | 1;
  /**
   * Asked before the first payload byte is read: where to put a message of `byteLength` bytes.
   * Return a buffer of at least that length to receive without a copy, or `undefined` to have the message
   * discarded unread. Without this method the connection allocates.
   */
  buffer?(topic: string, byteLength: number): Uint8Array | undefined;
  /**
   * A whole message. `payload` is valid during the call only.
   */
  message(topic: string, payload: Uint8Array): void;
}

/** Told about the life of the connection. All calls happen in a turn of their own. */
export interface MqttObserver {
  /** Connected, and every active subscription is being renewed. */
  online(): void;
  /** Connection lost; it will come back by itself. Publishes under way have been or will be reported failed. */
  offline(): void;
}

/**
 * An MQTT connection that looks after itself: it connects, keeps alive, reconnects with back-off and jitter,
 * and renews subscriptions. The back-off begins anew only once a connection has lasted. What is never acknowledged is
 * repeated, and in the end the connection replaced. The application and the agent share one.
 */
export interface MqttConnection {
  readonly connected: boolean;
  /**
   * Sends one message. `done` is called once: without an error when the message is written (QoS 0) or
   * acknowledged (QoS 1); with one when that will not happen, the connection being lost included.
   * Never throws for a lost connection. `payload` must not be changed before `done`.
   */
  publish(topic: string, payload: Uint8Array, qos: 0 | 1, done?: (error?: Error) => void): void;
  /**
   * Subscribes now, or on connecting, and again after every reconnection, until unsubscribed.
   * `done` is called once, on the first SUBACK or refusal.
   */
  subscribe(subscription: MqttSubscription, done?: (error?: Error) => void): void;
  /** No further message reaches the subscription once this returns. */
  unsubscribe(subscription: MqttSubscription): void;
  addObserver(observer: MqttObserver): void;
  removeObserver(observer: MqttObserver): void;
}

/**
 * One flash partition, in the shape of Moddable's `embedded:storage/flash` (whose instances satisfy it).
 * NOR rules: erase sets every bit of a block, write only clears bits. All calls are synchronous and throw an
 * `Error` when the range lies outside the partition or the driver fails.
 */
export interface Flash {
  /** Erases blocks `start` up to, not including, `end` (default: one block). */
  eraseBlock(start: number, end?: number): void;
  /** Fills `buffer` from byte offset `offset`. */
  read(buffer: Uint8Array, offset: number): unknown;
  /** Writes `buffer` at byte offset `offset`. */
  write(buffer: Uint8Array, offset: number): void;
  /** `size`: bytes in the partition; `blockLength`: bytes in an erasable block (4096 on ESP32). */
  status(): { size: number; blocks: number; blockLength: number };
  close(): void;
}

/** State of an app image in `otadata` (ESP-IDF `esp_ota_img_states_t`); "undefined" also stands for a factory app. */
export type BootImageState = "new" | "pending-verify" | "valid" | "invalid" | "aborted" | "undefined";

/** The ESP-IDF application descriptor (`esp_app_desc_t`) and the image header's chip, as far as the agent uses them. */
export interface AppDescription {
  /** `chip_id` of the image header, e.g. 0 ESP32, 5 ESP32-C3, 9 ESP32-S3. */
  readonly chipId: number;
  readonly projectName: string;
  readonly version: string;
  readonly secureVersion: number;
  /** First 8 hexadecimal digits of `app_elf_sha256`: tells builds of the same version apart. */
  readonly buildId: string;
}

/** The boot side of the chip: what ESP-IDF's `esp_ota_*` functions decide and do. */
export interface BootControl {
  /** The application that runs now. */
  readonly running: AppDescription;
  /** Of the chip, major × 100 + minor (`efuse_hal_chip_revision`): images for others are refused. Undefined: not known. */
  readonly chipRevision?: number | undefined;
  /**
   * False when the boot loader was built without `CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE`, and as long as that is not
   * known for certain.
   */
  readonly rollbackEnabled: boolean;
  /** What the maker of the product should know of this build, a sentence each. */
  readonly notices?: readonly string[];
  /** State of the running image. */
  imageState(): BootImageState;
  /** Why the chip started this time, in a word such as "panic"; undefined when the platform does not tell. */
  readonly resetReason?: string;
  /** State of the image in the other slot (the one an update is written to); "undefined" when unknown. */
  otherState(): BootImageState;
  /**
   * Makes sure that the running image is the one that boots until `setBoot`, whatever comes to lie in the other slot, and
   * again when the image there is given up: `otadata` names the running slot, or, while a factory application runs, none.
   * It may not after a fallback, when the slot that is named is damaged. All is well: no flash operation.
   * Throws when it cannot be had, or the running image is not confirmed.
   */
  keepWayBack(): void;
  /**
   * Forgets an earlier verdict about the other slot, as `esp_ota_begin` does (ESP-IDF ≥ 5.5): erases the
   * `otadata` entries that do not belong to the running slot. Nothing to forget: no flash operation.
   * Afterwards `otherState` is "undefined" until the next `setBoot`. Comes after `keepWayBack`.
   */
  clearOther(): void;
  /** Makes the other slot the one to boot, once ESP-IDF has validated the image in it. Throws when it is not bootable. */
  setBoot(): void;
  /** Confirms the running image; cancels the rollback. Throws when it cannot be recorded. */
  markValid(): void;
  /** Gives up the running image: the next boot takes the other one. Throws when there is none to go back to. */
  markInvalid(): void;
  /**
   * After a restart amid an update: what a power cut may have left unstable is not what decides about booting any more
   * (docs/SPEC.md, "What a power cut within a write leaves"). What boots stays as it is. Throws when it cannot be had.
   */
  secure?(): void;
  /** Restarts the device. On a device it does not return; a simulated one ends the agent's life in a later turn. */
  restart(): void;
}

/** Incremental SHA-256. */
export interface Hash {
  update(bytes: Uint8Array): void;
  /** 32 bytes; the object is spent afterwards. */
  digest(): Uint8Array;
}

/**
 * Native cryptography. Arguments have been parsed and range-checked by the agent: signatures are well-formed
 * and 1 ≤ r, s < n.
 */
export interface Crypto {
  sha256(): Hash;
  /** `publicKey`: 65 bytes, uncompressed point; `r`, `s`: 32 bytes each, big-endian; `digest`: 32 bytes. */
  verifyEcdsaP256(publicKey: Uint8Array, digest: Uint8Array, r: Uint8Array, s: Uint8Array): boolean;
  /** RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 §8.2). `modulus` without leading zeros; `signature` as long as it. */
  verifyRsa(modulus: Uint8Array, exponent: Uint8Array, digest: Uint8Array, signature: Uint8Array): boolean;
}

/** A few bytes that survive a restart (NVS, a preference, a file). */
export interface Store {
  get(key: string): string | undefined;
  set(key: string, value: string): void;
}

/** What an `HttpClient` tells about one response; calls come in the order of the methods, `done` exactly once. */
export interface HttpHandler {
  /** Header names in lower case. Return false to stop the transfer; `done` is then called without an error. */
  headers(status: number, headers: ReadonlyMap<string, string>): boolean;
  /**
   * Where to put the next bytes of the body. At most as many bytes as fit are put there before `data` is called.
   */
  buffer(): Uint8Array;
  /** `length` bytes have been put at the start of the buffer last returned. Return false to stop the transfer. */
  data(length: number): boolean;
  /** The response is complete, or was stopped (no error), or failed. */
  done(error?: Error): void;
}

/** HTTP or HTTPS that streams, and keeps the connection between requests to the same origin. */
export interface HttpClient {
  /** Starts a GET. Redirects are not followed. Returns a function that cancels it; `done` is then not called. */
  get(url: string, headers: ReadonlyMap<string, string>, handler: HttpHandler): () => void;
  /**
   * The same for a request that carries a small body, sent with its Content-Length. A client that serves the data plane
   * alone can do without.
   */
  send?(
    method: "POST" | "PUT",
    url: string,
    headers: ReadonlyMap<string, string>,
    body: Uint8Array,
    handler: HttpHandler,
  ): () => void;
  close(): void;
}
