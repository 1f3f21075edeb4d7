// How often a worker beats, with daemons that answer as the test wants.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { Worker } from "millrace";

import { scriptedDaemon } from "./scripted_daemon.mjs";

const timeout = 60_000; // Only catches a hang.

async function eventually(condition) {
  for (const until = Date.now() + timeout; !condition(); await sleep(10)) {
    assert.ok(Date.now() < until, "waited in vain");
  }
}

// A worker, and a daemon of its own, which counts its heartbeats.
async function begin(t, handler) {
  const counted = { beats: 0, daemon: undefined };
  const hear = ({ heartbeat }) => {
    if (heartbeat) ++counted.beats;
    return false;
  };
  counted.daemon = await scriptedDaemon(t, { heartbeat: 200, hear });
  const worker = new Worker({ address: counted.daemon.address });
  worker.handle("wait", handler);
  const run = worker.run({ handleSignals: false });
  counted.daemon.users.push(async () => {
    worker.stop();
    await run;
  });
  return counted;
}

test("fewer heartbeats do while a worker holds nothing", async (t) => {
  let began = false, letGo;
  const wait = new Promise((go) => { letGo = go; });
  const handler = async () => {
    began = true;
    await wait;
  };
  const idle = await begin(t, handler), busy = await begin(t, handler);
  busy.daemon.users.unshift(letGo);

  // The heartbeats of both from now on. However slow the machine is, it is so for both of them.
  const compare = async (asExpected) => {
    const before = [idle.beats, busy.beats];
    await eventually(() => asExpected(idle.beats - before[0], busy.beats - before[1]));
  };
  await compare((ofIdle, ofBusy) => Math.min(ofIdle, ofBusy) > 1);
  await eventually(() => { // Once more where the stream was just cut.
    busy.daemon.say({ leases: [{ kind: "wait", ref: { jobId: "job 1", token: 1 } }] });
    return began;
  });
  await compare((ofIdle, ofBusy) => ofIdle >= 4 && 2 * ofBusy >= 3 * ofIdle);
  letGo();
  await eventually(() => busy.daemon.ended["job 1"]);
  await compare((ofIdle, ofBusy) => ofIdle >= 6 && 3 * ofBusy <= 4 * ofIdle);
});
