// The Node client against a real daemon, which tests/e2e/typescript_test.sh has started at MILLRACE_ADDRESS.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { Client, DoNotRetry, JobFailed, MillraceError, RetryAfter, Worker } from "millrace";

const address = process.env.MILLRACE_ADDRESS;
const timeout = 60_000; // Only catches a hang.
const client = new Client(address);
let kinds = 0; // Tests share the daemon, and nothing else.
const newKind = () => `node-${process.pid}-${++kinds}`;

async function eventually(condition) {
  for (const until = Date.now() + timeout; !(await condition()); await sleep(10)) {
    assert.ok(Date.now() < until, "waited in vain");
  }
}

// Runs the worker until the test ends.
function start(t, worker) {
  const run = worker.run({ handleSignals: false });
  const end = async () => {
    worker.stop();
    await run;
  };
  t.after(end);
  return end;
}

const submitted = (kind, payload, options) => client.submit(kind, payload, options);
const failure = async (job) => {
  try {
    await job.result({ timeout });
  } catch (error) {
    assert.ok(error instanceof JobFailed, String(error));
    return error.job;
  }
  assert.fail("it did not fail");
};

test("a result comes back as what it is", async () => {
  assert.deepEqual(await (await submitted("echo", { a: [1, 2] })).result({ timeout }), { a: [1, 2] });
  assert.deepEqual(await (await submitted("echo", new Uint8Array([255, 0]))).result({ timeout }), Buffer.from([255, 0]));
  assert.equal(await (await submitted("echo")).result({ timeout }), undefined);
});

test("errors have reason, field and numbers", async () => {
  await assert.rejects(submitted("echo", 1, { pool: "nope" }), (error) => {
    assert.ok(error instanceof MillraceError);
    assert.equal(error.reason, "POOL_NOT_FOUND");
    assert.equal(error.field, "spec.pool");
    assert.equal(error.metadata.pool, "nope");
    return true;
  });
  const nobody = new Client("127.0.0.1:1");
  await assert.rejects(nobody.submit("echo"), { reason: "UNREACHABLE" });
  nobody.close();
});

test("many jobs over one stream come in order, with what is refused", async () => {
  function* requests() {
    for (let i = 0; i < 1000; ++i) yield { kind: "echo", payload: i, waitForRoom: true, ...(i === 500 ? { pool: "nope" } : {}) };
  }
  const answers = [];
  for await (const each of client.submitMany(requests())) answers.push(each);
  assert.equal(answers.length, 1000);
  assert.ok(answers[500] instanceof MillraceError);
  assert.equal(answers[500].reason, "POOL_NOT_FOUND");
  assert.equal(await answers[999].result({ timeout }), 999);
});

test("a wait ends by its timeout or its signal, and a watch with its job", async () => {
  const job = await submitted("sleep", new TextEncoder().encode("1h"));
  await assert.rejects(job.wait({ timeout: 1 }), { name: "TimeoutError" });
  const abort = new AbortController();
  const waits = job.wait({ signal: abort.signal });
  abort.abort();
  await assert.rejects(waits, { name: "AbortError" });
  await job.cancel("not needed");
  let state;
  for await (const event of job.watch()) state = event.state;
  assert.equal(state, "JOB_STATE_CANCELLED");
});

test("a handler gets the JSON of the payload, and shows progress and log", async (t) => {
  const kind = newKind();
  const worker = new Worker({ address, slots: 2 });
  worker.handle(kind, ({ width, height }, attempt) => {
    attempt.progress(0.5, "half \ud800");
    attempt.log("a line\n");
    return { area: width * height, tenant: attempt.labels.tenant };
  });
  start(t, worker);
  const job = await submitted(kind, { width: 3, height: 4 }, { labels: { tenant: "acme" } });
  assert.deepEqual(await job.result({ timeout }), { area: 12, tenant: "acme" });
  const seen = await job.get();
  assert.match(seen.progress.message, /^half/);
  assert.equal(seen.logTail.toString(), "a line\n");
});

test("what a handler throws says whether it is tried again", async (t) => {
  const kind = newKind();
  const worker = new Worker({ address });
  worker.handle(kind, (what, attempt) => {
    if (what === "never") throw new DoNotRetry("no use");
    if (what === "large") return "x".repeat(9 << 20); // More than the daemon takes.
    if (attempt.number === 1) throw new RetryAfter(-1, "once more");
    return "done";
  });
  start(t, worker);
  for (const what of ["never", "large"]) assert.equal((await failure(await submitted(kind, what))).attempts, 1);
  assert.match((await failure(await submitted(kind, new Uint8Array([255])))).error, /no JSON/);
  assert.equal(await (await submitted(kind, "soon")).result({ timeout }), "done");
});

