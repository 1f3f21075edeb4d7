// Original file: proto/millrace/v1/worker_service.proto

import type { WorkerHello as _millrace_v1_WorkerHello, WorkerHello__Output as _millrace_v1_WorkerHello__Output } from '../../millrace/v1/WorkerHello.js';
import type { AttemptRef as _millrace_v1_AttemptRef, AttemptRef__Output as _millrace_v1_AttemptRef__Output } from '../../millrace/v1/AttemptRef.js';
import type { AttemptOutput as _millrace_v1_AttemptOutput, AttemptOutput__Output as _millrace_v1_AttemptOutput__Output } from '../../millrace/v1/AttemptOutput.js';
import type { AttemptEnd as _millrace_v1_AttemptEnd, AttemptEnd__Output as _millrace_v1_AttemptEnd__Output } from '../../millrace/v1/AttemptEnd.js';
import type { WorkerCredit as _millrace_v1_WorkerCredit, WorkerCredit__Output as _millrace_v1_WorkerCredit__Output } from '../../millrace/v1/WorkerCredit.js';
import type { WorkerHeartbeat as _millrace_v1_WorkerHeartbeat, WorkerHeartbeat__Output as _millrace_v1_WorkerHeartbeat__Output } from '../../millrace/v1/WorkerHeartbeat.js';

export interface WorkRequest {
  'hello'?: (_millrace_v1_WorkerHello | null);
  'accepted'?: (_millrace_v1_AttemptRef)[];
  'outputs'?: (_millrace_v1_AttemptOutput)[];
  'ended'?: (_millrace_v1_AttemptEnd)[];
  'released'?: (_millrace_v1_AttemptRef)[];
  'credit'?: (_millrace_v1_WorkerCredit | null);
  'draining'?: (boolean);
  'heartbeat'?: (_millrace_v1_WorkerHeartbeat | null);
  'goodbye'?: (boolean);
}

export interface WorkRequest__Output {
  'hello': (_millrace_v1_WorkerHello__Output | null);
  'accepted': (_millrace_v1_AttemptRef__Output)[];
  'outputs': (_millrace_v1_AttemptOutput__Output)[];
  'ended': (_millrace_v1_AttemptEnd__Output)[];
  'released': (_millrace_v1_AttemptRef__Output)[];
  'credit': (_millrace_v1_WorkerCredit__Output | null);
  'draining': (boolean);
  'heartbeat': (_millrace_v1_WorkerHeartbeat__Output | null);
  'goodbye': (boolean);
}
