// Original file: proto/millrace/v1/worker_service.proto

import type { AttemptRef as _millrace_v1_AttemptRef, AttemptRef__Output as _millrace_v1_AttemptRef__Output } from '../../millrace/v1/AttemptRef.js';
import type { AttemptFailure as _millrace_v1_AttemptFailure, AttemptFailure__Output as _millrace_v1_AttemptFailure__Output } from '../../millrace/v1/AttemptFailure.js';
import type { AttemptTimings as _millrace_v1_AttemptTimings, AttemptTimings__Output as _millrace_v1_AttemptTimings__Output } from '../../millrace/v1/AttemptTimings.js';

export interface AttemptEnd {
  'ref'?: (_millrace_v1_AttemptRef | null);
  'result'?: (Buffer | Uint8Array | string);
  'failure'?: (_millrace_v1_AttemptFailure | null);
  'timings'?: (_millrace_v1_AttemptTimings | null);
  'outcome'?: "result"|"failure";
}

export interface AttemptEnd__Output {
  'ref': (_millrace_v1_AttemptRef__Output | null);
  'result'?: (Buffer);
  'failure'?: (_millrace_v1_AttemptFailure__Output | null);
  'timings': (_millrace_v1_AttemptTimings__Output | null);
  'outcome'?: "result"|"failure";
}
