// Original file: proto/millrace/v1/job.proto

import type { Long } from '@grpc/proto-loader';

// Original file: proto/millrace/v1/job.proto

export const _millrace_v1_Waiting_Reason = {
  REASON_UNSPECIFIED: 'REASON_UNSPECIFIED',
  REASON_TIME: 'REASON_TIME',
  REASON_RETRY: 'REASON_RETRY',
  REASON_LIMIT: 'REASON_LIMIT',
  REASON_SHUTDOWN: 'REASON_SHUTDOWN',
  REASON_POOL: 'REASON_POOL',
  REASON_DISK: 'REASON_DISK',
  REASON_NO_WORKER: 'REASON_NO_WORKER',
  REASON_NO_LABELS: 'REASON_NO_LABELS',
  REASON_NO_SLOT: 'REASON_NO_SLOT',
  REASON_QUEUE: 'REASON_QUEUE',
} as const;

export type _millrace_v1_Waiting_Reason =
  | 'REASON_UNSPECIFIED'
  | 0
  | 'REASON_TIME'
  | 1
  | 'REASON_RETRY'
  | 2
  | 'REASON_LIMIT'
  | 3
  | 'REASON_SHUTDOWN'
  | 4
  | 'REASON_POOL'
  | 5
  | 'REASON_DISK'
  | 6
  | 'REASON_NO_WORKER'
  | 7
  | 'REASON_NO_LABELS'
  | 8
  | 'REASON_NO_SLOT'
  | 9
  | 'REASON_QUEUE'
  | 10

export type _millrace_v1_Waiting_Reason__Output = typeof _millrace_v1_Waiting_Reason[keyof typeof _millrace_v1_Waiting_Reason]

export interface Waiting {
  'reason'?: (_millrace_v1_Waiting_Reason);
  'message'?: (string);
  'jobsAhead'?: (number | string | Long);
}

export interface Waiting__Output {
  'reason': (_millrace_v1_Waiting_Reason__Output);
  'message': (string);
  'jobsAhead': (string);
}
