// Original file: proto/millrace/v1/job_service.proto

import type { SubmitJobRequest as _millrace_v1_SubmitJobRequest, SubmitJobRequest__Output as _millrace_v1_SubmitJobRequest__Output } from '../../millrace/v1/SubmitJobRequest.js';
import type { Long } from '@grpc/proto-loader';

export interface StreamSubmitRequest {
  'sequence'?: (number | string | Long);
  'request'?: (_millrace_v1_SubmitJobRequest | null);
}

export interface StreamSubmitRequest__Output {
  'sequence': (string);
  'request': (_millrace_v1_SubmitJobRequest__Output | null);
}
