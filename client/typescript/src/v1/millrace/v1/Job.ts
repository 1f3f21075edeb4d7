// Original file: proto/millrace/v1/job.proto

import type { JobSpec as _millrace_v1_JobSpec, JobSpec__Output as _millrace_v1_JobSpec__Output } from '../../millrace/v1/JobSpec.js';
import type { JobState as _millrace_v1_JobState, JobState__Output as _millrace_v1_JobState__Output } from '../../millrace/v1/JobState.js';
import type { Timestamp as _google_protobuf_Timestamp, Timestamp__Output as _google_protobuf_Timestamp__Output } from '../../google/protobuf/Timestamp.js';
import type { Attempt as _millrace_v1_Attempt, Attempt__Output as _millrace_v1_Attempt__Output } from '../../millrace/v1/Attempt.js';
import type { Progress as _millrace_v1_Progress, Progress__Output as _millrace_v1_Progress__Output } from '../../millrace/v1/Progress.js';
import type { Waiting as _millrace_v1_Waiting, Waiting__Output as _millrace_v1_Waiting__Output } from '../../millrace/v1/Waiting.js';
import type { Long } from '@grpc/proto-loader';

export interface Job {
  'id'?: (string);
  'spec'?: (_millrace_v1_JobSpec | null);
  'state'?: (_millrace_v1_JobState);
  'createTime'?: (_google_protobuf_Timestamp | null);
  'dueTime'?: (_google_protobuf_Timestamp | null);
  'finishTime'?: (_google_protobuf_Timestamp | null);
  'attempts'?: (number);
  'losses'?: (number);
  'attemptHistory'?: (_millrace_v1_Attempt)[];
  'progress'?: (_millrace_v1_Progress | null);
  'result'?: (Buffer | Uint8Array | string);
  'error'?: (string);
  'logTail'?: (Buffer | Uint8Array | string);
  'logBytes'?: (number | string | Long);
  'cancelRequested'?: (boolean);
  'waiting'?: (_millrace_v1_Waiting | null);
  'checkpointBytes'?: (number | string | Long);
  'resultBytes'?: (number | string | Long);
}

export interface Job__Output {
  'id': (string);
  'spec': (_millrace_v1_JobSpec__Output | null);
  'state': (_millrace_v1_JobState__Output);
  'createTime': (_google_protobuf_Timestamp__Output | null);
  'dueTime': (_google_protobuf_Timestamp__Output | null);
  'finishTime': (_google_protobuf_Timestamp__Output | null);
  'attempts': (number);
  'losses': (number);
  'attemptHistory': (_millrace_v1_Attempt__Output)[];
  'progress': (_millrace_v1_Progress__Output | null);
  'result': (Buffer);
  'error': (string);
  'logTail': (Buffer);
  'logBytes': (string);
  'cancelRequested': (boolean);
  'waiting': (_millrace_v1_Waiting__Output | null);
  'checkpointBytes': (string);
  'resultBytes': (string);
}
