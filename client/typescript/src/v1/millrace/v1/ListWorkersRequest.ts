// Original file: proto/millrace/v1/worker_service.proto


export interface ListWorkersRequest {
  'pageSize'?: (number);
  'pageToken'?: (string);
  'kind'?: (string);
}

export interface ListWorkersRequest__Output {
  'pageSize': (number);
  'pageToken': (string);
  'kind': (string);
}
