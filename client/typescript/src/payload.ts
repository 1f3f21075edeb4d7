// Large payloads: their lease has only the size, and they are read apart.
import { setTimeout as sleep } from "node:timers/promises";

import * as grpc from "@grpc/grpc-js";

import { MillraceError, fromServiceError } from "./errors.js";
import type { Lease__Output as Lease } from "./v1/millrace/v1/Lease.js";
import type { ReadPayloadResponse__Output as Piece } from "./v1/millrace/v1/ReadPayloadResponse.js";
import type { WorkerServiceClient } from "./v1/millrace/v1/WorkerService.js";

/** Milliseconds. */
export const readTimeout = 60_000; // A connection on which nothing comes is not waited for longer.
const pauseLeast = 200;
const pauseMost = 5000;
/** A call that was answered so is made again. */
export const away = new Set([grpc.status.UNAVAILABLE, grpc.status.CANCELLED, grpc.status.DEADLINE_EXCEEDED]);

export const isApart = (lease: Lease) => lease.payload.length === 0 && Number(lease.payloadBytes) > 0;

/**
 * Waits, also through an absence of the daemon, until the signal is aborted. `client` gives undefined while the daemon
 * has not welcomed the worker: it might take the attempt for lost before it has heard what the worker holds.
 */
export async function readPayload(
  lease: Lease, client: () => WorkerServiceClient | undefined, signal: AbortSignal,
): Promise<Buffer> {
  for (let pause = pauseLeast; ; ) {
    const connected = client();
    if (connected === undefined) {
      await sleep(20, undefined, { signal });
      continue;
    }
    try {
      return await readAll(lease, connected, signal);
    } catch (error) {
      signal.throwIfAborted();
      const ours = fromServiceError(error as grpc.ServiceError);
      if (ours.reason === "LEASE_LOST") throw ours;
      if (!away.has(ours.code) && ours.reason !== "SERVER_BUSY") throw new MillraceError(ours.code, `the payload cannot be read: ${ours.message}`);
    }
    await sleep(pause / 4 + Math.random() * pause, undefined, { signal });
    pause = Math.min(2 * pause, pauseMost);
  }
}

async function readAll(lease: Lease, client: WorkerServiceClient, signal: AbortSignal): Promise<Buffer> {
  const call = client.readPayload({ ref: lease.ref });
  const abort = () => call.cancel();
  let idle = setTimeout(abort, readTimeout);
  signal.addEventListener("abort", abort);
  try {
    const pieces: Buffer[] = [];
    for await (const piece of call as AsyncIterable<Piece>) {
      pieces.push(piece.data);
      clearTimeout(idle);
      idle = setTimeout(abort, readTimeout);
    }
    const payload = Buffer.concat(pieces);
    if (payload.length !== Number(lease.payloadBytes)) {
      throw new Error(`it has ${lease.payloadBytes} bytes, and ${payload.length} came`);
    }
    return payload;
  } finally {
    clearTimeout(idle);
    signal.removeEventListener("abort", abort);
  }
}
