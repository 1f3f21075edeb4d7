// Original file: proto/millrace/v1/job_service.proto


export interface DeleteJobsRequest {
  'filter'?: (string);
  'validateOnly'?: (boolean);
}

export interface DeleteJobsRequest__Output {
  'filter': (string);
  'validateOnly': (boolean);
}
