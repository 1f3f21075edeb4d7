// Original file: proto/millrace/v1/worker_service.proto

import type { Duration as _google_protobuf_Duration, Duration__Output as _google_protobuf_Duration__Output } from '../../google/protobuf/Duration.js';

// Original file: proto/millrace/v1/worker_service.proto

export const _millrace_v1_WorkerDrain_Why = {
  WHY_UNSPECIFIED: 'WHY_UNSPECIFIED',
  WHY_SHUTDOWN: 'WHY_SHUTDOWN',
  WHY_AGE: 'WHY_AGE',
  WHY_OPERATOR: 'WHY_OPERATOR',
  WHY_RESUMED: 'WHY_RESUMED',
} as const;

export type _millrace_v1_WorkerDrain_Why =
  | 'WHY_UNSPECIFIED'
  | 0
  | 'WHY_SHUTDOWN'
  | 1
  | 'WHY_AGE'
  | 2
  | 'WHY_OPERATOR'
  | 3
  | 'WHY_RESUMED'
  | 4

export type _millrace_v1_WorkerDrain_Why__Output = typeof _millrace_v1_WorkerDrain_Why[keyof typeof _millrace_v1_WorkerDrain_Why]

export interface WorkerDrain {
  'why'?: (_millrace_v1_WorkerDrain_Why);
  'reconnectAfter'?: (_google_protobuf_Duration | null);
}

export interface WorkerDrain__Output {
  'why': (_millrace_v1_WorkerDrain_Why__Output);
  'reconnectAfter': (_google_protobuf_Duration__Output | null);
}
