// Original file: proto/millrace/v1/job_service.proto

import type { JobView as _millrace_v1_JobView, JobView__Output as _millrace_v1_JobView__Output } from '../../millrace/v1/JobView.js';

export interface ListJobsRequest {
  'filter'?: (string);
  'pageSize'?: (number);
  'pageToken'?: (string);
  'view'?: (_millrace_v1_JobView);
  'newestFirst'?: (boolean);
}

export interface ListJobsRequest__Output {
  'filter': (string);
  'pageSize': (number);
  'pageToken': (string);
  'view': (_millrace_v1_JobView__Output);
  'newestFirst': (boolean);
}
