// Results that no message holds: how the library writes and reads them.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { Client, JobFailed, Worker } from "millrace";

import { refusal, scriptedDaemon } from "./scripted_daemon.mjs";

const address = process.env.MILLRACE_ADDRESS;
const timeout = 60_000; // Only catches a hang.
const client = new Client(address);
const large = randomBytes(3 << 20);
let kinds = 0; // Tests share the daemon, and nothing else.
const newKind = () => `node-result-${process.pid}-${++kinds}`;

async function eventually(condition) {
  for (const until = Date.now() + timeout; !condition(); await sleep(10)) {
    assert.ok(Date.now() < until, "waited in vain");
  }
}

// Runs the worker until the test ends, or until the function that it gives is called.
function start(t, worker) {
  const run = worker.run({ handleSignals: false });
  const end = async () => {
    worker.stop();
    await run;
  };
  t.after(end);
  return end;
}

// ---- With the real daemon, which takes results of 8 MiB

test("a large result goes from the handler to whoever waits", async (t) => {
  const kind = newKind();
  const worker = new Worker({ address });
  worker.handleRaw(kind, (_, attempt) => {
    attempt.progress(0.9, "nearly");
    attempt.log("rendered\n");
    attempt.saveCheckpoint(Buffer.from("almost"));
    return large;
  });
  start(t, worker);
  const job = await client.submit(kind);
  const seen = await job.wait({ timeout });
  assert.ok(large.equals(seen.result), seen.error);
  assert.deepEqual([seen.logTail.toString(), seen.progress.message], ["rendered\n", "nearly"]);
  assert.ok(large.equals((await job.get()).result));
  assert.ok(large.equals(await job.readResult()));
});

test("a large result may be JSON", async (t) => {
  const kind = newKind();
  const worker = new Worker({ address });
  worker.handle(kind, () => "x".repeat(2 << 20));
  start(t, worker);
  assert.ok(await (await client.submit(kind)).result({ timeout }) === "x".repeat(2 << 20));
});

