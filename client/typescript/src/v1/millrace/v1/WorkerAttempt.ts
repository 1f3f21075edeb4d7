// Original file: proto/millrace/v1/worker_service.proto

import type { Timestamp as _google_protobuf_Timestamp, Timestamp__Output as _google_protobuf_Timestamp__Output } from '../../google/protobuf/Timestamp.js';

export interface WorkerAttempt {
  'jobId'?: (string);
  'kind'?: (string);
  'attempt'?: (number);
  'startTime'?: (_google_protobuf_Timestamp | null);
  'accepted'?: (boolean);
}

export interface WorkerAttempt__Output {
  'jobId': (string);
  'kind': (string);
  'attempt': (number);
  'startTime': (_google_protobuf_Timestamp__Output | null);
  'accepted': (boolean);
}
