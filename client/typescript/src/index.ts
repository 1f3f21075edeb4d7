/**
 * Millrace from Node: submit jobs to a daemon, and run them.
 *
 *     const client = new Client("127.0.0.1:7070");
 *     const job = await client.submit("resize", { path: "cat.png", width: 200 });
 *     console.log(await job.result());
 */
export { Client, Job, JobFailed } from "./client.js";
export type { JobEvent, JobMessage, JobOptions, JobRequest, WaitOptions, WorkerMessage } from "./client.js";
export { DoNotRetry, MillraceError, RetryAfter } from "./errors.js";
export { Worker } from "./worker.js";
export type { Attempt, Handler, KindOptions, RawHandler, WorkerOptions } from "./worker.js";
