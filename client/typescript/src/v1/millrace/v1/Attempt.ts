// Original file: proto/millrace/v1/job.proto

import type { Timestamp as _google_protobuf_Timestamp, Timestamp__Output as _google_protobuf_Timestamp__Output } from '../../google/protobuf/Timestamp.js';
import type { AttemptResult as _millrace_v1_AttemptResult, AttemptResult__Output as _millrace_v1_AttemptResult__Output } from '../../millrace/v1/AttemptResult.js';
import type { AttemptTimings as _millrace_v1_AttemptTimings, AttemptTimings__Output as _millrace_v1_AttemptTimings__Output } from '../../millrace/v1/AttemptTimings.js';

export interface Attempt {
  'number'?: (number);
  'startTime'?: (_google_protobuf_Timestamp | null);
  'endTime'?: (_google_protobuf_Timestamp | null);
  'worker'?: (string);
  'result'?: (_millrace_v1_AttemptResult);
  'error'?: (string);
  'exitCode'?: (number);
  'timings'?: (_millrace_v1_AttemptTimings | null);
}

export interface Attempt__Output {
  'number': (number);
  'startTime': (_google_protobuf_Timestamp__Output | null);
  'endTime': (_google_protobuf_Timestamp__Output | null);
  'worker': (string);
  'result': (_millrace_v1_AttemptResult__Output);
  'error': (string);
  'exitCode': (number);
  'timings': (_millrace_v1_AttemptTimings__Output | null);
}
