// Original file: proto/millrace/v1/worker_service.proto

import type { WorkResponse as _millrace_v1_WorkResponse, WorkResponse__Output as _millrace_v1_WorkResponse__Output } from '../../millrace/v1/WorkResponse.js';

export interface SyncResponse {
  'told'?: (_millrace_v1_WorkResponse | null);
}

export interface SyncResponse__Output {
  'told': (_millrace_v1_WorkResponse__Output | null);
}
