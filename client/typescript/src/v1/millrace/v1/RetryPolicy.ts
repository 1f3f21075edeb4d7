// Original file: proto/millrace/v1/job.proto

import type { Duration as _google_protobuf_Duration, Duration__Output as _google_protobuf_Duration__Output } from '../../google/protobuf/Duration.js';

export interface RetryPolicy {
  'maxAttempts'?: (number);
  'initialBackoff'?: (_google_protobuf_Duration | null);
  'maxBackoff'?: (_google_protobuf_Duration | null);
  'backoffMultiplier'?: (number | string);
  '_maxAttempts'?: "maxAttempts";
  '_backoffMultiplier'?: "backoffMultiplier";
}

export interface RetryPolicy__Output {
  'maxAttempts'?: (number);
  'initialBackoff': (_google_protobuf_Duration__Output | null);
  'maxBackoff': (_google_protobuf_Duration__Output | null);
  'backoffMultiplier'?: (number);
  '_maxAttempts'?: "maxAttempts";
  '_backoffMultiplier'?: "backoffMultiplier";
}
