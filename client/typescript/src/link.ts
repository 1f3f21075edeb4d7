// The thread that speaks with the daemon, so that heartbeats come however long a handler computes: it connects for ever,
// keeps what the worker holds and the ends that the daemon has not written down, and hands leases to the main thread.
import { parentPort, workerData } from "node:worker_threads";

import * as grpc from "@grpc/grpc-js";

import { MillraceError, fromServiceError } from "./errors.js";
import { isApart, readPayload, readTimeout } from "./payload.js";
import { WorkerService, fromDuration } from "./proto.js";
import { resultBytes, writeResult } from "./result.js";
import { type Daemon, checkpointError, keepsCheckpoints, knowsCosts, leasesFor, noDaemon, warnings } from "./skew.js";
import type { AttemptEnd } from "./v1/millrace/v1/AttemptEnd.js";
import type { AttemptOutput } from "./v1/millrace/v1/AttemptOutput.js";
import type { AttemptRef } from "./v1/millrace/v1/AttemptRef.js";
import type { KindOffer } from "./v1/millrace/v1/KindOffer.js";
import type { Lease__Output as Lease } from "./v1/millrace/v1/Lease.js";
import type { WorkerServiceClient } from "./v1/millrace/v1/WorkerService.js";
import type { WorkRequest } from "./v1/millrace/v1/WorkRequest.js";
import type { WorkResponse__Output as WorkResponse } from "./v1/millrace/v1/WorkResponse.js";

export interface LinkOptions {
  address: string;
  name: string;
  slots: number;
  labels: Record<string, string>;
  buildId: string;
  drainTimeout: number;
  kinds: KindOffer[];
  key: Uint8Array;
}

type Failure = NonNullable<AttemptEnd["failure"]>;

/** From the main thread. `serial` names an attempt. */
export type ToLink =
  | { type: "ended"; serial: number; result?: Uint8Array; failure?: Failure }
  | { type: "output"; serial: number; progress?: { fraction: number; message: string }; log?: Uint8Array }
  | { type: "checkpoint"; serial: number; data: Uint8Array }
  | { type: "stop" };

/** What the daemon says of this worker. */
export interface Standing {
  healthy: boolean;
  id: string;
  drained: boolean;
  daemon: Daemon; // The one that said welcome last.
}

/** To the main thread. */
export type FromLink =
  | { type: "lease"; serial: number; lease: Lease }
  | { type: "cancel"; serial: number }
  | { type: "warning"; message: string }
  | ({ type: "standing" } & Standing)
  | { type: "over"; error?: { code: number; message: string; reason: string; field: string } };

interface Held {
  serial: number; // As long as the process lives, no other has it.
  ref: AttemptRef;
  kind: string;
  slots: number;
  end: AttemptEnd | undefined;
  output: AttemptOutput | undefined;
  saved: Buffer | undefined; // The newest checkpoint, for the next stream as well.
  stop: AbortController; // Ends the calls that are made for it: of a large payload, and of a large result.
}

const requestBytes = 1 << 20;
const logBytes = 256 << 10;
const pauseLeast = 200;
const pauseMost = 30_000;

const options = workerData as LinkOptions;
const port = parentPort;
if (port === null) throw new Error("link.js is a thread of a Worker");
const tell = (message: FromLink) => port.postMessage(message);
const keyOf = (ref: { jobId?: string; token?: unknown } | null | undefined) => `${ref?.jobId ?? ""} ${ref?.token ?? 0}`;

const held = new Map<string, Held>();
const running = new Map<number, Held>(); // Those that have not returned, also when they are not held any more;
let busy = 0; // the slots that they take,
const runs = new Map<string, number>(); // and how many there are of each kind.
let serials = 0;
let toTell: Held[] = [];
let toSave = new Set<Held>(); // Their checkpoints are new.
let outbox: WorkRequest = {};
let logged = 0;
let draining = false, giveUp = false, saidGoodbye = false, everWelcome = false;
let drainUntil = Infinity;
let id = "", drained = false, daemon = noDaemon;
let lease = 0, lastContact = performance.now();

