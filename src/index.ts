/**
 * The package: the agent, the porting layer for flash partitions, and the types a host needs.
 * @module
 */

export { OtaAgent } from "./agent.js";
export { decodeUtf8, encodeUtf8, toHex } from "./bytes.js";
export type {
  ControlContext,
  ControlListener,
  ControlPlane,
  ControlPlaneFactory,
  UpdateDone,
} from "./control/control-plane.js";
export {
  type JobFile,
  type JobProgress,
  type OtaJob,
  type ParsedJob,
  parseJob,
  type SignatureAlgorithm,
} from "./control/job-document.js";
export type { JobReference, JobStatus, StatusDetails, UpdateResult } from "./control/job-status.js";
export { asOtaError, OtaError, type OtaErrorCode, type OtaPhase, wordsOf } from "./errors.js";
export type {
  CustomJob,
  FailureRecorder,
  OtaAgentOptions,
  OtaEvent,
  RecorderParts,
  ReportParts,
  UpdateDecision,
  VersionReporter,
} from "./options.js";
export type {
  AppDescription,
  BootControl,
  BootImageState,
  Clock,
  Crypto,
  Flash,
  Hash,
  HttpClient,
  HttpHandler,
  Log,
  LogLevel,
  MqttConnection,
  MqttObserver,
  MqttSubscription,
  Random,
  Store,
  Timer,
} from "./ports.js";
export type { PublicKey } from "./slot/der.js";
export { FlashPal, type FlashPalOptions } from "./slot/flash-pal.js";
export type { Applied, FileSet, ImageState, OtaPal, PlatformImageState, Received } from "./slot/pal.js";
export { type TrustedKey, TrustedKeys } from "./slot/signature.js";
export { compareVersions } from "./slot/version.js";
export type { OtaState } from "./state-machine.js";
export type { BlockSink, DataPlane } from "./transfer/data-plane.js";
export type { DownloadStatistics } from "./transfer/download.js";
export { StreamPlane, type StreamPlaneOptions } from "./transfer/stream.js";
