// Original file: proto/millrace/v1/worker_service.proto

import type { Long } from '@grpc/proto-loader';

export interface AttemptRef {
  'jobId'?: (string);
  'attempt'?: (number);
  'token'?: (number | string | Long);
}

export interface AttemptRef__Output {
  'jobId': (string);
  'attempt': (number);
  'token': (string);
}
