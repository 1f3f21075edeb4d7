// Original file: proto/millrace/v1/worker_service.proto


export interface ResumeWorkerRequest {
  'worker'?: (string);
}

export interface ResumeWorkerRequest__Output {
  'worker': (string);
}
