// Original file: proto/millrace/v1/worker_service.proto


export interface GetWorkerRequest {
  'worker'?: (string);
}

export interface GetWorkerRequest__Output {
  'worker': (string);
}
