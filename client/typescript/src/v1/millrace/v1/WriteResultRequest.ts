// Original file: proto/millrace/v1/worker_service.proto

import type { AttemptRef as _millrace_v1_AttemptRef, AttemptRef__Output as _millrace_v1_AttemptRef__Output } from '../../millrace/v1/AttemptRef.js';
import type { AttemptTimings as _millrace_v1_AttemptTimings, AttemptTimings__Output as _millrace_v1_AttemptTimings__Output } from '../../millrace/v1/AttemptTimings.js';
import type { Long } from '@grpc/proto-loader';

export interface WriteResultRequest {
  'ref'?: (_millrace_v1_AttemptRef | null);
  'bytes'?: (number | string | Long);
  'timings'?: (_millrace_v1_AttemptTimings | null);
  'data'?: (Buffer | Uint8Array | string);
}

export interface WriteResultRequest__Output {
  'ref': (_millrace_v1_AttemptRef__Output | null);
  'bytes': (string);
  'timings': (_millrace_v1_AttemptTimings__Output | null);
  'data': (Buffer);
}
