// Original file: proto/millrace/v1/worker_service.proto

import type { Long } from '@grpc/proto-loader';

export interface WorkerCredit {
  'slotsGrantedTotal'?: (number | string | Long);
}

export interface WorkerCredit__Output {
  'slotsGrantedTotal': (string);
}
