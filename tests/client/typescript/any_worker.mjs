// A worker for the tests that have one of each language: tests/support/any_worker.sh says what it does.
import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { Worker } from "millrace";

const kinds = process.argv.slice(2, -1);
const worker = new Worker({ address: process.argv.at(-1), slots: 4, drainTimeout: 1000 });
let taken = 0;
let peak = 0;

// A handler that returns the most slots that were taken at once so far.
const takes = (slots) => async () => {
  taken += slots;
  peak = Math.max(peak, taken);
  await sleep(20);
  taken -= slots;
  return Buffer.from(String(peak));
};

function work(payload, attempt) {
  if (process.env.RUNS !== undefined) appendFileSync(process.env.RUNS, `${attempt.jobId} ${attempt.number}\n`);
  attempt.progress(0.5, "half");
  attempt.log("at work\n");
  try {
    attempt.saveCheckpoint(Buffer.from("half"));
  } catch (error) {
    if (error.reason !== "CHECKPOINT_UNSUPPORTED") throw error;
  }
  return Buffer.concat([Buffer.from("done "), payload]);
}

function save(payload, attempt) {
  attempt.saveCheckpoint(payload);
  return Buffer.from("saved");
}

const handlers = {
  work: [work],
  save: [save],
  wide: [takes(2), { slots: 2, beatWithin: 3_600_000 }],
  single: [takes(1), { atOnceMax: 1 }],
};
for (const kind of kinds) worker.handleRaw(kind, ...handlers[kind]);
await worker.run();
