// The client: submit, wait, watch, cancel; and the daemon's workers.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import * as grpc from "@grpc/grpc-js";

import { MillraceError, fromServiceError, fromStatus } from "./errors.js";
import { JobService, WorkerService, toDuration } from "./proto.js";
import { readResult } from "./result.js";
import type { Job__Output as JobMessage } from "./v1/millrace/v1/Job.js";
import type { JobEvent__Output as JobEvent } from "./v1/millrace/v1/JobEvent.js";
import type { JobServiceClient } from "./v1/millrace/v1/JobService.js";
import type { ListWorkersResponse__Output } from "./v1/millrace/v1/ListWorkersResponse.js";
import type { StreamSubmitResponse__Output } from "./v1/millrace/v1/StreamSubmitResponse.js";
import type { SubmitJobRequest } from "./v1/millrace/v1/SubmitJobRequest.js";
import type { SubmitJobResponse__Output } from "./v1/millrace/v1/SubmitJobResponse.js";
import type { Worker__Output as WorkerMessage } from "./v1/millrace/v1/Worker.js";
import type { WorkerServiceClient } from "./v1/millrace/v1/WorkerService.js";

export type { JobEvent, JobMessage, WorkerMessage };

const callTimeout = 30_000;
const pollTime = 20_000;
const callAttempts = 4;
const waitAttempts = 12; // Some 30 s of absence.
const receiveBytes = 64 << 20;

/** More of a job than its kind and payload. Times are milliseconds. */
export interface JobOptions {
  pool?: string;
  band?: "critical" | "high" | "normal" | "low";
  delay?: number;
  runAt?: Date;
  runTimeout?: number;
  deadline?: Date;
  deadlineAfter?: number;
  maxAttempts?: number;
  labels?: Record<string, string>;
  /** Labels of the workers that may run it. */
  require?: Record<string, string>;
  /** Labels of those that should, where one of them has room. */
  prefer?: Record<string, string>;
  uniqueKey?: string;
  /** Unset: one is drawn, so that a repeat of the call makes no second job. */
  requestId?: string;
  noRetryAfterStart?: boolean;
  /** A full pool is waited for instead of refusing. */
  waitForRoom?: boolean;
}

export interface JobRequest extends JobOptions {
  kind: string;
  payload?: unknown;
}

export interface WaitOptions {
  /** Milliseconds until the job must have ended; then a TimeoutError. */
  timeout?: number;
  signal?: AbortSignal;
}

/** A job that was waited for has ended without success. */
export class JobFailed extends Error {
  override name = "JobFailed";
  constructor(readonly job: JobMessage) {
    super(`job ${job.id} is ${job.state.replace("JOB_STATE_", "")}: ${job.error}`);
  }
}

export function toBytes(value: unknown): Buffer {
  if (value === undefined) return Buffer.alloc(0);
  if (value instanceof Uint8Array) return Buffer.from(value);
  return Buffer.from(JSON.stringify(value));
}

/** What JSON says; undefined for nothing, and the bytes for what is no JSON. */
export function fromBytes(bytes: Uint8Array): unknown {
  if (bytes.length === 0) return undefined;
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return Buffer.from(bytes);
  }
}

function toTimestamp(date: Date): { seconds: number; nanos: number } {
  const seconds = Math.floor(date.getTime() / 1000);
  return { seconds, nanos: (date.getTime() - seconds * 1000) * 1e6 };
}

function toRequest({ kind, payload, ...options }: JobRequest): SubmitJobRequest {
  const when = (value: number | undefined) => (value === undefined ? undefined : toDuration(value));
  return {
    spec: {
      kind,
      payload: toBytes(payload),
      pool: options.pool,
      band: options.band === undefined ? undefined : (`BAND_${options.band.toUpperCase()}` as "BAND_HIGH"),
      delay: when(options.delay),
      runAt: options.runAt && toTimestamp(options.runAt),
      runTimeout: when(options.runTimeout),
      deadline: options.deadline && toTimestamp(options.deadline),
      deadlineAfter: when(options.deadlineAfter),
      retry: options.maxAttempts === undefined ? undefined : { maxAttempts: options.maxAttempts },
      labels: options.labels,
      uniqueKey: options.uniqueKey === undefined ? undefined : { key: options.uniqueKey },
      noRetryAfterStart: options.noRetryAfterStart,
      placement: options.require || options.prefer ? { require: options.require, prefer: options.prefer } : undefined,
    },
    requestId: options.requestId ?? randomUUID(),
    onFull: options.waitForRoom ? "ON_FULL_WAIT" : "ON_FULL_UNSPECIFIED",
  };
}