test("whatever a handler throws or returns, its attempt ends and others go on", async (t) => {
  const kind = newKind();
  const worker = new Worker({ address });
  worker.handleRaw(kind, (payload) => {
    const what = payload.toString();
    if (what === "nothing") throw Object.create(null);
    if (what === "number") return 5;
    if (what === "odd") throw Object.assign(new Error(), { message: 7n });
    return payload;
  });
  start(t, worker);
  for (const what of ["nothing", "number", "odd"]) {
    await failure(await submitted(kind, Buffer.from(what), { maxAttempts: 1 }));
  }
  assert.deepEqual(await (await submitted(kind, Buffer.from("good"))).result({ timeout }), Buffer.from("good"));
  await assert.rejects(worker.run(), /runs once/);
});

test("a cancel aborts the signal", async (t) => {
  const kind = newKind();
  const worker = new Worker({ address });
  let aborted;
  const began = new Promise((go) => {
    worker.handle(kind, async (_, { signal }) => {
      go();
      await new Promise((stop) => signal.addEventListener("abort", stop));
      aborted = true;
    });
  });
  start(t, worker);
  const job = await submitted(kind);
  await began;
  await job.cancel();
  assert.equal((await job.wait({ timeout })).state, "JOB_STATE_CANCELLED");
  assert.ok(aborted);
});

test("heartbeats come however long a handler computes", async (t) => {
  const kind = newKind();
  const worker = new Worker({ address });
  let runs = 0;
  worker.handle(kind, () => {
    ++runs;
    // Two leases of the test's daemon, and nothing else of this thread runs meanwhile.
    for (const until = performance.now() + 6500; performance.now() < until; );
    return "done";
  });
  start(t, worker);
  assert.equal(await (await submitted(kind)).result({ timeout }), "done");
  assert.equal(runs, 1);
});

test("thousands one after the other, and no more at once than slots", async (t) => {
  const kind = newKind();
  const worker = new Worker({ address, slots: 4 });
  let now = 0, most = 0;
  worker.handle(kind, async (i) => {
    most = Math.max(most, ++now);
    await new Promise(setImmediate);
    --now;
    return i;
  });
  start(t, worker);
  const jobs = [];
  const requests = Array.from({ length: 2000 }, (_, i) => ({ kind, payload: i, waitForRoom: true }));
  for await (const each of client.submitMany(requests)) jobs.push(each);
  for (let i = 0; i < jobs.length; ++i) assert.equal(await jobs[i].result({ timeout }), i);
  assert.ok(most <= 4, `${most} at once`);
});

test("a stop gives back what takes too long, and health tells the truth", async (t) => {
  const kind = newKind();
  const hasty = new Worker({ address, drainTimeout: 1 });
  const began = new Promise((go) => {
    hasty.handle(kind, async (_, { signal }) => {
      go();
      await new Promise((stop) => signal.addEventListener("abort", stop));
      throw new RetryAfter(0);
    });
  });
  assert.equal(hasty.healthy, false);
  const end = start(t, hasty);
  const job = await submitted(kind);
  await began;
  await eventually(() => hasty.healthy);
  await end();
  assert.equal(hasty.healthy, false);
  const worker = new Worker({ address });
  worker.handle(kind, () => "done");
  start(t, worker);
  assert.equal(await job.result({ timeout }), "done");
});

test("a worker that makes no sense is told so", async () => {
  const worker = new Worker({ address, name: "two words" });
  worker.handle(newKind(), () => 1);
  await assert.rejects(worker.run({ handleSignals: false }), { reason: "BAD_WORKER", field: "hello.worker" });
});

test("what an attempt saves, the next one finds", async (t) => {
  const kind = newKind();
  const worker = new Worker({ address });
  worker.handleRaw(kind, (payload, attempt) => {
    if (attempt.checkpoint.length > 0) return attempt.checkpoint;
    assert.throws(() => attempt.saveCheckpoint(new Uint8Array((64 << 10) + 1)), RangeError);
    assert.throws(() => attempt.saveCheckpoint("text"), TypeError);
    attempt.saveCheckpoint(Buffer.from("some"));
    attempt.saveCheckpoint(payload);
    payload.fill(0); // What was saved is a copy.
    throw new RetryAfter(0, "go on from there");
  });
  start(t, worker);
  const largest = randomBytes(64 << 10);
  // Whether random bytes are JSON is no question here.
  assert.ok(largest.equals((await (await submitted(kind, largest, { maxAttempts: 5 })).wait({ timeout })).result));
});

