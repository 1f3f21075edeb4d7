// Original file: proto/millrace/v1/job_service.proto

import type { SubmitJobRequest as _millrace_v1_SubmitJobRequest, SubmitJobRequest__Output as _millrace_v1_SubmitJobRequest__Output } from '../../millrace/v1/SubmitJobRequest.js';
import type { OnFull as _millrace_v1_OnFull, OnFull__Output as _millrace_v1_OnFull__Output } from '../../millrace/v1/OnFull.js';

export interface BatchSubmitJobsRequest {
  'requests'?: (_millrace_v1_SubmitJobRequest)[];
  'onFull'?: (_millrace_v1_OnFull);
}

export interface BatchSubmitJobsRequest__Output {
  'requests': (_millrace_v1_SubmitJobRequest__Output)[];
  'onFull': (_millrace_v1_OnFull__Output);
}
