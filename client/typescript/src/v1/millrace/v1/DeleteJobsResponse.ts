// Original file: proto/millrace/v1/job_service.proto

import type { Status as _google_rpc_Status, Status__Output as _google_rpc_Status__Output } from '../../google/rpc/Status.js';
import type { Long } from '@grpc/proto-loader';

export interface DeleteJobsResponse {
  'matched'?: (number | string | Long);
  'changed'?: (number | string | Long);
  'firstError'?: (_google_rpc_Status | null);
}

export interface DeleteJobsResponse__Output {
  'matched': (string);
  'changed': (string);
  'firstError': (_google_rpc_Status__Output | null);
}
