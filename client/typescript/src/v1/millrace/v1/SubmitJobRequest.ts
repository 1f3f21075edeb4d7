// Original file: proto/millrace/v1/job_service.proto

import type { JobSpec as _millrace_v1_JobSpec, JobSpec__Output as _millrace_v1_JobSpec__Output } from '../../millrace/v1/JobSpec.js';
import type { OnFull as _millrace_v1_OnFull, OnFull__Output as _millrace_v1_OnFull__Output } from '../../millrace/v1/OnFull.js';

export interface SubmitJobRequest {
  'spec'?: (_millrace_v1_JobSpec | null);
  'requestId'?: (string);
  'onFull'?: (_millrace_v1_OnFull);
}

export interface SubmitJobRequest__Output {
  'spec': (_millrace_v1_JobSpec__Output | null);
  'requestId': (string);
  'onFull': (_millrace_v1_OnFull__Output);
}
