/**
 * The error class of the development service. The codes are those AWS IoT uses on the `rejected` topics
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
