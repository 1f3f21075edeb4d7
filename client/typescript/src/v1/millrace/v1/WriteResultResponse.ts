// Original file: proto/millrace/v1/worker_service.proto


export interface WriteResultResponse {
}

export interface WriteResultResponse__Output {
}
