// Original file: proto/millrace/v1/worker_service.proto


export interface KindOffer {
  'kind'?: (string);
}

export interface KindOffer__Output {
  'kind': (string);
}
