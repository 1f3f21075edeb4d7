// Original file: proto/millrace/v1/job_service.proto

import type { JobState as _millrace_v1_JobState, JobState__Output as _millrace_v1_JobState__Output } from '../../millrace/v1/JobState.js';
import type { Durability as _millrace_v1_Durability, Durability__Output as _millrace_v1_Durability__Output } from '../../millrace/v1/Durability.js';

export interface SubmitJobResponse {
  'id'?: (string);
  'state'?: (_millrace_v1_JobState);
  'existing'?: (boolean);
  'durability'?: (_millrace_v1_Durability);
}

export interface SubmitJobResponse__Output {
  'id': (string);
  'state': (_millrace_v1_JobState__Output);
  'existing': (boolean);
  'durability': (_millrace_v1_Durability__Output);
}
