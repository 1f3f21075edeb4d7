// Results that no message holds, in pieces: how a client reads them, and how a worker writes them.
import { setTimeout as sleep } from "node:timers/promises";

import * as grpc from "@grpc/grpc-js";

import { MillraceError, fromServiceError } from "./errors.js";
import { away } from "./payload.js";
import type { AttemptRef } from "./v1/millrace/v1/AttemptRef.js";
import type { ReadResultResponse__Output as Piece } from "./v1/millrace/v1/ReadResultResponse.js";
import type { WorkerServiceClient } from "./v1/millrace/v1/WorkerService.js";

/** A message has no larger one. */
export const resultBytes = 1 << 20;
const pieceBytes = 256 << 10;
const pauseLeast = 200;
const pauseMost = 5000;

/** What becomes of a result that was written. */
export type Written = "done" | "lost" | "stopped" | MillraceError;

// A call that is cancelled by the signal, and after `silence` milliseconds without a sign of life.
function guard(call: { cancel(): void }, silence: number, signal: AbortSignal | undefined) {
  let silent = false;
  const abort = () => call.cancel();
  const fall = () => {
    silent = true;
    abort();
  };
  let idle = setTimeout(fall, silence);
  signal?.addEventListener("abort", abort);
  if (signal?.aborted) abort();
  return {
    silent: () => silent,
    alive: () => {
      clearTimeout(idle);
      idle = setTimeout(fall, silence);
    },
    end: () => {
      clearTimeout(idle);
      signal?.removeEventListener("abort", abort);
    },
  };
}

/**
 * Reads all of a result: how long it takes depends on its size, but a daemon that sends nothing for `silence`
 * milliseconds is not waited for. A result does not change, so what was cut off is read from its beginning again.
 */
export async function readResult(open: () => grpc.ClientReadableStream<Piece>, attempts: number, silence: number,
  signal: AbortSignal | undefined): Promise<Buffer> {
  for (let attempt = 1; ; ++attempt) {
    signal?.throwIfAborted();
    const call = open();
    const guarded = guard(call, silence, signal);
    try {
      const pieces: Buffer[] = [];
      for await (const piece of call as AsyncIterable<Piece>) {
        pieces.push(piece.data);
        guarded.alive();
      }
      return Buffer.concat(pieces);
    } catch (error) {
      signal?.throwIfAborted();
      if (guarded.silent()) {
        throw new MillraceError(grpc.status.DEADLINE_EXCEEDED, `nothing of the result came for ${silence} ms`);
      }
      const ours = fromServiceError(error as grpc.ServiceError);
      const again = ours.code === grpc.status.UNAVAILABLE || ours.reason === "SERVER_BUSY";
      if (!again || attempt === attempts) throw ours;
    } finally {
      guarded.end();
    }
    await sleep(Math.random() * Math.min(200 * 2 ** attempt, 5000), undefined, signal && { signal }).catch(() => {});
  }
}

/**
 * Ends an attempt with a result, also through an absence of the daemon, until the signal is aborted. `client` gives
 * undefined while the daemon has not heard all that it must hear before.
 */
export async function writeResult(ref: AttemptRef, result: Buffer, client: () => WorkerServiceClient | undefined,
  silence: number, signal: AbortSignal): Promise<Written> {
  const wait = (pause: number) => sleep(pause, undefined, { signal }).catch(() => {});
  for (let pause = pauseLeast; !signal.aborted; ) {
    const connected = client();
    if (connected === undefined) {
      await wait(20);
      continue;
    }
    const error = await writeAll(ref, result, connected, silence, signal);
    if (error === undefined) return "done";
    if (error.reason === "LEASE_LOST") return "lost";
    if (!signal.aborted && !away.has(error.code) && error.reason !== "SERVER_BUSY") return error;
    await wait(pause / 4 + Math.random() * pause);
    pause = Math.min(2 * pause, pauseMost);
  }
  return "stopped";
}

async function writeAll(ref: AttemptRef, result: Buffer, client: WorkerServiceClient, silence: number,
  signal: AbortSignal): Promise<MillraceError | undefined> {
  let over = false;
  let done: (error?: MillraceError) => void;
  const answered = new Promise<MillraceError | undefined>((resolve) => { done = resolve; });
  const call = client.writeResult((error) => {
    over = true;
    done(error ? fromServiceError(error) : undefined);
  });
  const guarded = guard(call, silence, signal);
  call.write({ ref, bytes: result.length });
  for (let sent = 0; sent < result.length && !over; sent += pieceBytes) {
    const room = call.write({ data: result.subarray(sent, sent + pieceBytes) });
    if (room) continue;
    await Promise.race([new Promise((go) => call.once("drain", go)), answered]);
    guarded.alive();
  }
  call.end();
  const error = await answered;
  guarded.end();
  return error;
}