interface Session {
  client: WorkerServiceClient;
  call: grpc.ClientDuplexStream<WorkRequest, WorkResponse>;
  received: number;
  granted: number;
  beats: number;
  welcome: boolean;
  idle: boolean; // It held nothing when the daemon was heard of last. Nothing comes but with its words.
  saidDraining: boolean;
  blocked: boolean;
  interval: number;
  lastWord: number;
  lastBeat: number;
}
let session: Session | undefined;

// From one heartbeat to the next. Whoever holds nothing has no lease to keep alive: a third of them do.
const periodOf = (s: Session) => (s.idle ? 3 : 1) * s.interval;

function cancel(each: Held | undefined): void {
  if (each === undefined) return;
  each.stop.abort();
  tell({ type: "cancel", serial: each.serial });
}

function drop(key: string): void {
  cancel(held.get(key));
  held.delete(key);
}

const isHeld = (each: Held) => held.get(keyOf(each.ref)) === each;

function ended(each: Held, outcome: { result: Buffer } | { failure: Failure }): void {
  if (!running.delete(each.serial)) return;
  busy -= each.slots;
  runs.set(each.kind, (runs.get(each.kind) ?? 0) - 1);
  if (!isHeld(each)) return;
  each.end = { ref: each.ref, ...outcome };
  toTell.push(each);
}

// While it reads, the stream is heard and heartbeats are sent.
async function handOver(each: Held, lease: Lease): Promise<void> {
  if (isApart(lease)) {
    try {
      lease.payload = await readPayload(lease, () => (session?.welcome ? session.client : undefined),
        each.stop.signal);
      each.stop.signal.throwIfAborted();
    } catch (error) {
      if (error instanceof MillraceError && error.reason === "LEASE_LOST" && isHeld(each)) drop(keyOf(each.ref));
      // What did not begin before the end of a drain has not failed: the goodbye gives it back.
      if (!giveUp) ended(each, { failure: { error: String((error as Error).message) } });
      return pumpSoon();
    }
  }
  tell({ type: "lease", serial: each.serial, lease });
}

// Its end, where no message holds the result. While it is written the attempt is held, and heartbeats are sent.
async function handIn(each: Held, { buffer, byteOffset, length }: Uint8Array): Promise<void> {
  // What the handler showed goes before, as nothing is added to an attempt that has ended.
  const ready = () => {
    if (!isHeld(each)) each.stop.abort(); // The stream has acknowledged it.
    pump();
    const shown = each.output === undefined && !toSave.has(each);
    return shown && session?.welcome && !session.blocked ? session.client : undefined;
  };
  const result = Buffer.from(buffer, byteOffset, length);
  const written = await writeResult(each.ref, result, ready, readTimeout, each.stop.signal);
  if (written === "stopped" && !giveUp) { // What became of the job was decided when it was stopped.
    ended(each, { failure: { error: "stopped while its result was written" } });
  } else if (written instanceof MillraceError) {
    const doNotRetry = written.reason === "RESULT_TOO_LARGE";
    ended(each, { failure: { error: `cannot write the result: ${written.message}`, doNotRetry } });
  } else { // The daemon has it, or somebody else the attempt, or the goodbye gives it back.
    if (isHeld(each)) drop(keyOf(each.ref));
    ended(each, { result });
  }
  pumpSoon();
}

function closeOutputs(): void {
  for (const each of held.values()) each.output = undefined;
  logged = 0;
}

const goodbyeIsDue = () =>
  draining && !saidGoodbye && (held.size === 0 || (giveUp && toTell.length === 0 && toSave.size === 0));

