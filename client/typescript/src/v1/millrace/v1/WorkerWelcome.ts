// Original file: proto/millrace/v1/worker_service.proto

import type { Duration as _google_protobuf_Duration, Duration__Output as _google_protobuf_Duration__Output } from '../../google/protobuf/Duration.js';
import type { AttemptRef as _millrace_v1_AttemptRef, AttemptRef__Output as _millrace_v1_AttemptRef__Output } from '../../millrace/v1/AttemptRef.js';
import type { Long } from '@grpc/proto-loader';

export interface WorkerWelcome {
  'serverVersion'?: (string);
  'heartbeatInterval'?: (_google_protobuf_Duration | null);
  'lease'?: (_google_protobuf_Duration | null);
  'acceptWithin'?: (_google_protobuf_Duration | null);
  'resumeGrace'?: (_google_protobuf_Duration | null);
  'finishWithin'?: (_google_protobuf_Duration | null);
  'kept'?: (_millrace_v1_AttemptRef)[];
  'lost'?: (_millrace_v1_AttemptRef)[];
  'protocol'?: (number);
  'capabilities'?: (string)[];
  'workerId'?: (string);
  'resultBytesMax'?: (number | string | Long);
}

export interface WorkerWelcome__Output {
  'serverVersion': (string);
  'heartbeatInterval': (_google_protobuf_Duration__Output | null);
  'lease': (_google_protobuf_Duration__Output | null);
  'acceptWithin': (_google_protobuf_Duration__Output | null);
  'resumeGrace': (_google_protobuf_Duration__Output | null);
  'finishWithin': (_google_protobuf_Duration__Output | null);
  'kept': (_millrace_v1_AttemptRef__Output)[];
  'lost': (_millrace_v1_AttemptRef__Output)[];
  'protocol': (number);
  'capabilities': (string)[];
  'workerId': (string);
  'resultBytesMax': (string);
}