test("an empty checkpoint takes away what was saved", async (t) => {
  const kind = newKind();
  const worker = new Worker({ address });
  let runs = 0;
  worker.handle(kind, (_, attempt) => {
    const found = attempt.checkpoint.toString();
    if (++runs === 3) return `found ${found}`;
    attempt.saveCheckpoint(Buffer.from(found === "" ? "some" : ""));
    throw new RetryAfter(0, "once more");
  });
  start(t, worker);
  assert.equal(await (await submitted(kind)).result({ timeout }), "found ");
});

test("a large payload comes whole", async (t) => {
  const kind = newKind();
  const worker = new Worker({ address, slots: 4 });
  worker.handleRaw(kind, (payload) => payload);
  start(t, worker);
  const payloads = Array.from({ length: 6 }, () => randomBytes(200 << 10));
  const jobs = [];
  for (const each of payloads) jobs.push(await submitted(kind, each));
  for (const [i, job] of jobs.entries()) assert.ok(payloads[i].equals((await job.wait({ timeout })).result));
});

test("a job runs where the labels are that it requires, and better where it prefers", async (t) => {
  const kind = newKind();
  const zones = ["east", "west"];
  for (const zone of zones) {
    const worker = new Worker({ address, slots: 2, labels: { zone } });
    worker.handle(kind, () => zone);
    start(t, worker);
  }
  for (const zone of zones) { // Once each has run some, both are there and have room.
    for (let i = 0; i < 5; ++i) {
      assert.equal(await (await submitted(kind, i, { require: { zone } })).result({ timeout }), zone);
    }
  }
  for (const zone of zones) {
    assert.equal(await (await submitted(kind, 1, { prefer: { zone } })).result({ timeout }), zone);
  }
  await (await submitted(kind, 1, { prefer: { zone: "north" } })).result({ timeout });
});

for (const [what, options] of [["take the slots that their kind costs", { slots: 4 }],
  ["keep to their kind's own limit", { atOnceMax: 2 }]]) {
  test(`attempts ${what}`, async (t) => {
    const kind = newKind();
    const worker = new Worker({ address, slots: 8 });
    let now = 0, most = 0;
    worker.handle(kind, async () => {
      most = Math.max(most, ++now);
      await eventually(() => most >= 2); // Each waits until two have run at once.
      --now;
    }, options);
    start(t, worker);
    const jobs = [];
    for (let i = 0; i < 6; ++i) jobs.push(await submitted(kind, i));
    for (const job of jobs) await job.result({ timeout });
    assert.equal(most, 2);
  });
}

test("a drained worker is shown so, and goes on only with what it has", async (t) => {
  const kind = newKind();
  const worker = new Worker({ address, slots: 2, name: kind, labels: { zone: "east" }, buildId: "7" });
  let letGo;
  const hold = new Promise((go) => { letGo = go; });
  const began = new Promise((go) => {
    worker.handle(kind, async () => {
      go();
      await hold;
      return "done";
    });
  });
  start(t, worker);
  t.after(letGo);
  const first = await submitted(kind);
  await began;
  const [listed, ...more] = await client.listWorkers({ kind });
  assert.deepEqual([listed.id, listed.name, listed.slots, more.length], [worker.id, kind, 2, 0]);
  assert.deepEqual({ ...listed.labels }, { zone: "east", worker: kind, build: "7" });
  assert.deepEqual((await client.getWorker(worker.id)).attempts.map((each) => each.jobId), [first.id]);
  assert.equal((await client.drainWorker(kind)).state, "STATE_DRAINING");
  await eventually(() => worker.drained);
  const second = await submitted(kind);
  letGo();
  assert.equal(await first.result({ timeout }), "done");
  assert.equal((await second.get()).state, "JOB_STATE_QUEUED");
  await client.resumeWorker(kind);
  assert.equal(await second.result({ timeout }), "done");
  await eventually(() => !worker.drained);
  await assert.rejects(client.getWorker("nobody"), { reason: "UNKNOWN_WORKER" });
});

test("a job that waits says for what", async (t) => {
  const kind = newKind();
  const needs = { require: { gpu: "a100" } };
  const job = await submitted(kind, 1, needs);
  const { waiting } = await job.get();
  assert.equal(waiting.reason, "REASON_NO_WORKER");
  assert.notEqual(waiting.message, "");
  const plain = new Worker({ address });
  plain.handle(kind, () => "plain");
  start(t, plain);
  await eventually(async () => (await job.get()).waiting.reason === "REASON_NO_LABELS");
  const behind = await submitted(kind, 2, needs);
  assert.ok(Number((await behind.get()).waiting.jobsAhead) >= 1);
  const strong = new Worker({ address, labels: { gpu: "a100" } });
  strong.handle(kind, () => "strong");
  start(t, strong);
  for (const each of [job, behind]) assert.equal(await each.result({ timeout }), "strong");
  assert.equal((await job.get()).waiting, null);
});

test.after(() => client.close());
