// Original file: proto/millrace/v1/job.proto

import type { Band as _millrace_v1_Band, Band__Output as _millrace_v1_Band__Output } from '../../millrace/v1/Band.js';
import type { Duration as _google_protobuf_Duration, Duration__Output as _google_protobuf_Duration__Output } from '../../google/protobuf/Duration.js';
import type { Timestamp as _google_protobuf_Timestamp, Timestamp__Output as _google_protobuf_Timestamp__Output } from '../../google/protobuf/Timestamp.js';
import type { RetryPolicy as _millrace_v1_RetryPolicy, RetryPolicy__Output as _millrace_v1_RetryPolicy__Output } from '../../millrace/v1/RetryPolicy.js';
import type { TraceContext as _millrace_v1_TraceContext, TraceContext__Output as _millrace_v1_TraceContext__Output } from '../../millrace/v1/TraceContext.js';
import type { Placement as _millrace_v1_Placement, Placement__Output as _millrace_v1_Placement__Output } from '../../millrace/v1/Placement.js';
import type { UniqueKey as _millrace_v1_UniqueKey, UniqueKey__Output as _millrace_v1_UniqueKey__Output } from '../../millrace/v1/UniqueKey.js';

export interface JobSpec {
  'pool'?: (string);
  'kind'?: (string);
  'payload'?: (Buffer | Uint8Array | string);
  'band'?: (_millrace_v1_Band);
  'delay'?: (_google_protobuf_Duration | null);
  'runAt'?: (_google_protobuf_Timestamp | null);
  'runTimeout'?: (_google_protobuf_Duration | null);
  'deadline'?: (_google_protobuf_Timestamp | null);
  'retry'?: (_millrace_v1_RetryPolicy | null);
  'noRetryAfterStart'?: (boolean);
  'labels'?: ({[key: string]: string});
  'deadlineAfter'?: (_google_protobuf_Duration | null);
  'trace'?: (_millrace_v1_TraceContext | null);
  'placement'?: (_millrace_v1_Placement | null);
  'uniqueKey'?: (_millrace_v1_UniqueKey | null);
}

export interface JobSpec__Output {
  'pool': (string);
  'kind': (string);
  'payload': (Buffer);
  'band': (_millrace_v1_Band__Output);
  'delay': (_google_protobuf_Duration__Output | null);
  'runAt': (_google_protobuf_Timestamp__Output | null);
  'runTimeout': (_google_protobuf_Duration__Output | null);
  'deadline': (_google_protobuf_Timestamp__Output | null);
  'retry': (_millrace_v1_RetryPolicy__Output | null);
  'noRetryAfterStart': (boolean);
  'labels': ({[key: string]: string});
  'deadlineAfter': (_google_protobuf_Duration__Output | null);
  'trace': (_millrace_v1_TraceContext__Output | null);
  'placement': (_millrace_v1_Placement__Output | null);
  'uniqueKey': (_millrace_v1_UniqueKey__Output | null);
}
