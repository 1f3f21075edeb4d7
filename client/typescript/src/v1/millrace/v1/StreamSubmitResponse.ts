// Original file: proto/millrace/v1/job_service.proto

import type { SubmitJobResponse as _millrace_v1_SubmitJobResponse, SubmitJobResponse__Output as _millrace_v1_SubmitJobResponse__Output } from '../../millrace/v1/SubmitJobResponse.js';
import type { Status as _google_rpc_Status, Status__Output as _google_rpc_Status__Output } from '../../google/rpc/Status.js';
import type { Long } from '@grpc/proto-loader';

export interface StreamSubmitResponse {
  'sequence'?: (number | string | Long);
  'response'?: (_millrace_v1_SubmitJobResponse | null);
  'error'?: (_google_rpc_Status | null);
  'outcome'?: "response"|"error";
}

export interface StreamSubmitResponse__Output {
  'sequence': (string);
  'response'?: (_millrace_v1_SubmitJobResponse__Output | null);
  'error'?: (_google_rpc_Status__Output | null);
  'outcome'?: "response"|"error";
}
