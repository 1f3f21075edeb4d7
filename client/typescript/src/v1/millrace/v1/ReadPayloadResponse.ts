// Original file: proto/millrace/v1/worker_service.proto


export interface ReadPayloadResponse {
  'data'?: (Buffer | Uint8Array | string);
}

export interface ReadPayloadResponse__Output {
  'data': (Buffer);
}
