// The thread that speaks with the daemon, so that heartbeats come however long a handler computes: it connects for ever,
// keeps what the worker holds and the ends that the daemon has not written down, and hands leases to the main thread.
import { parentPort, workerData } from "node:worker_threads";

import * as grpc from "@grpc/grpc-js";

import { fromServiceError } from "./errors.js";
import { WorkerService, fromDuration } from "./proto.js";
import type { AttemptEnd } from "./v1/millrace/v1/AttemptEnd.js";
import type { AttemptOutput } from "./v1/millrace/v1/AttemptOutput.js";
import type { AttemptRef } from "./v1/millrace/v1/AttemptRef.js";
import type { Lease__Output as Lease } from "./v1/millrace/v1/Lease.js";
import type { WorkRequest } from "./v1/millrace/v1/WorkRequest.js";
import type { WorkResponse__Output as WorkResponse } from "./v1/millrace/v1/WorkResponse.js";

export interface LinkOptions {
  address: string;
  name: string;
  slots: number;
  drainTimeout: number;
  kinds: string[];
  key: Uint8Array;
}

/** From the main thread. `key` names an attempt. */
export type ToLink =
  | { type: "ended"; key: string; result?: Uint8Array; failure?: NonNullable<AttemptEnd["failure"]> }
  | { type: "output"; key: string; progress?: { fraction: number; message: string }; log?: Uint8Array }
  | { type: "stop" };

/** To the main thread. */
export type FromLink =
  | { type: "lease"; key: string; lease: Lease }
  | { type: "cancel"; key: string }
  | { type: "health"; healthy: boolean }
  | { type: "over"; error?: { code: number; message: string; reason: string; field: string } };

interface Held {
  ref: AttemptRef;
  end: AttemptEnd | undefined;
  output: AttemptOutput | undefined;
}

const requestBytes = 1 << 20;
const logBytes = 256 << 10;
const pauseLeast = 200;
const pauseMost = 30_000;

const options = workerData as LinkOptions;
const port = parentPort;
if (port === null) throw new Error("link.js is a thread of a Worker");
const tell = (message: FromLink) => port.postMessage(message);
const keyOf = (ref: { jobId?: string; token?: unknown } | null | undefined) => `${ref?.jobId} ${ref?.token}`;

const held = new Map<string, Held>();
const busy = new Set<string>(); // With the main thread, also when they are not held any more.
let toTell: Held[] = [];
let outbox: WorkRequest = {};
let logged = 0;
let draining = false, giveUp = false, saidGoodbye = false, everWelcome = false;
let drainUntil = Infinity;
let lease = 0, lastContact = performance.now();

interface Session {
  call: grpc.ClientDuplexStream<WorkRequest, WorkResponse>;
  received: number;
  granted: number;
  beats: number;
  welcome: boolean;
  saidDraining: boolean;
  blocked: boolean;
  interval: number;
  lastWord: number;
  lastBeat: number;
}
let session: Session | undefined;

function drop(key: string): void {
  if (!held.delete(key)) return;
  tell({ type: "cancel", key });
}

function closeOutputs(): void {
  for (const each of held.values()) each.output = undefined;
  logged = 0;
}

const goodbyeIsDue = () => draining && !saidGoodbye && (held.size === 0 || (giveUp && toTell.length === 0));

