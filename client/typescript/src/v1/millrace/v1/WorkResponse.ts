// Original file: proto/millrace/v1/worker_service.proto

import type { WorkerWelcome as _millrace_v1_WorkerWelcome, WorkerWelcome__Output as _millrace_v1_WorkerWelcome__Output } from '../../millrace/v1/WorkerWelcome.js';
import type { AttemptStop as _millrace_v1_AttemptStop, AttemptStop__Output as _millrace_v1_AttemptStop__Output } from '../../millrace/v1/AttemptStop.js';
import type { AttemptRef as _millrace_v1_AttemptRef, AttemptRef__Output as _millrace_v1_AttemptRef__Output } from '../../millrace/v1/AttemptRef.js';
import type { WorkerHeartbeatAck as _millrace_v1_WorkerHeartbeatAck, WorkerHeartbeatAck__Output as _millrace_v1_WorkerHeartbeatAck__Output } from '../../millrace/v1/WorkerHeartbeatAck.js';
import type { WorkerDrain as _millrace_v1_WorkerDrain, WorkerDrain__Output as _millrace_v1_WorkerDrain__Output } from '../../millrace/v1/WorkerDrain.js';
import type { AttemptError as _millrace_v1_AttemptError, AttemptError__Output as _millrace_v1_AttemptError__Output } from '../../millrace/v1/AttemptError.js';
import type { Lease as _millrace_v1_Lease, Lease__Output as _millrace_v1_Lease__Output } from '../../millrace/v1/Lease.js';

export interface WorkResponse {
  'welcome'?: (_millrace_v1_WorkerWelcome | null);
  'stops'?: (_millrace_v1_AttemptStop)[];
  'revoked'?: (_millrace_v1_AttemptStop)[];
  'acked'?: (_millrace_v1_AttemptRef)[];
  'heartbeatAck'?: (_millrace_v1_WorkerHeartbeatAck | null);
  'drain'?: (_millrace_v1_WorkerDrain | null);
  'errors'?: (_millrace_v1_AttemptError)[];
  'leases'?: (_millrace_v1_Lease)[];
}

export interface WorkResponse__Output {
  'welcome': (_millrace_v1_WorkerWelcome__Output | null);
  'stops': (_millrace_v1_AttemptStop__Output)[];
  'revoked': (_millrace_v1_AttemptStop__Output)[];
  'acked': (_millrace_v1_AttemptRef__Output)[];
  'heartbeatAck': (_millrace_v1_WorkerHeartbeatAck__Output | null);
  'drain': (_millrace_v1_WorkerDrain__Output | null);
  'errors': (_millrace_v1_AttemptError__Output)[];
  'leases': (_millrace_v1_Lease__Output)[];
}
