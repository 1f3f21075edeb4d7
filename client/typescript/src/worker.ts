// The worker: runs jobs in this process.
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { Worker as Thread } from "node:worker_threads";

import { fromBytes, toBytes } from "./client.js";
import { DoNotRetry, MillraceError, RetryAfter } from "./errors.js";
import type { FromLink, LinkOptions, Standing, ToLink } from "./link.js";
import { toDuration } from "./proto.js";
import { resultBytes } from "./result.js";
import { checkpointError, keepsCheckpoints, noDaemon } from "./skew.js";
import type { Lease__Output as Lease } from "./v1/millrace/v1/Lease.js";

const textBytes = 4096;
const logBytes = 256 << 10;
const checkpointBytes = 64 << 10;

/** One attempt, for its handler. */
export interface Attempt {
  readonly jobId: string;
  readonly number: number;
  readonly labels: Record<string, string>;
  /** traceparent, tracestate and baggage of the job, if it has any. */
  readonly trace: Lease["trace"];
  readonly payload: Buffer;
  /** What an earlier attempt of the job saved; empty where none did. */
  readonly checkpoint: Buffer;
  /** Aborted when the job is cancelled, takes too long, or is somebody else's by now. What comes after decides nothing. */
  readonly signal: AbortSignal;
  progress(fraction: number, message?: string): void;
  /** Appends to the job's log. */
  log(text: string): void;
  /**
   * The job's next attempt has it as its `checkpoint`, whatever becomes of this one. The newest counts, and an empty
   * one takes it away. RangeError: it has more than 64 KiB. MillraceError CHECKPOINT_UNSUPPORTED: the daemon is older
   * than checkpoints, and would lose it.
   */
  saveCheckpoint(data: Uint8Array): void;
}

/** Gets the JSON of the payload, and gives what becomes the JSON of the result. A Uint8Array is the result as it is. */
export type Handler<Args = never, Result = unknown> = (args: Args, attempt: Attempt) => Promise<Result> | Result;
export type RawHandler = (payload: Buffer, attempt: Attempt) => Promise<Uint8Array> | Uint8Array;

export interface WorkerOptions {
  address?: string;
  /** For attempts at once, each of which takes one unless its kind's take more. */
  slots?: number;
  /** For people, and the label `worker`. Unset: HOST/PID. */
  name?: string;
  /** What jobs may require or prefer. */
  labels?: Record<string, string>;
  /** Of this program: the label `build`. */
  buildId?: string;
  /** Milliseconds that running handlers may take after a stop. */
  drainTimeout?: number;
}

export interface KindOptions {
  /** What an attempt of the kind takes of the worker's slots. */
  slots?: number;
  /** The worker is given so many attempts of the kind at once. Unset: as many as there are slots for. */
  atOnceMax?: number;
  /** An attempt that shows nothing (progress, log, checkpoint) for so many milliseconds is stopped, as one that takes
   * longer than its run timeout. */
  beatWithin?: number;
}

// As a proto takes it: without halves of surrogate pairs, and not too long.
const text = (value: string) => Buffer.from(value).subarray(0, textBytes).toString();

// Whatever was thrown.
function wordsOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error) || "the attempt failed without a word";
  } catch {
    return "something was thrown that has no words";
  }
}

/**
 * Takes jobs from a daemon and runs them, in `slots` at a time. What speaks with the daemon has a thread of its own, so
 * heartbeats come however long a handler computes. run() connects for ever. What runs meanwhile goes on, and its end is
 * told until the daemon has written it down.
 */
export class Worker {
  readonly #options: Required<WorkerOptions>;
  readonly #handlers = new Map<string, { run: RawHandler } & KindOptions>();
  readonly #running = new Map<number, AbortController>();
  #thread: Thread | undefined;
  #stopped = false;
  #ran = false;
  #standing: Standing = { healthy: false, id: "", drained: false, daemon: noDaemon };

