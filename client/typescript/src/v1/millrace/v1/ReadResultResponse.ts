// Original file: proto/millrace/v1/job_service.proto


export interface ReadResultResponse {
  'data'?: (Buffer | Uint8Array | string);
}

export interface ReadResultResponse__Output {
  'data': (Buffer);
}
