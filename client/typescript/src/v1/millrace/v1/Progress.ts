// Original file: proto/millrace/v1/job.proto

import type { Timestamp as _google_protobuf_Timestamp, Timestamp__Output as _google_protobuf_Timestamp__Output } from '../../google/protobuf/Timestamp.js';

export interface Progress {
  'fraction'?: (number | string);
  'message'?: (string);
  'updateTime'?: (_google_protobuf_Timestamp | null);
}

export interface Progress__Output {
  'fraction': (number);
  'message': (string);
  'updateTime': (_google_protobuf_Timestamp__Output | null);
}
