/**
 * The error classes of the development service. The codes of its answers are those AWS IoT uses on the `rejected` topics
 * (Jobs: ErrorResponse; file streams: error codes of MQTT-based file delivery) and in its control API.
 * @module
 */

export type ServiceErrorCode =
  // Jobs and streams
  | "InvalidTopic"
  | "InvalidJson"
  | "InvalidRequest"
  | "ResourceNotFound"
  | "VersionMismatch"
  | "InternalError"
  // Jobs alone
  | "InvalidStateTransition"
  | "RequestThrottled"
  | "TerminalStateReached"
  // Streams alone
  | "InvalidCbor"
  | "Unauthorized"
  | "BlockSizeOutOfBounds"
  | "OffsetOutOfBounds"
  | "BlockCountLimitExceeded"
  | "BlockBitmapLimitExceeded"
  | "ETagMismatch"
  // Control API alone
  | "ResourceAlreadyExists"
  | "LimitExceeded"
  // This service alone
  | "StorageFull"
  | "UnknownThing";

export class ServiceError extends Error {
  override readonly name = "ServiceError";
  readonly code: ServiceErrorCode;

  /** @param message the reason for a person, in English */
  constructor(code: ServiceErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The broker that is asked for cannot be used; `code` as its cause has it. */
export class BrokerError extends Error {
  override name = "BrokerError";
  readonly url: string;
  readonly code: string | undefined;

  constructor(url: string, cause: Error) {
    super(`broker ${url}: ${cause.message}`, { cause });
    this.url = url;
    this.code = (cause as NodeJS.ErrnoException).code;
  }
}
