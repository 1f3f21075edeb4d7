// Original file: proto/millrace/v1/job_service.proto

import type { Duration as _google_protobuf_Duration, Duration__Output as _google_protobuf_Duration__Output } from '../../google/protobuf/Duration.js';
import type { JobView as _millrace_v1_JobView, JobView__Output as _millrace_v1_JobView__Output } from '../../millrace/v1/JobView.js';

export interface WaitJobRequest {
  'id'?: (string);
  'timeout'?: (_google_protobuf_Duration | null);
  'view'?: (_millrace_v1_JobView);
}

export interface WaitJobRequest__Output {
  'id': (string);
  'timeout': (_google_protobuf_Duration__Output | null);
  'view': (_millrace_v1_JobView__Output);
}