test("a result that the daemon does not take is a failure that names the setting", async (t) => {
  const kind = newKind();
  const worker = new Worker({ address });
  worker.handleRaw(kind, () => new Uint8Array((8 << 20) + 1));
  start(t, worker);
  const job = await client.submit(kind);
  await assert.rejects(job.result({ timeout }), (error) => {
    assert.ok(error instanceof JobFailed);
    assert.equal(error.job.attempts, 1);
    assert.match(error.job.error, /the result has 8388609 bytes, and 8388608 are the limit \(result_bytes_max/);
    return true;
  });
  await assert.rejects(job.readResult(), { reason: "NO_RESULT" });
});

test("a small result may be read alone", async () => {
  for (const payload of ["small", ""]) {
    const job = await client.submit("echo", Buffer.from(payload));
    await job.wait({ timeout });
    assert.equal((await job.readResult()).toString(), payload);
  }
});

// ---- With one that answers as the test wants

// A worker of the daemon, whose "render" returns 3 MiB, and "small" little.
function render(t, daemon, options = {}) {
  const worker = new Worker({ address: daemon.address, ...options });
  worker.handleRaw("render", () => large);
  worker.handleRaw("small", () => Buffer.from("small"));
  const end = start(t, worker);
  daemon.users.push(end);
  return end;
}

async function failureOfFirst(daemon, words, doNotRetry) {
  await eventually(() => daemon.ended["job 1"]);
  const { failure } = daemon.ended["job 1"];
  assert.match(failure.error, words);
  assert.equal(failure.doNotRetry, doNotRetry);
}

test("a result is written again until the daemon has it", async (t) => {
  let calls = 0, first, data;
  const daemon = await scriptedDaemon(t, {
    kinds: ["render"],
    async writeResult(call) {
      switch (++calls) {
        case 1: throw refusal("UNAVAILABLE", "not now");
        case 2: throw refusal("RESOURCE_EXHAUSTED", "too many", "SERVER_BUSY");
        case 3:
          await once(call, "data");
          throw refusal("CANCELLED", "cut in the middle");
      }
      const pieces = [];
      for await (const piece of call) {
        first ??= piece;
        pieces.push(piece.data);
      }
      data = Buffer.concat(pieces);
    },
  });
  const end = render(t, daemon);
  await eventually(() => data);
  assert.ok(large.equals(data));
  assert.deepEqual([first.ref.jobId, first.bytes], ["job 1", `${large.length}`]);
  await end(); // The worker holds nothing any more, or this would wait for it.
  assert.deepEqual(daemon.ended, {}, "its end is told by the call alone");
});

test("the result of an attempt that is somebody else's is dropped", async (t) => {
  const daemon = await scriptedDaemon(t, {
    kinds: ["render", "small"],
    async writeResult() { throw refusal("FAILED_PRECONDITION", "others run it", "LEASE_LOST"); },
  });
  const end = render(t, daemon, { slots: 2 });
  await eventually(() => daemon.ended["job 2"]);
  await end();
  assert.deepEqual(Object.keys(daemon.ended), ["job 2"]);
});

for (const [reason, doNotRetry] of [["RESULT_TOO_LARGE", true], ["BAD_RESULT", false]]) {
  test(`a result that is refused for good (${reason}) fails its attempt`, async (t) => {
    const daemon = await scriptedDaemon(t, {
      kinds: ["render"],
      async writeResult() { throw refusal("INVALID_ARGUMENT", "not that one", reason); },
    });
    render(t, daemon);
    await failureOfFirst(daemon, /^cannot write the result: not that one$/, doNotRetry);
  });
}

test("an older daemon takes 1 MiB", async (t) => {
  const daemon = await scriptedDaemon(t, { kinds: ["render"], resultBytesMax: 0 });
  render(t, daemon);
  await failureOfFirst(daemon, /the result has 3145728 bytes, and 1048576 are the limit/, true);
});

test("a result that cannot be written before the end of the worker is given back", async (t) => {
  let calls = 0;
  const daemon = await scriptedDaemon(t, {
    kinds: ["render"],
    async writeResult() {
      ++calls;
      throw refusal("UNAVAILABLE", "not now");
    },
  });
  const end = render(t, daemon, { drainTimeout: 1 });
  await eventually(() => calls > 0);
  await end();
  await eventually(() => daemon.goodbye);
  assert.deepEqual(daemon.ended, {});
});

test("who stops an attempt stops the writing of its result", async (t) => {
  const daemon = await scriptedDaemon(t, {
    kinds: ["render"],
    async writeResult(call) {
      daemon.say({ stops: [{ ref: { jobId: "job 1", token: 1 } }] });
      await once(call, "cancelled");
    },
  });
  render(t, daemon);
  await failureOfFirst(daemon, /^stopped while its result was written$/, false);
});

test("an attempt is held while its result is written", async (t) => {
  let calls = 0, named, cut = false, written = false;
  const beat = new Promise((go) => { named = go; });
  const daemon = await scriptedDaemon(t, {
    kinds: ["render"],
    heartbeat: 100,
    hear({ heartbeat }) {
      const held = heartbeat?.held?.refs.some(({ jobId }) => jobId === "job 1");
      if (!held || calls === 0 || cut) return false;
      named();
      return cut = true;
    },
    async writeResult(call) {
      if (++calls === 1) {
        await beat;
        await eventually(() => daemon.hellos.length > 1); // Its worker comes back for it meanwhile.
        throw refusal("UNAVAILABLE", "not now");
      }
      for await (const _ of call);
      written = true;
    },
  });
  const end = render(t, daemon);
  await eventually(() => written);
  await end();
  assert.deepEqual(daemon.hellos[1].held.map(({ ref, state }) => [ref.jobId, state]), [["job 1", "STATE_RUNNING"]]);
});

test("a client reads a result again from its beginning", async (t) => {
  let calls = 0, reading;
  const begun = new Promise((go) => { reading = go; });
  const daemon = await scriptedDaemon(t, {
    async readResult(call) {
      switch (++calls) {
        case 1: throw refusal("UNAVAILABLE", "not now");
        case 2: throw refusal("RESOURCE_EXHAUSTED", "too many", "SERVER_BUSY");
        case 3:
          call.write({ data: Buffer.from("cut") });
          throw refusal("UNAVAILABLE", "cut in the middle");
        case 4:
          for (const each of ["0", "1", "2"]) call.write({ data: Buffer.from(each) });
          return;
        case 5:
          reading();
          return void await once(call, "cancelled");
      }
    },
  });
  const scripted = new Client(daemon.address);
  t.after(() => scripted.close());
  assert.equal((await scripted.readResult("x")).toString(), "012");
  const abort = new AbortController();
  const reads = scripted.readResult("x", { signal: abort.signal });
  await begun;
  abort.abort();
  await assert.rejects(reads, { name: "AbortError" });
});

test.after(() => client.close());