function compose(s: Session): WorkRequest | undefined {
  let request: WorkRequest = {};
  let anything = false;
  if (s.welcome) {
    anything = Object.keys(outbox).length > 0;
    request = outbox;
    outbox = {};
    closeOutputs();
    let size = 0;
    // Before any end: what an attempt saved is kept only while it is the worker's.
    for (const each of toSave) {
      if (size >= requestBytes) break;
      toSave.delete(each);
      if (!isHeld(each) || each.saved === undefined) continue;
      (request.outputs ??= []).push({ ref: each.ref, checkpoint: each.saved });
      size += each.saved.length;
      anything = true;
    }
    while (toTell.length > 0 && size < requestBytes) {
      const each = toTell.shift() as Held;
      if (!isHeld(each)) continue;
      (request.ended ??= []).push(each.end as AttemptEnd);
      size += 128 + ((each.end?.result as Uint8Array | undefined)?.length ?? 4 * (each.end?.failure?.error?.length ?? 0));
      anything = true;
    }
    const free = options.slots - busy;
    const room = knowsCosts(daemon) ? free : leasesFor(free, options.kinds, (kind) => runs.get(kind) ?? 0);
    const granted = draining ? 0 : s.received + room;
    if (granted > s.granted) {
      s.granted = granted;
      request.credit = { slotsGrantedTotal: granted };
      anything = true;
    }
    if (draining && !s.saidDraining) anything = s.saidDraining = request.draining = true;
    if (goodbyeIsDue()) anything = saidGoodbye = request.goodbye = true;
  }
  if (performance.now() - s.lastBeat >= periodOf(s)) {
    s.lastBeat = performance.now();
    request.heartbeat = { sequence: ++s.beats };
    anything = true;
    if (s.welcome && s.beats % (s.idle ? 2 : 6) === 0) { // Once in a lease.
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

let told: Standing = { healthy: false, id, drained, daemon };
function tellStanding(): void {
  const s = session;
  const healthy = s !== undefined && s.welcome && performance.now() - s.lastWord < periodOf(s) + s.interval;
  if (healthy === told.healthy && id === told.id && drained === told.drained && daemon === told.daemon) return;
  told = { healthy, id, drained, daemon };
  tell({ type: "standing", ...told });
}

function beWelcome(s: Session, welcome: NonNullable<WorkResponse["welcome"]>): void {
  s.welcome = everWelcome = true;
  s.interval = Math.max(fromDuration(welcome.heartbeatInterval), 10);
  lease = fromDuration(welcome.lease);
  drained = false; // One that holds is said again.
  id = welcome.workerId;
  for (const ref of welcome.lost) drop(keyOf(ref));
  daemon = { version: welcome.serverVersion || "unknown", capabilities: welcome.capabilities,
    resultBytesMax: Number(welcome.resultBytesMax) };
  for (const message of warnings(daemon, options.kinds)) tell({ type: "warning", message });
  if (toSave.size > 0 && !keepsCheckpoints(daemon)) {
    const why = checkpointError(daemon).message;
    tell({ type: "warning", message: `checkpoints of ${toSave.size} jobs are lost: ${why}` });
    toSave.clear();
  }
  tellStanding(); // Before any lease: handlers ask what the daemon can do.
}

function hear(s: Session, response: WorkResponse): void {
  s.lastWord = lastContact = performance.now();
  if (response.welcome) beWelcome(s, response.welcome);
  for (const stop of response.stops) cancel(held.get(keyOf(stop.ref)));
  for (const stop of response.revoked) drop(keyOf(stop.ref));
  for (const ref of response.acked) held.delete(keyOf(ref));
  for (const refused of response.errors) if (refused.reason === "LEASE_LOST") drop(keyOf(refused.ref));
  // Those that crossed a goodbye the daemon gives to others.
  for (const each of saidGoodbye ? [] : response.leases) {
    const key = keyOf(each.ref);
    const slots = Math.max(options.kinds.find(({ kind }) => kind === each.kind)?.slots ?? 1, 1);
    s.received += knowsCosts(daemon) ? slots : 1;
    if (held.has(key)) continue; // A daemon that is not broken gives each lease once.
    const one: Held = { serial: ++serials, ref: each.ref ?? {}, kind: each.kind, slots, end: undefined,
      output: undefined, saved: undefined, stop: new AbortController() };
    running.set(one.serial, one);
    busy += slots;
    runs.set(each.kind, (runs.get(each.kind) ?? 0) + 1);
    held.set(key, one);
    (outbox.accepted ??= []).push(one.ref);
    void handOver(one, each);
  }
  // It may drop attempts later, because nobody speaks with it: it is no more patient for that.
  s.idle = s.welcome && held.size === 0;
  const why = response.drain?.why;
  if (why === "WHY_AGE") s.call.cancel(); // It goes on at once with another stream.
  if (why === "WHY_OPERATOR" || why === "WHY_RESUMED") drained = why === "WHY_OPERATOR";
  tellStanding();
  pumpSoon();
}

function runStream(client: WorkerServiceClient): Promise<{ welcome: boolean; error?: grpc.ServiceError }> {
  return new Promise((resolve) => {
    const call = client.work() as unknown as Session["call"];
    const now = performance.now();
    const s: Session = { client, call, received: 0, granted: 0, beats: 0, welcome: false, idle: false,
      saidDraining: false, blocked: false, interval: 5000, lastWord: now, lastBeat: now };
    session = s;
    outbox = {};
    closeOutputs();
    // Ends that were not acknowledged are told again, and checkpoints, which are not acknowledged.
    toTell = [...held.values()].filter((each) => each.end);
    toSave = new Set([...held.values()].filter((each) => each.saved));
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
        worker: options.name, instanceKey: Buffer.from(options.key), sdk: "node/0.1.0", buildId: options.buildId,
        slots: options.slots, labels: options.labels, kinds: options.kinds,
        protocolMin: 1, protocolMax: 1, capabilities: ["payload_ref"],
        held: [...held.values()].map(({ ref, end: last }) => (
          { ref, state: last ? "STATE_ENDED_UNACKED" as const : "STATE_RUNNING" as const })),
      },
    });
  });
}

