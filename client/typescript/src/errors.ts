// What the daemon says when it refuses a call.
import * as grpc from "@grpc/grpc-js";

import { type Duration, decode, fromDuration } from "./proto.js";

/** A call was refused, or nobody answered (reason "UNREACHABLE"). */
export class MillraceError extends Error {
  override name = "MillraceError";
  /** gRPC's code, for what to do. */
  code: grpc.status;
  /** "QUEUE_FULL": it never changes. */
  reason = "";
  /** The numbers of the message. */
  metadata: Record<string, string> = {};
  /** At fault: "spec.pool". */
  field = "";
  /** Milliseconds after which a repeat may help. */
  retryAfter: number | undefined;

  constructor(code: grpc.status, message: string) {
    super(message);
    this.code = code;
  }
}

interface AnyMessage {
  typeUrl?: string;
  type_url?: string;
  value?: Uint8Array;
}

function addDetails(error: MillraceError, details: AnyMessage[]): MillraceError {
  for (const detail of details) {
    const type = (detail.typeUrl ?? detail.type_url ?? "").replace(/^.*\//, "");
    const value = decode(type, detail.value ?? new Uint8Array());
    if (type === "google.rpc.ErrorInfo") {
      error.reason = value["reason"] as string;
      error.metadata = value["metadata"] as Record<string, string>;
    } else if (type === "google.rpc.BadRequest") {
      error.field = (value["fieldViolations"] as { field: string }[])[0]?.field ?? "";
    } else if (type === "google.rpc.RetryInfo") {
      error.retryAfter = fromDuration(value["retryDelay"] as Duration);
    }
  }
  return error;
}

// The reader of the few fields of google.rpc.Status and google.protobuf.Any that the trailer has.
function readStatus(bytes: Uint8Array): AnyMessage[] {
  const details: AnyMessage[] = [];
  for (const [field, value] of fields(bytes)) {
    if (field !== 3) continue;
    const any: AnyMessage = {};
    for (const [inner, content] of fields(value)) {
      if (inner === 1) any.typeUrl = Buffer.from(content).toString();
      if (inner === 2) any.value = content;
    }
    details.push(any);
  }
  return details;
}

function* fields(bytes: Uint8Array): Generator<[number, Uint8Array]> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; at < bytes.length; scale *= 128) {
      const byte = bytes[at++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
    }
    return value;
  };
  while (at < bytes.length) {
    const tag = varint();
    if ((tag & 7) === 0) {
      varint();
    } else if ((tag & 7) === 2) {
      const length = varint();
      yield [tag >>> 3, bytes.subarray(at, at + length)];
      at += length;
    } else {
      return;
    }
  }
}

const unknownCall = "the daemon does not know this call, so it is older than this library: upgrade the daemon";

export function fromServiceError(error: grpc.ServiceError): MillraceError {
  const unknown = error.code === grpc.status.UNIMPLEMENTED;
  const ours = new MillraceError(error.code, error.details || (unknown ? unknownCall : error.message));
  if (unknown) ours.reason = "UNIMPLEMENTED";
  for (const value of error.metadata?.get("grpc-status-details-bin") ?? []) {
    try {
      addDetails(ours, readStatus(value as Buffer));
    } catch {
      // Bytes that are no details: it is an error all the same.
    }
  }
  if (ours.reason === "" && ours.code === grpc.status.UNAVAILABLE) ours.reason = "UNREACHABLE";
  return ours;
}

/** An error inside an answer of a stream. */
export function fromStatus(status: { code?: number; message?: string; details?: unknown[] }): MillraceError {
  return addDetails(new MillraceError((status.code ?? 2) as grpc.status, status.message ?? ""),
    (status.details ?? []) as AnyMessage[]);
}

/** Thrown by a handler: the job has failed for good. */
export class DoNotRetry extends Error {
  override name = "DoNotRetry";
}

/** Thrown by a handler: the attempt has failed, and the next one begins after so many milliseconds. */
export class RetryAfter extends Error {
  override name = "RetryAfter";
  constructor(readonly milliseconds: number, message = "try again later") {
    super(message);
  }
}
