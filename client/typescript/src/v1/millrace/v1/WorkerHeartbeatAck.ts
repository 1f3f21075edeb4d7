// Original file: proto/millrace/v1/worker_service.proto

import type { Long } from '@grpc/proto-loader';

export interface WorkerHeartbeatAck {
  'sequence'?: (number | string | Long);
}

export interface WorkerHeartbeatAck__Output {
  'sequence': (string);
}
