// Original file: proto/millrace/v1/worker_service.proto

import type { AttemptRef as _millrace_v1_AttemptRef, AttemptRef__Output as _millrace_v1_AttemptRef__Output } from '../../millrace/v1/AttemptRef.js';
import type { Progress as _millrace_v1_Progress, Progress__Output as _millrace_v1_Progress__Output } from '../../millrace/v1/Progress.js';

export interface AttemptOutput {
  'ref'?: (_millrace_v1_AttemptRef | null);
  'progress'?: (_millrace_v1_Progress | null);
  'log'?: (Buffer | Uint8Array | string);
  'checkpoint'?: (Buffer | Uint8Array | string);
  '_checkpoint'?: "checkpoint";
}

export interface AttemptOutput__Output {
  'ref': (_millrace_v1_AttemptRef__Output | null);
  'progress': (_millrace_v1_Progress__Output | null);
  'log': (Buffer);
  'checkpoint'?: (Buffer);
  '_checkpoint'?: "checkpoint";
}
