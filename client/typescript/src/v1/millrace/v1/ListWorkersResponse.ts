// Original file: proto/millrace/v1/worker_service.proto

import type { Worker as _millrace_v1_Worker, Worker__Output as _millrace_v1_Worker__Output } from '../../millrace/v1/Worker.js';

export interface ListWorkersResponse {
  'workers'?: (_millrace_v1_Worker)[];
  'nextPageToken'?: (string);
}

export interface ListWorkersResponse__Output {
  'workers': (_millrace_v1_Worker__Output)[];
  'nextPageToken': (string);
}
