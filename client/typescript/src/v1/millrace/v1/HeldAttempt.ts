// Original file: proto/millrace/v1/worker_service.proto

import type { AttemptRef as _millrace_v1_AttemptRef, AttemptRef__Output as _millrace_v1_AttemptRef__Output } from '../../millrace/v1/AttemptRef.js';

// Original file: proto/millrace/v1/worker_service.proto

export const _millrace_v1_HeldAttempt_State = {
  STATE_UNSPECIFIED: 'STATE_UNSPECIFIED',
  STATE_RUNNING: 'STATE_RUNNING',
  STATE_ENDED_UNACKED: 'STATE_ENDED_UNACKED',
} as const;

export type _millrace_v1_HeldAttempt_State =
  | 'STATE_UNSPECIFIED'
  | 0
  | 'STATE_RUNNING'
  | 1
  | 'STATE_ENDED_UNACKED'
  | 2

export type _millrace_v1_HeldAttempt_State__Output = typeof _millrace_v1_HeldAttempt_State[keyof typeof _millrace_v1_HeldAttempt_State]

export interface HeldAttempt {
  'ref'?: (_millrace_v1_AttemptRef | null);
  'state'?: (_millrace_v1_HeldAttempt_State);
}

export interface HeldAttempt__Output {
  'ref': (_millrace_v1_AttemptRef__Output | null);
  'state': (_millrace_v1_HeldAttempt_State__Output);
}
