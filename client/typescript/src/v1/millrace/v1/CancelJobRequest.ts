// Original file: proto/millrace/v1/job_service.proto


export interface CancelJobRequest {
  'id'?: (string);
  'reason'?: (string);
}

export interface CancelJobRequest__Output {
  'id': (string);
  'reason': (string);
}
