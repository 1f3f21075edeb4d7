// The worker: runs jobs in this process.
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { Worker as Thread } from "node:worker_threads";

import { fromBytes, toBytes } from "./client.js";
import { DoNotRetry, MillraceError, RetryAfter } from "./errors.js";
import type { FromLink, LinkOptions, ToLink } from "./link.js";
import { toDuration } from "./proto.js";
import type { Lease__Output as Lease } from "./v1/millrace/v1/Lease.js";

const resultBytes = 1 << 20;
const textBytes = 4096;
const logBytes = 256 << 10;

/** One attempt, for its handler. */
export interface Attempt {
  readonly jobId: string;
  readonly number: number;
  readonly labels: Record<string, string>;
  /** traceparent, tracestate and baggage of the job, if it has any. */
  readonly trace: Lease["trace"];
  readonly payload: Buffer;
  /** Aborted when the job is cancelled, takes too long, or is somebody else's by now. What comes after decides nothing. */
  readonly signal: AbortSignal;
  progress(fraction: number, message?: string): void;
  /** Appends to the job's log. */
  log(text: string): void;
}

/** Gets the JSON of the payload, and gives what becomes the JSON of the result. A Uint8Array is the result as it is. */
export type Handler<Args = never, Result = unknown> = (args: Args, attempt: Attempt) => Promise<Result> | Result;
export type RawHandler = (payload: Buffer, attempt: Attempt) => Promise<Uint8Array> | Uint8Array;

export interface WorkerOptions {
  address?: string;
  /** Attempts at once. */
  slots?: number;
  /** For people. Unset: HOST/PID. */
  name?: string;
  /** Milliseconds that running handlers may take after a stop. */
  drainTimeout?: number;
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
 * Takes jobs from a daemon and runs them, `slots` at a time. What speaks with the daemon has a thread of its own, so
 * heartbeats come however long a handler computes. run() connects for ever. What runs meanwhile goes on, and its end is
 * told until the daemon has written it down.
 */
export class Worker {
  readonly #options: Required<WorkerOptions>;
  readonly #handlers = new Map<string, RawHandler>();
  readonly #running = new Map<string, AbortController>();
  #thread: Thread | undefined;
  #stopped = false;
  #ran = false;
  #healthy = false;

  constructor(options: WorkerOptions = {}) {
    this.#options = { address: "127.0.0.1:7070", slots: 1, name: `${hostname()}/${process.pid}`, drainTimeout: 30_000,
      ...options };
  }

  /** Says what runs the jobs of a kind; before run(). */
  handle<Args, Result>(kind: string, handler: Handler<Args, Result>): this {
    return this.handleRaw(kind, async (payload, attempt) => {
      const args = fromBytes(payload);
      if (args instanceof Uint8Array) throw new DoNotRetry("the payload is no JSON");
      return toBytes(await handler(args as Args, attempt));
    });
  }

  /** The same with bytes. */
  handleRaw(kind: string, handler: RawHandler): this {
    this.#handlers.set(kind, handler);
    return this;
  }

  /** The daemon has welcomed this worker, and was heard of within two heartbeats. */
  get healthy(): boolean {
    return this.#healthy;
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
    const { address, slots, name, drainTimeout } = this.#options;
    const workerData: LinkOptions = { address, slots, name, drainTimeout, kinds: [...this.#handlers.keys()],
      key: randomBytes(16) };
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
            void this.#run(message.key, message.lease);
          } else if (message.type === "cancel") {
            this.#running.get(message.key)?.abort();
          } else if (message.type === "health") {
            this.#healthy = message.healthy;
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
      this.#healthy = false;
      for (const each of this.#running.values()) each.abort();
      for (const each of signals) process.off(each, stop);
      signal?.removeEventListener("abort", stop);
      await thread.terminate();
    }
  }

  #say(message: ToLink): void {
    this.#thread?.postMessage(message);
  }

  async #run(key: string, lease: Lease): Promise<void> {
    const abort = new AbortController();
    this.#running.set(key, abort);
    const payload = Buffer.from(lease.payload); // What comes from the thread is a plain Uint8Array.
    const attempt: Attempt = {
      jobId: lease.ref?.jobId ?? "",
      number: lease.ref?.attempt ?? 0,
      labels: lease.labels,
      trace: lease.trace,
      payload,
      signal: abort.signal,
      progress: (fraction, message = "") =>
        this.#say({ type: "output", key, progress: { fraction, message: text(message) } }),
      log: (line) => this.#say({ type: "output", key, log: Buffer.from(line).subarray(-logBytes) }),
    };
    try {
      const handler = this.#handlers.get(lease.kind);
      if (handler === undefined) throw new Error(`there is no handler for ${lease.kind}`);
      const result = await handler(payload, attempt);
      if (!(result instanceof Uint8Array)) throw new DoNotRetry("the handler returned no Uint8Array");
      if (result.length > resultBytes) {
        throw new DoNotRetry(`the result has ${result.length} bytes, and 1 MiB is the limit; store it elsewhere and ` +
          "return a reference");
      }
      this.#say({ type: "ended", key, result });
    } catch (error) {
      const failure = {
        error: text(wordsOf(error)),
        doNotRetry: error instanceof DoNotRetry,
        ...(error instanceof RetryAfter ? { retryAfter: toDuration(Math.max(error.milliseconds, 0)) } : {}),
      };
      this.#say({ type: "ended", key, failure });
    } finally {
      this.#running.delete(key);
    }
  }
}
