// Original file: proto/millrace/v1/worker_service.proto

import type { KindOffer as _millrace_v1_KindOffer, KindOffer__Output as _millrace_v1_KindOffer__Output } from '../../millrace/v1/KindOffer.js';
import type { HeldAttempt as _millrace_v1_HeldAttempt, HeldAttempt__Output as _millrace_v1_HeldAttempt__Output } from '../../millrace/v1/HeldAttempt.js';

export interface WorkerHello {
  'worker'?: (string);
  'instanceKey'?: (Buffer | Uint8Array | string);
  'sdk'?: (string);
  'buildId'?: (string);
  'kinds'?: (_millrace_v1_KindOffer)[];
  'slots'?: (number);
  'held'?: (_millrace_v1_HeldAttempt)[];
  'labels'?: ({[key: string]: string});
  'protocolMin'?: (number);
  'protocolMax'?: (number);
  'capabilities'?: (string)[];
}

export interface WorkerHello__Output {
  'worker': (string);
  'instanceKey': (Buffer);
  'sdk': (string);
  'buildId': (string);
  'kinds': (_millrace_v1_KindOffer__Output)[];
  'slots': (number);
  'held': (_millrace_v1_HeldAttempt__Output)[];
  'labels': ({[key: string]: string});
  'protocolMin': (number);
  'protocolMax': (number);
  'capabilities': (string)[];
}
