// Original file: proto/millrace/v1/worker_service.proto

import type { HeldList as _millrace_v1_HeldList, HeldList__Output as _millrace_v1_HeldList__Output } from '../../millrace/v1/HeldList.js';
import type { Long } from '@grpc/proto-loader';

export interface WorkerHeartbeat {
  'sequence'?: (number | string | Long);
  'held'?: (_millrace_v1_HeldList | null);
}

export interface WorkerHeartbeat__Output {
  'sequence': (string);
  'held': (_millrace_v1_HeldList__Output | null);
}