  constructor(options: WorkerOptions = {}) {
    this.#options = { address: "127.0.0.1:7070", slots: 1, name: `${hostname()}/${process.pid}`, labels: {},
      buildId: "", drainTimeout: 30_000, ...options };
  }

  /** Says what runs the jobs of a kind; before run(). */
  handle<Args, Result>(kind: string, handler: Handler<Args, Result>, options?: KindOptions): this {
    const raw: RawHandler = async (payload, attempt) => {
      const args = fromBytes(payload);
      if (args instanceof Uint8Array) throw new DoNotRetry("the payload is no JSON");
      return toBytes(await handler(args as Args, attempt));
    };
    return this.handleRaw(kind, raw, options);
  }

  /** The same with bytes. */
  handleRaw(kind: string, handler: RawHandler, options: KindOptions = {}): this {
    this.#handlers.set(kind, { run: handler, ...options });
    return this;
  }

  /** The daemon has welcomed this worker, and was heard of within an interval of the last heartbeat. */
  get healthy(): boolean {
    return this.#standing.healthy;
  }

  /** How operators call this worker, once the daemon has welcomed it. */
  get id(): string {
    return this.#standing.id;
  }

  /** An operator has drained it: it goes on with what it has, and gets no more until it is resumed. */
  get drained(): boolean {
    return this.#standing.drained;
  }

  /** run() ends once running handlers have ended, or drainTimeout is over; the rest is given back. */
  stop(): void {
    this.#stopped = true;
    this.#say({ type: "stop" });
  }

  /**
   * Once. Until stop() is called, the signal is aborted, or SIGTERM or SIGINT comes (unless handleSignals is false).
   * MillraceError: what the daemon holds against this worker, before it was ever welcome.
   */
  async run({ signal, handleSignals = true }: { signal?: AbortSignal; handleSignals?: boolean } = {}): Promise<void> {
    if (this.#ran) throw new Error("a Worker runs once; make another one");
    this.#ran = true;
    const kinds = [...this.#handlers].map(([kind, { slots, atOnceMax, beatWithin }]) => ({ kind, slots, atOnceMax,
      beatWithin: beatWithin === undefined ? undefined : toDuration(beatWithin) }));
    const workerData: LinkOptions = { ...this.#options, kinds, key: randomBytes(16) };
    const stop = () => this.stop();
    const signals = handleSignals ? (["SIGTERM", "SIGINT"] as const) : [];
    for (const each of signals) process.on(each, stop);
    signal?.addEventListener("abort", stop);
    const thread = new Thread(new URL("./link.js", import.meta.url), { workerData });
    this.#thread = thread;
    if (this.#stopped || signal?.aborted) this.stop();
    try {
      await new Promise<void>((resolve, reject) => {
        thread.on("error", reject);
        thread.on("message", (message: FromLink) => {
          if (message.type === "lease") {
            void this.#run(message.serial, message.lease);
          } else if (message.type === "cancel") {
            this.#running.get(message.serial)?.abort();
          } else if (message.type === "warning") {
            process.emitWarning(message.message, "MillraceWarning");
          } else if (message.type === "standing") {
            this.#standing = message;
          } else if (message.error === undefined) {
            resolve();
          } else {
            const { code, message: words, reason, field } = message.error;
            reject(Object.assign(new MillraceError(code, words), { reason, field }));
          }
        });
      });
    } finally {
      this.#thread = undefined;
      this.#standing = { ...this.#standing, healthy: false };
      for (const each of this.#running.values()) each.abort();
      for (const each of signals) process.off(each, stop);
      signal?.removeEventListener("abort", stop);
      await thread.terminate();
    }
  }

  #say(message: ToLink): void {
    this.#thread?.postMessage(message);
  }

  async #run(serial: number, lease: Lease): Promise<void> {
    const abort = new AbortController();
    this.#running.set(serial, abort);
    // What comes from the thread are plain Uint8Arrays.
    const payload = Buffer.from(lease.payload), checkpoint = Buffer.from(lease.checkpoint);
    const attempt: Attempt = {
      jobId: lease.ref?.jobId ?? "",
      number: lease.ref?.attempt ?? 0,
      labels: lease.labels,
      trace: lease.trace,
      payload,
      checkpoint,
      signal: abort.signal,
      progress: (fraction, message = "") =>
        this.#say({ type: "output", serial, progress: { fraction, message: text(message) } }),
      log: (line) => this.#say({ type: "output", serial, log: Buffer.from(line).subarray(-logBytes) }),
      saveCheckpoint: (data) => {
        if (!(data instanceof Uint8Array)) throw new TypeError("a checkpoint is a Uint8Array");
        if (data.length > checkpointBytes) {
          throw new RangeError(`the checkpoint has ${data.length} bytes, and 64 KiB is the limit; store it elsewhere ` +
            "and save a reference");
        }
        if (!keepsCheckpoints(this.#standing.daemon)) throw checkpointError(this.#standing.daemon);
        this.#say({ type: "checkpoint", serial, data: new Uint8Array(data) }); // A copy, and not all that it is a view of.
      },
    };
    try {
      const handler = this.#handlers.get(lease.kind);
      if (handler === undefined) throw new Error(`there is no handler for ${lease.kind}`);
      const result = await handler.run(payload, attempt);
      if (!(result instanceof Uint8Array)) throw new DoNotRetry("the handler returned no Uint8Array");
      const most = Math.max(this.#standing.daemon.resultBytesMax, resultBytes);
      if (result.length > most) {
        throw new DoNotRetry(`the result has ${result.length} bytes, and ${most} are the limit (result_bytes_max of ` +
          "the daemon's configuration); store it elsewhere and return a reference");
      }
      this.#say({ type: "ended", serial, result });
    } catch (error) {
      const failure = {
        error: text(wordsOf(error)),
        doNotRetry: error instanceof DoNotRetry,
        ...(error instanceof RetryAfter ? { retryAfter: toDuration(Math.max(error.milliseconds, 0)) } : {}),
      };
      this.#say({ type: "ended", serial, failure });
    } finally {
      this.#running.delete(serial);
    }
  }
}
