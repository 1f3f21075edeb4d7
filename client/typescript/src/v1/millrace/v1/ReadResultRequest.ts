// Original file: proto/millrace/v1/job_service.proto


export interface ReadResultRequest {
  'id'?: (string);
}

export interface ReadResultRequest__Output {
  'id': (string);
}
