// Original file: proto/millrace/v1/worker_service.proto

import type { AttemptRef as _millrace_v1_AttemptRef, AttemptRef__Output as _millrace_v1_AttemptRef__Output } from '../../millrace/v1/AttemptRef.js';

export interface ReadPayloadRequest {
  'ref'?: (_millrace_v1_AttemptRef | null);
}

export interface ReadPayloadRequest__Output {
  'ref': (_millrace_v1_AttemptRef__Output | null);
}
