// Original file: proto/millrace/v1/job_service.proto

import type { SubmitJobResponse as _millrace_v1_SubmitJobResponse, SubmitJobResponse__Output as _millrace_v1_SubmitJobResponse__Output } from '../../millrace/v1/SubmitJobResponse.js';

export interface BatchSubmitJobsResponse {
  'responses'?: (_millrace_v1_SubmitJobResponse)[];
}

export interface BatchSubmitJobsResponse__Output {
  'responses': (_millrace_v1_SubmitJobResponse__Output)[];
}
