// Original file: proto/millrace/v1/worker_service.proto

import type { Duration as _google_protobuf_Duration, Duration__Output as _google_protobuf_Duration__Output } from '../../google/protobuf/Duration.js';

export interface KindOffer {
  'kind'?: (string);
  'slots'?: (number);
  'atOnceMax'?: (number);
  'beatWithin'?: (_google_protobuf_Duration | null);
}

export interface KindOffer__Output {
  'kind': (string);
  'slots': (number);
  'atOnceMax': (number);
  'beatWithin': (_google_protobuf_Duration__Output | null);
}
