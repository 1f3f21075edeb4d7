// Original file: proto/millrace/v1/job_service.proto


export interface WatchJobsRequest {
  'filter'?: (string);
  'resumeToken'?: (string);
  'jobId'?: (string);
  'includeLog'?: (boolean);
}

export interface WatchJobsRequest__Output {
  'filter': (string);
  'resumeToken': (string);
  'jobId': (string);
  'includeLog': (boolean);
}
