// The services and messages, read from the package's own copy of the protos.
import { fileURLToPath } from "node:url";

import * as grpc from "@grpc/grpc-js";
import * as loader from "@grpc/proto-loader";

import type { ProtoGrpcType as Jobs } from "./v1/job_service.js";
import type { ProtoGrpcType as Workers } from "./v1/worker_service.js";

const options: loader.Options = {
  longs: String,
  enums: String,
  defaults: true,
  oneofs: true,
  includeDirs: [fileURLToPath(new URL("../proto", import.meta.url))],
};

const definition = loader.loadSync(
  ["millrace/v1/job_service.proto", "millrace/v1/worker_service.proto", "google/rpc/error_details.proto"], options);
const loaded = grpc.loadPackageDefinition(definition) as unknown as Jobs & Workers;

export const JobService = loaded.millrace.v1.JobService;
export const WorkerService = loaded.millrace.v1.WorkerService;

// A message of a type by its full name, from its bytes.
export function decode(type: string, bytes: Uint8Array): Record<string, unknown> {
  const message = definition[type] as loader.MessageTypeDefinition<object, object> | undefined;
  if (message === undefined) return {};
  return message.deserialize(Buffer.from(bytes)) as Record<string, unknown>;
}

export interface Duration {
  seconds?: unknown;
  nanos?: number;
}

export function toDuration(milliseconds: number): { seconds: number; nanos: number } {
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds, nanos: Math.round((milliseconds - seconds * 1000) * 1e6) };
}

export function fromDuration(duration: Duration | null | undefined): number {
  return Number(duration?.seconds ?? 0) * 1000 + (duration?.nanos ?? 0) / 1e6;
}
