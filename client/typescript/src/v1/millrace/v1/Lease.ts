// Original file: proto/millrace/v1/worker_service.proto

import type { AttemptRef as _millrace_v1_AttemptRef, AttemptRef__Output as _millrace_v1_AttemptRef__Output } from '../../millrace/v1/AttemptRef.js';
import type { Duration as _google_protobuf_Duration, Duration__Output as _google_protobuf_Duration__Output } from '../../google/protobuf/Duration.js';
import type { TraceContext as _millrace_v1_TraceContext, TraceContext__Output as _millrace_v1_TraceContext__Output } from '../../millrace/v1/TraceContext.js';
import type { Long } from '@grpc/proto-loader';

export interface Lease {
  'ref'?: (_millrace_v1_AttemptRef | null);
  'kind'?: (string);
  'payload'?: (Buffer | Uint8Array | string);
  'runTimeout'?: (_google_protobuf_Duration | null);
  'labels'?: ({[key: string]: string});
  'trace'?: (_millrace_v1_TraceContext | null);
  'losses'?: (number);
  'checkpoint'?: (Buffer | Uint8Array | string);
  'payloadBytes'?: (number | string | Long);
}

export interface Lease__Output {
  'ref': (_millrace_v1_AttemptRef__Output | null);
  'kind': (string);
  'payload': (Buffer);
  'runTimeout': (_google_protobuf_Duration__Output | null);
  'labels': ({[key: string]: string});
  'trace': (_millrace_v1_TraceContext__Output | null);
  'losses': (number);
  'checkpoint': (Buffer);
  'payloadBytes': (string);
}
