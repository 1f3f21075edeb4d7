// Original file: proto/millrace/v1/job_service.proto


export interface RetryJobRequest {
  'id'?: (string);
}

export interface RetryJobRequest__Output {
  'id': (string);
}
