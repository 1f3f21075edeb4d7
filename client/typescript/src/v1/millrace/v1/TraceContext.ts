// Original file: proto/millrace/v1/job.proto


export interface TraceContext {
  'traceparent'?: (string);
  'tracestate'?: (string);
  'baggage'?: (string);
}

export interface TraceContext__Output {
  'traceparent': (string);
  'tracestate': (string);
  'baggage': (string);
}
