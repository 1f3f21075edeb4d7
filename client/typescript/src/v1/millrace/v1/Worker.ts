// Original file: proto/millrace/v1/worker_service.proto

import type { KindOffer as _millrace_v1_KindOffer, KindOffer__Output as _millrace_v1_KindOffer__Output } from '../../millrace/v1/KindOffer.js';
import type { Timestamp as _google_protobuf_Timestamp, Timestamp__Output as _google_protobuf_Timestamp__Output } from '../../google/protobuf/Timestamp.js';
import type { WorkerAttempt as _millrace_v1_WorkerAttempt, WorkerAttempt__Output as _millrace_v1_WorkerAttempt__Output } from '../../millrace/v1/WorkerAttempt.js';
import type { Long } from '@grpc/proto-loader';

// Original file: proto/millrace/v1/worker_service.proto

export const _millrace_v1_Worker_State = {
  STATE_UNSPECIFIED: 'STATE_UNSPECIFIED',
  STATE_CONNECTED: 'STATE_CONNECTED',
  STATE_DRAINING: 'STATE_DRAINING',
  STATE_AWAY: 'STATE_AWAY',
  STATE_SILENT: 'STATE_SILENT',
} as const;

export type _millrace_v1_Worker_State =
  | 'STATE_UNSPECIFIED'
  | 0
  | 'STATE_CONNECTED'
  | 1
  | 'STATE_DRAINING'
  | 2
  | 'STATE_AWAY'
  | 3
  | 'STATE_SILENT'
  | 4

export type _millrace_v1_Worker_State__Output = typeof _millrace_v1_Worker_State[keyof typeof _millrace_v1_Worker_State]

export interface Worker {
  'id'?: (string);
  'name'?: (string);
  'state'?: (_millrace_v1_Worker_State);
  'sdk'?: (string);
  'buildId'?: (string);
  'labels'?: ({[key: string]: string});
  'kinds'?: (_millrace_v1_KindOffer)[];
  'slots'?: (number);
  'slotsUsed'?: (number);
  'connectTime'?: (_google_protobuf_Timestamp | null);
  'heardTime'?: (_google_protobuf_Timestamp | null);
  'attemptsGiven'?: (number | string | Long);
  'attempts'?: (_millrace_v1_WorkerAttempt)[];
}

export interface Worker__Output {
  'id': (string);
  'name': (string);
  'state': (_millrace_v1_Worker_State__Output);
  'sdk': (string);
  'buildId': (string);
  'labels': ({[key: string]: string});
  'kinds': (_millrace_v1_KindOffer__Output)[];
  'slots': (number);
  'slotsUsed': (number);
  'connectTime': (_google_protobuf_Timestamp__Output | null);
  'heardTime': (_google_protobuf_Timestamp__Output | null);
  'attemptsGiven': (string);
  'attempts': (_millrace_v1_WorkerAttempt__Output)[];
}