function compose(s: Session): WorkRequest | undefined {
  let request: WorkRequest = {};
  let anything = false;
  if (s.welcome) {
    anything = Object.keys(outbox).length > 0;
    request = outbox;
    outbox = {};
    closeOutputs();
    for (let size = 0; toTell.length > 0 && size < requestBytes; ) {
      const each = toTell.shift() as Held;
      if (held.get(keyOf(each.ref)) !== each) continue;
      (request.ended ??= []).push(each.end as AttemptEnd);
      size += 128 + ((each.end?.result as Uint8Array | undefined)?.length ?? 4 * (each.end?.failure?.error?.length ?? 0));
      anything = true;
    }
    const granted = draining ? 0 : s.received + options.slots - busy.size;
    if (granted > s.granted) {
      s.granted = granted;
      request.credit = { slotsGrantedTotal: granted };
      anything = true;
    }
    if (draining && !s.saidDraining) anything = s.saidDraining = request.draining = true;
    if (goodbyeIsDue()) anything = saidGoodbye = request.goodbye = true;
  }
  if (performance.now() - s.lastBeat >= s.interval) {
    s.lastBeat = performance.now();
    request.heartbeat = { sequence: ++s.beats };
    anything = true;
    if (s.welcome && s.beats % 6 === 0) {
      // Ends that are on their way are known; those that are not told yet are held still.
      const untold = new Set(toTell);
      const named = [...held.values()].filter((each) => !each.end || untold.has(each));
      request.heartbeat.held = { refs: named.map((each) => each.ref) };
    }
  }
  return anything ? request : undefined;
}

function pump(): void {
  const s = session;
  if (s === undefined || s.blocked) return;
  for (let request = compose(s); request !== undefined; request = compose(s)) {
    s.blocked = !s.call.write(request);
    if (request.goodbye) return void s.call.end();
    if (s.blocked) return;
  }
}

// What happens within one turn of the loop is one message.
let pumpIsDue = false;
function pumpSoon(): void {
  if (pumpIsDue) return;
  pumpIsDue = true;
  setImmediate(() => {
    pumpIsDue = false;
    pump();
  });
}

function hear(s: Session, response: WorkResponse): void {
  s.lastWord = lastContact = performance.now();
  if (response.welcome) {
    s.welcome = everWelcome = true;
    s.interval = Math.max(fromDuration(response.welcome.heartbeatInterval), 10);
    lease = fromDuration(response.welcome.lease);
    for (const ref of response.welcome.lost) drop(keyOf(ref));
  }
  for (const stop of response.stops) tell({ type: "cancel", key: keyOf(stop.ref) });
  for (const stop of response.revoked) drop(keyOf(stop.ref));
  for (const ref of response.acked) held.delete(keyOf(ref));
  for (const refused of response.errors) drop(keyOf(refused.ref));
  // Those that crossed a goodbye the daemon gives to others.
  for (const each of saidGoodbye ? [] : response.leases) {
    const key = keyOf(each.ref);
    ++s.received;
    busy.add(key);
    held.set(key, { ref: each.ref as AttemptRef, end: undefined, output: undefined });
    (outbox.accepted ??= []).push(each.ref as AttemptRef);
    tell({ type: "lease", key, lease: each });
  }
  if (response.drain?.why === "WHY_AGE") s.call.cancel(); // It goes on at once with another stream.
  pumpSoon();
}

function runStream(client: InstanceType<typeof WorkerService>): Promise<{ welcome: boolean; error?: grpc.ServiceError }> {
  return new Promise((resolve) => {
    const call = client.work() as unknown as Session["call"];
    const now = performance.now();
    const s: Session = { call, received: 0, granted: 0, beats: 0, welcome: false, saidDraining: false, blocked: false,
      interval: 5000, lastWord: now, lastBeat: now };
    session = s;
    outbox = {};
    closeOutputs();
    toTell = [...held.values()].filter((each) => each.end); // Ends that were not acknowledged are told again.
    let over = false;
    const end = (error?: grpc.ServiceError) => {
      if (over) return;
      over = true;
      session = undefined;
      resolve(error === undefined ? { welcome: s.welcome } : { welcome: s.welcome, error });
    };
    call.on("data", (response: WorkResponse) => hear(s, response));
    call.on("drain", () => {
      s.blocked = false;
      pump();
    });
    call.on("error", (error: grpc.ServiceError) => end(error));
    call.on("end", () => end());
    call.write({
      hello: {
        worker: options.name, instanceKey: Buffer.from(options.key), sdk: "node/0.1.0", slots: options.slots,
        kinds: options.kinds.map((kind) => ({ kind })),
        held: [...held.values()].map(({ ref, end: told }) => (
          { ref, state: told ? "STATE_ENDED_UNACKED" as const : "STATE_RUNNING" as const })),
      },
    });
  });
}

