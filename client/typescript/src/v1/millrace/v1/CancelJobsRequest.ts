// Original file: proto/millrace/v1/job_service.proto


export interface CancelJobsRequest {
  'filter'?: (string);
  'reason'?: (string);
  'validateOnly'?: (boolean);
}

export interface CancelJobsRequest__Output {
  'filter': (string);
  'reason': (string);
  'validateOnly': (boolean);
}
