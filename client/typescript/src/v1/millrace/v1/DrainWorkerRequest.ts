// Original file: proto/millrace/v1/worker_service.proto


export interface DrainWorkerRequest {
  'worker'?: (string);
}

export interface DrainWorkerRequest__Output {
  'worker': (string);
}
