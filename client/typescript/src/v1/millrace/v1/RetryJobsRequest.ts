// Original file: proto/millrace/v1/job_service.proto


export interface RetryJobsRequest {
  'filter'?: (string);
  'validateOnly'?: (boolean);
}

export interface RetryJobsRequest__Output {
  'filter': (string);
  'validateOnly': (boolean);
}