function roomIn(stream: NodeJS.EventEmitter): Promise<void> {
  return new Promise((go) => {
    const events = ["drain", "close", "error"];
    const done = () => {
      for (const each of events) stream.off(each, done);
      go();
    };
    for (const each of events) stream.on(each, done);
  });
}

type Unary<Response> = (
  metadata: grpc.Metadata, options: grpc.CallOptions, done: (error: grpc.ServiceError | null, response?: Response) => void,
) => grpc.ClientUnaryCall;

/** A connection to a daemon. */
export class Client {
  readonly #jobs: JobServiceClient;
  readonly #workers: WorkerServiceClient;

  constructor(address = "127.0.0.1:7070") {
    const credentials = grpc.credentials.createInsecure();
    this.#jobs = new JobService(address, credentials,
      { "grpc.max_receive_message_length": receiveBytes, "grpc.enable_http_proxy": 0 });
    this.#workers = new WorkerService(address, credentials, { channelOverride: this.#jobs.getChannel() });
  }

  close(): void {
    this.#jobs.close();
  }

  /** One job: a Uint8Array as it is, anything else as JSON. */
  async submit(kind: string, payload?: unknown, options: JobOptions = {}): Promise<Job> {
    const request = toRequest({ ...options, kind, payload });
    const response = await this.#call<SubmitJobResponse__Output>((m, o, done) => this.#jobs.submitJob(request, m, o, done));
    return new Job(this, response.id);
  }

  /** Many jobs over one stream: for each, in order, its Job or why it was refused. MillraceError where the stream breaks. */
  async *submitMany(requests: Iterable<JobRequest> | AsyncIterable<JobRequest>): AsyncGenerator<Job | MillraceError> {
    const stream = this.#jobs.streamSubmit(this.#metadata());
    let failed: unknown;
    const feed = async () => {
      let sequence = 0;
      for await (const request of requests) {
        if (stream.destroyed) return;
        const more = stream.write({ sequence: sequence++, request: toRequest(request) });
        if (!more) await roomIn(stream);
      }
      stream.end();
    };
    feed().catch((error: unknown) => {
      failed = error;
      stream.cancel();
    });
    const answers = new Map<string, Job | MillraceError>();
    let next = 0;
    try {
      for await (const each of stream as AsyncIterable<StreamSubmitResponse__Output>) {
        answers.set(each.sequence, each.error ? fromStatus(each.error as never) : new Job(this, each.response?.id ?? ""));
        for (let answer = answers.get(`${next}`); answer !== undefined; answer = answers.get(`${next}`)) {
          answers.delete(`${next++}`);
          yield answer;
        }
      }
    } catch (error) {
      throw failed ?? fromServiceError(error as grpc.ServiceError);
    } finally {
      stream.cancel();
    }
  }

  /** Names a job by its id. */
  job(id: string): Job {
    return new Job(this, id);
  }

  /** All of the job as it is now; and while it waits, `waiting` says for what. */
  async get(id: string): Promise<JobMessage> {
    return this.#withResult(await this.#call<JobMessage>((m, o, done) => this.#jobs.getJob({ id }, m, o, done)));
  }

  /**
   * What the handler of a job that succeeded returned, of any size: get() and wait() do the same by themselves where it
   * is not in the job. MillraceError NO_RESULT: it has not succeeded, or not yet.
   */
  readResult(id: string, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<Buffer> {
    return readResult(() => this.#jobs.readResult({ id }, this.#metadata()), waitAttempts, callTimeout, signal);
  }

  /** Until the job has ended, in long polls, also through short absences of the daemon. */
  async wait(id: string, { timeout, signal }: WaitOptions = {}): Promise<JobMessage> {
    const until = timeout === undefined ? Infinity : Date.now() + timeout;
    for (;;) {
      const left = Math.max(0, Math.min(pollTime, until - Date.now()));
      const request = { id, timeout: toDuration(left) };
      const job = await this.#call<JobMessage>((m, o, done) => this.#jobs.waitJob(request, m, o, done),
        { timeout: left + callTimeout, attempts: waitAttempts, signal });
      if (terminal.has(job.state)) return this.#withResult(job, signal);
      if (Date.now() >= until) throw new DOMException(`job ${id} has not ended in ${timeout} ms`, "TimeoutError");
    }
  }

  /** The job's events, from what it is now to its end. */
  async *watch(jobId: string): AsyncGenerator<JobEvent> {
    const stream = this.#jobs.watchJobs({ jobId }, this.#metadata());
    try {
      yield* stream as AsyncIterable<JobEvent>;
    } catch (error) {
      throw fromServiceError(error as grpc.ServiceError);
    } finally {
      stream.cancel();
    }
  }

  cancel(id: string, reason = ""): Promise<JobMessage> {
    return this.#call<JobMessage>((m, o, done) => this.#jobs.cancelJob({ id, reason }, m, o, done), { attempts: 1 });
  }

  /** All that are connected, or hold attempts and may come back; the oldest first. kind: only those that offer it. */
  async listWorkers({ kind }: { kind?: string } = {}): Promise<WorkerMessage[]> {
    const workers: WorkerMessage[] = [];
    for (let pageToken = ""; ; ) {
      const page = await this.#call<ListWorkersResponse__Output>((m, o, done) =>
        this.#workers.listWorkers({ kind, pageToken }, m, o, done));
      workers.push(...page.workers);
      pageToken = page.nextPageToken;
      if (pageToken === "") return workers;
    }
  }

  /** With the attempts that it holds. worker: an id, or a name that only one has. */
  getWorker(worker: string): Promise<WorkerMessage> {
    return this.#call<WorkerMessage>((m, o, done) => this.#workers.getWorker({ worker }, m, o, done));
  }

  /** It goes on with what it has, and gets no more until it is resumed. */
  drainWorker(worker: string): Promise<WorkerMessage> {
    return this.#call<WorkerMessage>((m, o, done) => this.#workers.drainWorker({ worker }, m, o, done));
  }

  resumeWorker(worker: string): Promise<WorkerMessage> {
    return this.#call<WorkerMessage>((m, o, done) => this.#workers.resumeWorker({ worker }, m, o, done));
  }

  // A daemon that has no large results does not tell a size.
  async #withResult(job: JobMessage, signal?: AbortSignal): Promise<JobMessage> {
    if (Number(job.resultBytes) > job.result.length) job.result = await this.readResult(job.id, { signal });
    return job;
  }

  #metadata(): grpc.Metadata {
    const metadata = new grpc.Metadata();
    metadata.set("millrace-receive-bytes-max", String(receiveBytes));
    return metadata;
  }

  // What is answered UNAVAILABLE is repeated, with growing pauses.
  async #call<Response>(call: Unary<Response>,
    { attempts = callAttempts, timeout = callTimeout, signal }: { attempts?: number; timeout?: number; signal?: AbortSignal | undefined } = {},
  ): Promise<Response> {
    for (let attempt = 1; ; ++attempt) {
      signal?.throwIfAborted();
      try {
        return await new Promise<Response>((resolve, reject) => {
          const running = call(this.#metadata(), { deadline: Date.now() + timeout }, (error, response) => {
            signal?.removeEventListener("abort", abort);
            error ? reject(fromServiceError(error)) : resolve(response as Response);
          });
          const abort = () => running.cancel();
          signal?.addEventListener("abort", abort);
        });
      } catch (error) {
        signal?.throwIfAborted();
        const again = error instanceof MillraceError && error.code === grpc.status.UNAVAILABLE && attempt < attempts;
        if (!again) throw error;
      }
      await sleep(Math.random() * Math.min(200 * 2 ** attempt, 5000));
    }
  }
}

const terminal = new Set(["JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED", "JOB_STATE_EXPIRED",
  "JOB_STATE_QUARANTINED"]);

/** A job that was accepted. */
export class Job {
  constructor(readonly client: Client, readonly id: string) {}

  get(): Promise<JobMessage> {
    return this.client.get(this.id);
  }

  /** Its last state, whatever its end; without its payload. */
  wait(options?: WaitOptions): Promise<JobMessage> {
    return this.client.wait(this.id, options);
  }

  /** What its handler returned: what JSON says, else bytes. JobFailed where it has no result. */
  async result<T = unknown>(options?: WaitOptions): Promise<T> {
    const job = await this.wait(options);
    if (job.state !== "JOB_STATE_SUCCEEDED") throw new JobFailed(job);
    return fromBytes(job.result) as T;
  }

  /** The bytes that its handler returned, of any size, without the rest of the job; see Client.readResult. */
  readResult(options?: { signal?: AbortSignal }): Promise<Buffer> {
    return this.client.readResult(this.id, options);
  }

  cancel(reason?: string): Promise<JobMessage> {
    return this.client.cancel(this.id, reason);
  }

  watch(): AsyncGenerator<JobEvent> {
    return this.client.watch(this.id);
  }
}
