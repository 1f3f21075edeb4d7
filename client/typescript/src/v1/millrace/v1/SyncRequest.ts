// Original file: proto/millrace/v1/worker_service.proto

import type { WorkRequest as _millrace_v1_WorkRequest, WorkRequest__Output as _millrace_v1_WorkRequest__Output } from '../../millrace/v1/WorkRequest.js';
import type { Duration as _google_protobuf_Duration, Duration__Output as _google_protobuf_Duration__Output } from '../../google/protobuf/Duration.js';

export interface SyncRequest {
  'instanceKey'?: (Buffer | Uint8Array | string);
  'said'?: (_millrace_v1_WorkRequest | null);
  'wait'?: (_google_protobuf_Duration | null);
}

export interface SyncRequest__Output {
  'instanceKey': (Buffer);
  'said': (_millrace_v1_WorkRequest__Output | null);
  'wait': (_google_protobuf_Duration__Output | null);
}
