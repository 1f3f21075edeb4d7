// Original file: proto/millrace/v1/job_service.proto

import type { Job as _millrace_v1_Job, Job__Output as _millrace_v1_Job__Output } from '../../millrace/v1/Job.js';

export interface ListJobsResponse {
  'jobs'?: (_millrace_v1_Job)[];
  'nextPageToken'?: (string);
}

export interface ListJobsResponse__Output {
  'jobs': (_millrace_v1_Job__Output)[];
  'nextPageToken': (string);
}