const retried = new Set([grpc.status.OK, grpc.status.UNAVAILABLE, grpc.status.CANCELLED, grpc.status.DEADLINE_EXCEEDED,
  grpc.status.RESOURCE_EXHAUSTED]);

async function connect(): Promise<FromLink> {
  let client: InstanceType<typeof WorkerService> | undefined;
  let pause = pauseLeast;
  for (let failures = 0; ; ++failures) {
    if (failures % 3 === 0) { // A connection that does not recover is not asked for ever.
      client?.close();
      // It is tried again as soon as the worker tries: its leases wait.
      client = new WorkerService(options.address, grpc.credentials.createInsecure(), {
        "grpc.initial_reconnect_backoff_ms": 100, "grpc.max_reconnect_backoff_ms": 1000,
        "grpc.use_local_subchannel_pool": 1, "grpc.enable_http_proxy": 0,
      });
    }
    const { welcome, error } = await runStream(client as InstanceType<typeof WorkerService>);
    const done = () => saidGoodbye || (draining && (held.size === 0 || giveUp));
    if (done()) break;
    if (error !== undefined && !everWelcome && !retried.has(error.code)) {
      const { code, message, reason, field } = fromServiceError(error);
      client?.close();
      return { type: "over", error: { code, message, reason, field } };
    }
    if (welcome) {
      pause = pauseLeast;
      failures = 0;
    }
    for (const until = performance.now() + pause / 4 + Math.random() * pause; performance.now() < until && !done(); ) {
      await new Promise((go) => setTimeout(go, 20));
    }
    if (done()) break;
    pause = Math.min(2 * pause, pauseMost);
  }
  client?.close();
  return { type: "over" };
}

// Sees to what takes too long: a connection on which nothing comes, handlers after a stop, and attempts that others run
// by now, since no daemon was heard of for so long.
let wasHealthy = false;
const watch = setInterval(() => {
  const now = performance.now();
  const s = session;
  if (s !== undefined && now - s.lastWord > 3 * s.interval) s.call.cancel();
  if (draining && !giveUp && now >= drainUntil) {
    giveUp = true;
    for (const key of held.keys()) tell({ type: "cancel", key });
  }
  if (lease > 0 && now - lastContact >= lease - Math.min(5000, lease / 2)) {
    // An end is told whenever a daemon is there; if it is late, it changes nothing.
    for (const [key, each] of held) if (!each.end) drop(key);
  }
  const healthy = s !== undefined && s.welcome && now - s.lastWord < 2 * s.interval;
  if (healthy !== wasHealthy) tell({ type: "health", healthy: (wasHealthy = healthy) });
  pump();
}, 50);

port.on("message", (message: ToLink) => {
  if (message.type === "stop") {
    if (!draining) drainUntil = performance.now() + options.drainTimeout;
    draining = true;
    return pumpSoon();
  }
  const each = held.get(message.key);
  if (message.type === "ended") {
    busy.delete(message.key);
    if (each !== undefined) {
      each.end = message.failure === undefined ? { ref: each.ref, result: Buffer.from(message.result ?? []) }
        : { ref: each.ref, failure: message.failure };
      toTell.push(each);
    }
  } else if (each !== undefined && !each.end) {
    if (each.output === undefined) {
      each.output = { ref: each.ref };
      (outbox.outputs ??= []).push(each.output);
    }
    if (message.progress) each.output.progress = message.progress;
    // What the connection does not take is left out, as of a log the newest counts.
    if (message.log && logged < logBytes) {
      logged += message.log.length;
      each.output.log = Buffer.concat([(each.output.log as Buffer | undefined) ?? Buffer.alloc(0), message.log]);
    }
  }
  pumpSoon();
});

const over = await connect();
clearInterval(watch);
tell(over);
port.close();
