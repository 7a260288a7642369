/**
 * The MQTT side of AWS IoT Jobs: requests of devices and their replies on `…/accepted` and `…/rejected`.
 * @module
 */

import { decodeUtf8, encodeUtf8 } from "../src/bytes.js";
import { STRINGS } from "./aws-limits.js";
import type { Delivery, Publish, ServiceRequest } from "./delivery.js";
import { ServiceError } from "./errors.js";
import {
  checkMinutes,
  checkStatusDetails,
  checkString,
  checkThingName,
  type Execution,
  type ExecutionChange,
  type ExecutionStatus,
  isTerminal,
} from "./job-records.js";
import { describeExecution, executionState, seconds, summarizeExecution } from "./job-views.js";

const TOPIC = /^\$aws\/things\/([^/]+)\/jobs\/(.+)$/;
const REPORTABLE = Object.freeze(["IN_PROGRESS", "FAILED", "SUCCEEDED", "REJECTED"]);

/** What the requests need of the service that keeps the jobs. */
export interface JobOperations {
  readonly delivery: Delivery;
  /** REJECTED is accepted also once an execution is in progress. */
  readonly rejectInProgress: boolean;
  /** Milliseconds since 1970. */
  now(): number;
  pending(thingName: string): Execution[];
  execution(thingName: string, jobId: string, executionNumber?: number): Execution;
  document(execution: Execution): unknown;
  change(execution: Execution, change: ExecutionChange): Execution;
  transact<T>(thingName: string, action: () => T): T;
}

type Body = Readonly<Record<string, unknown>>;

/** An error that tells the execution's state as well. */
class StateError extends ServiceError {
  readonly execution: Execution;

  constructor(code: "InvalidStateTransition" | "VersionMismatch", message: string, execution: Execution) {
    super(code, message);
    this.execution = execution;
  }
}

/** @returns false when `topic` is not one of a thing's Jobs requests */
export function handleJobRequest(
  service: JobOperations,
  topic: string,
  payload: Uint8Array,
  reply: Publish | undefined,
): boolean {
  const match = TOPIC.exec(topic);
  if (!match || /(^notify|^notify-next|\/accepted|\/rejected)$/.test(match[2])) return false;
  const request = parseTopic(topic, match[1], match[2], payload);
  const { thingName } = request;
  const respond = (kind: "accepted" | "rejected", body: object): void => {
    const bytes = encodeUtf8(JSON.stringify(body));
    service.delivery.send({ kind, thingName, topic: `${topic}/${kind}`, payload: bytes, qos: 1 }, reply);
  };
  const timestamp = seconds(service.now());
  let clientToken: string | undefined;
  service.transact(thingName, () => {
    try {
      if (!service.delivery.admit(request)) return;
      checkThingName(thingName);
      if (request.operation === "unknown")
        throw new ServiceError("InvalidTopic", "The topic belongs to no operation of AWS IoT Jobs.");
      const body = parseBody(payload);
      clientToken = token(body);
      respond("accepted", { clientToken, timestamp, ...perform(service, request, body) });
    } catch (error) {
      const code = error instanceof ServiceError ? error.code : "InternalError";
      const message = error instanceof Error ? error.message : String(error);
      const state = error instanceof StateError ? { executionState: executionState(error.execution) } : {};
      clientToken ??= readToken(payload);
      respond("rejected", { clientToken, timestamp, code, message, ...state });
    }
  });
  return true;
}

function parseTopic(topic: string, thingName: string, rest: string, payload: Uint8Array): ServiceRequest {
  if (rest === "get" || rest === "start-next") return { operation: rest, thingName, topic, payload };
  const match = /^([^/]+)\/(get|update)$/.exec(rest);
  if (!match) return { operation: "unknown", thingName, topic, payload };
  return {
    operation: match[2] === "get" ? "describe" : "update",
    thingName,
    jobId: match[1],
    topic,
    payload,
  };
}

/** The token of a request that was refused before it was read, if there is a good one. */
function readToken(payload: Uint8Array): string | undefined {
  try {
    return token(parseBody(payload));
  } catch {
    return undefined;
  }
}

function parseBody(payload: Uint8Array): Body {
  let body: unknown;
  try {
    body = JSON.parse(decodeUtf8(payload));
  } catch {
    throw new ServiceError("InvalidJson", "The payload is not UTF-8 encoded JSON.");
  }
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw new ServiceError("InvalidRequest", "The payload must be a JSON object.");
  return body as Body;
}

function token({ clientToken }: Body): string | undefined {
  if (clientToken === undefined || clientToken === null) return undefined;
  checkString(clientToken, STRINGS.clientToken);
  return clientToken;
}

