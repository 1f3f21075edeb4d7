// Original file: proto/millrace/v1/worker_service.proto

import type { AttemptRef as _millrace_v1_AttemptRef, AttemptRef__Output as _millrace_v1_AttemptRef__Output } from '../../millrace/v1/AttemptRef.js';

export interface HeldList {
  'refs'?: (_millrace_v1_AttemptRef)[];
}

export interface HeldList__Output {
  'refs': (_millrace_v1_AttemptRef__Output)[];
}