const retried = new Set([grpc.status.OK, grpc.status.UNAVAILABLE, grpc.status.CANCELLED, grpc.status.DEADLINE_EXCEEDED,
  grpc.status.RESOURCE_EXHAUSTED]);

async function connect(): Promise<FromLink> {
  let client: WorkerServiceClient | undefined;
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
    const { welcome, error } = await runStream(client as WorkerServiceClient);
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
const watch = setInterval(() => {
  const now = performance.now();
  const s = session;
  if (s !== undefined && now - s.lastWord > periodOf(s) + 2 * s.interval) s.call.cancel();
  if (draining && !giveUp && now >= drainUntil) {
    giveUp = true;
    for (const each of held.values()) cancel(each);
  }
  if (lease > 0 && now - lastContact >= lease - Math.min(5000, lease / 2)) {
    // An end is told whenever a daemon is there; if it is late, it changes nothing.
    for (const [key, each] of held) if (!each.end) drop(key);
  }
  tellStanding();
  pump();
}, 50);

port.on("message", (message: ToLink) => {
  if (message.type === "stop") {
    if (!draining) drainUntil = performance.now() + options.drainTimeout;
    draining = true;
    return pumpSoon();
  }
  const each = running.get(message.serial);
  if (each === undefined) return;
  if (message.type === "ended") {
    const { result, failure } = message;
    if (result !== undefined && result.length > resultBytes) return void handIn(each, result);
    ended(each, failure === undefined ? { result: Buffer.from(result ?? []) } : { failure });
  } else if (!isHeld(each)) {
    return;
  } else if (message.type === "checkpoint") {
    each.saved = Buffer.from(message.data);
    toSave.add(each);
  } else {
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
