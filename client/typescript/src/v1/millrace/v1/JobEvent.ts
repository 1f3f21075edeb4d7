// Original file: proto/millrace/v1/job_service.proto

import type { Timestamp as _google_protobuf_Timestamp, Timestamp__Output as _google_protobuf_Timestamp__Output } from '../../google/protobuf/Timestamp.js';
import type { JobState as _millrace_v1_JobState, JobState__Output as _millrace_v1_JobState__Output } from '../../millrace/v1/JobState.js';
import type { Progress as _millrace_v1_Progress, Progress__Output as _millrace_v1_Progress__Output } from '../../millrace/v1/Progress.js';
import type { Long } from '@grpc/proto-loader';

export interface JobEvent {
  'resumeToken'?: (string);
  'eventTime'?: (_google_protobuf_Timestamp | null);
  'jobId'?: (string);
  'state'?: (_millrace_v1_JobState);
  'progress'?: (_millrace_v1_Progress | null);
  'logChunk'?: (Buffer | Uint8Array | string);
  'gapEvents'?: (number | string | Long);
  'pool'?: (string);
  'kind'?: (string);
  'attempt'?: (number);
  'error'?: (string);
  'event'?: "state"|"progress"|"logChunk"|"gapEvents";
}

export interface JobEvent__Output {
  'resumeToken': (string);
  'eventTime': (_google_protobuf_Timestamp__Output | null);
  'jobId': (string);
  'state'?: (_millrace_v1_JobState__Output);
  'progress'?: (_millrace_v1_Progress__Output | null);
  'logChunk'?: (Buffer);
  'gapEvents'?: (string);
  'pool': (string);
  'kind': (string);
  'attempt': (number);
  'error': (string);
  'event'?: "state"|"progress"|"logChunk"|"gapEvents";
}
