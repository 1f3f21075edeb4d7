// Original file: proto/millrace/v1/job_service.proto

import type { JobView as _millrace_v1_JobView, JobView__Output as _millrace_v1_JobView__Output } from '../../millrace/v1/JobView.js';

export interface GetJobRequest {
  'id'?: (string);
  'view'?: (_millrace_v1_JobView);
}

export interface GetJobRequest__Output {
  'id': (string);
  'view': (_millrace_v1_JobView__Output);
}
