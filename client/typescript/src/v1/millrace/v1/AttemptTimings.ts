// Original file: proto/millrace/v1/job.proto

import type { Duration as _google_protobuf_Duration, Duration__Output as _google_protobuf_Duration__Output } from '../../google/protobuf/Duration.js';

export interface AttemptTimings {
  'queued'?: (_google_protobuf_Duration | null);
  'run'?: (_google_protobuf_Duration | null);
  'cpu'?: (_google_protobuf_Duration | null);
  'runnable'?: (_google_protobuf_Duration | null);
  'blockedInside'?: (_google_protobuf_Duration | null);
  'blockedOutside'?: (_google_protobuf_Duration | null);
}

export interface AttemptTimings__Output {
  'queued': (_google_protobuf_Duration__Output | null);
  'run': (_google_protobuf_Duration__Output | null);
  'cpu': (_google_protobuf_Duration__Output | null);
  'runnable': (_google_protobuf_Duration__Output | null);
  'blockedInside': (_google_protobuf_Duration__Output | null);
  'blockedOutside': (_google_protobuf_Duration__Output | null);
}