function perform(service: JobOperations, request: ServiceRequest, body: Body): object {
  const { thingName, jobId } = request;
  switch (request.operation) {
    case "get":
      return listPending(service.pending(thingName));
    case "start-next":
      return startNext(service, thingName, body);
    case "describe":
      return describe(service, thingName, jobId!, body);
    default:
      return update(service, thingName, jobId!, body);
  }
}

function listPending(pending: readonly Execution[]): object {
  const list = (status: ExecutionStatus) =>
    pending.filter((execution) => execution.status === status).map(summarizeExecution);
  return { inProgressJobs: list("IN_PROGRESS"), queuedJobs: list("QUEUED") };
}

/** Starts the first queued execution; one that is in progress already is returned as it is. */
function startNext(service: JobOperations, thingName: string, body: Body): object {
  const statusDetails = optionalDetails(body);
  const stepTimeoutInMinutes = stepTimeout(body);
  let next = service.pending(thingName).at(0);
  if (!next) return {};
  if (next.status === "QUEUED")
    next = service.change(next, { status: "IN_PROGRESS", statusDetails, stepTimeoutInMinutes });
  return { execution: describeExecution(next, service.now(), service.document(next)) };
}

function describe(service: JobOperations, thingName: string, jobId: string, body: Body): object {
  const executionNumber = integer(body, "executionNumber");
  const withDocument = flag(body, "includeJobDocument", true);
  if (jobId === "$next") {
    const next = service.pending(thingName).at(0);
    if (!next) return {};
    return view(service, next, withDocument);
  }
  const execution = service.execution(thingName, jobId, executionNumber);
  if (isTerminal(execution.status))
    throw new ServiceError("TerminalStateReached", `The execution is ${execution.status}.`);
  return view(service, execution, withDocument);
}

function view(service: JobOperations, execution: Execution, withDocument: boolean): object {
  const document = withDocument ? service.document(execution) : undefined;
  return { execution: describeExecution(execution, service.now(), document) };
}

function update(service: JobOperations, thingName: string, jobId: string, body: Body): object {
  const { status } = body;
  if (typeof status !== "string" || !REPORTABLE.includes(status))
    throw new ServiceError("InvalidRequest", `status must be one of ${REPORTABLE.join(", ")}.`);
  const statusDetails = optionalDetails(body);
  const stepTimeoutInMinutes = stepTimeout(body);
  const expectedVersion = version(body);
  const executionNumber = integer(body, "executionNumber");
  const withState = flag(body, "includeJobExecutionState", false);
  const withDocument = flag(body, "includeJobDocument", false);
  const execution = service.execution(thingName, jobId, executionNumber);
  if (expectedVersion !== undefined && expectedVersion !== execution.versionNumber)
    throw new StateError(
      "VersionMismatch",
      `The execution has version ${execution.versionNumber}, not ${expectedVersion}.`,
      execution,
    );
  const late = status === "REJECTED" && execution.status === "IN_PROGRESS" && !service.rejectInProgress;
  if (isTerminal(execution.status) || late)
    throw new StateError(
      "InvalidStateTransition",
      `An execution that is ${execution.status} cannot become ${status}.`,
      execution,
    );
  const changed = service.change(execution, {
    status: status as ExecutionStatus,
    statusDetails,
    stepTimeoutInMinutes,
  });
  return {
    ...(withState ? { executionState: executionState(changed) } : {}),
    ...(withDocument ? { jobDocument: service.document(changed) } : {}),
  };
}

function optionalDetails({ statusDetails }: Body) {
  return statusDetails === undefined || statusDetails === null
    ? undefined
    : checkStatusDetails(statusDetails);
}

/** −1 stops the step timer. */
function stepTimeout({ stepTimeoutInMinutes }: Body): number | undefined {
  if (stepTimeoutInMinutes === undefined || stepTimeoutInMinutes === -1) return stepTimeoutInMinutes;
  checkMinutes(stepTimeoutInMinutes, "stepTimeoutInMinutes");
  return stepTimeoutInMinutes;
}

/** A number, or a string holding one. */
function version({ expectedVersion }: Body): number | undefined {
  if (expectedVersion === undefined) return undefined;
  const text = String(expectedVersion);
  const usable = typeof expectedVersion === "number" || typeof expectedVersion === "string";
  if (!usable || !/^\d{1,15}$/.test(text))
    throw new ServiceError("InvalidRequest", "expectedVersion must be a whole number.");
  return Number(text);
}

function integer(body: Body, name: string): number | undefined {
  const value = body[name];
  if (value === undefined) return undefined;
  if (!Number.isInteger(value)) throw new ServiceError("InvalidRequest", `${name} must be a whole number.`);
  return value as number;
}

function flag(body: Body, name: string, otherwise: boolean): boolean {
  const value = body[name] ?? otherwise;
  if (typeof value !== "boolean") throw new ServiceError("InvalidRequest", `${name} must be true or false.`);
  return value;
}
