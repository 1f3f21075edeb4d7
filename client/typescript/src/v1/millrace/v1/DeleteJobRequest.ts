// Original file: proto/millrace/v1/job_service.proto


export interface DeleteJobRequest {
  'id'?: (string);
}

export interface DeleteJobRequest__Output {
  'id': (string);
}
