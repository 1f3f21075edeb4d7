// What the daemon at the other end can do: an older one can do less, and its welcome does not name it.
import { status } from "@grpc/grpc-js";

import { MillraceError } from "./errors.js";
import type { KindOffer } from "./v1/millrace/v1/KindOffer.js";

/** As plain values, since it goes from the one thread to the other. */
export interface Daemon {
  version: string;
  capabilities: string[];
  resultBytesMax: number; // Of a result by WriteResult; an older one has 0, and no such call.
}

export const noDaemon: Daemon = { version: "unknown", capabilities: [], resultBytesMax: 0 };

export const keepsCheckpoints = (daemon: Daemon) => daemon.capabilities.includes("checkpoint");

/** Of kinds: slots, at_once_max and beat_within. The first daemons that knew them named only `checkpoint`. */
export const knowsCosts = (daemon: Daemon) => daemon.capabilities.includes("costs") || keepsCheckpoints(daemon);

export function checkpointError(daemon: Daemon): MillraceError {
  const error = new MillraceError(status.FAILED_PRECONDITION,
    `the daemon (version ${daemon.version}) keeps no checkpoints: upgrade the daemon, or save no checkpoint`);
  return Object.assign(error, { reason: "CHECKPOINT_UNSUPPORTED", metadata: { daemon_version: daemon.version } });
}

/** What a worker with such kinds should say of this daemon. */
export function warnings(daemon: Daemon, kinds: KindOffer[]): string[] {
  const words: string[] = [];
  if (knowsCosts(daemon)) return words;
  if (kinds.some(({ slots, atOnceMax }) => (slots ?? 1) > 1 || (atOnceMax ?? 0) > 0)) {
    words.push(`the daemon (version ${daemon.version}) does not know the slots and at_once_max of kinds, so this ` +
      "worker takes fewer jobs at once than it has slots for: upgrade the daemon");
  }
  if (kinds.some(({ beatWithin }) => beatWithin)) {
    words.push(`the daemon (version ${daemon.version}) does not know beat_within, so handlers that hang are not ` +
      "stopped: upgrade the daemon");
  }
  return words;
}

/**
 * How many leases a worker takes from a daemon that counts them, whatever they take: each may be the largest, and all
 * may be of one kind. `runs`: how many of a kind run.
 */
export function leasesFor(free: number, kinds: KindOffer[], runs: (kind: string) => number): number {
  const largest = Math.max(1, ...kinds.map(({ slots }) => slots ?? 1));
  const left = kinds.filter(({ atOnceMax }) => (atOnceMax ?? 0) > 0)
    .map(({ kind, atOnceMax }) => (atOnceMax ?? 0) - runs(kind ?? ""));
  return Math.min(Math.floor(free / largest), ...left);
}
