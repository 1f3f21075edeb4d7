// Original file: proto/millrace/v1/job_service.proto


export interface DeleteJobResponse {
}

export interface DeleteJobResponse__Output {
}
