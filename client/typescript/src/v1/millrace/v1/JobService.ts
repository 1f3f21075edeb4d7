// Original file: proto/millrace/v1/job_service.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { BatchSubmitJobsRequest as _millrace_v1_BatchSubmitJobsRequest, BatchSubmitJobsRequest__Output as _millrace_v1_BatchSubmitJobsRequest__Output } from '../../millrace/v1/BatchSubmitJobsRequest.js';
import type { BatchSubmitJobsResponse as _millrace_v1_BatchSubmitJobsResponse, BatchSubmitJobsResponse__Output as _millrace_v1_BatchSubmitJobsResponse__Output } from '../../millrace/v1/BatchSubmitJobsResponse.js';
import type { CancelJobRequest as _millrace_v1_CancelJobRequest, CancelJobRequest__Output as _millrace_v1_CancelJobRequest__Output } from '../../millrace/v1/CancelJobRequest.js';
import type { CancelJobsRequest as _millrace_v1_CancelJobsRequest, CancelJobsRequest__Output as _millrace_v1_CancelJobsRequest__Output } from '../../millrace/v1/CancelJobsRequest.js';
import type { CancelJobsResponse as _millrace_v1_CancelJobsResponse, CancelJobsResponse__Output as _millrace_v1_CancelJobsResponse__Output } from '../../millrace/v1/CancelJobsResponse.js';
import type { DeleteJobRequest as _millrace_v1_DeleteJobRequest, DeleteJobRequest__Output as _millrace_v1_DeleteJobRequest__Output } from '../../millrace/v1/DeleteJobRequest.js';
import type { DeleteJobResponse as _millrace_v1_DeleteJobResponse, DeleteJobResponse__Output as _millrace_v1_DeleteJobResponse__Output } from '../../millrace/v1/DeleteJobResponse.js';
import type { DeleteJobsRequest as _millrace_v1_DeleteJobsRequest, DeleteJobsRequest__Output as _millrace_v1_DeleteJobsRequest__Output } from '../../millrace/v1/DeleteJobsRequest.js';
import type { DeleteJobsResponse as _millrace_v1_DeleteJobsResponse, DeleteJobsResponse__Output as _millrace_v1_DeleteJobsResponse__Output } from '../../millrace/v1/DeleteJobsResponse.js';
import type { GetJobRequest as _millrace_v1_GetJobRequest, GetJobRequest__Output as _millrace_v1_GetJobRequest__Output } from '../../millrace/v1/GetJobRequest.js';
import type { Job as _millrace_v1_Job, Job__Output as _millrace_v1_Job__Output } from '../../millrace/v1/Job.js';
import type { JobEvent as _millrace_v1_JobEvent, JobEvent__Output as _millrace_v1_JobEvent__Output } from '../../millrace/v1/JobEvent.js';
import type { ListJobsRequest as _millrace_v1_ListJobsRequest, ListJobsRequest__Output as _millrace_v1_ListJobsRequest__Output } from '../../millrace/v1/ListJobsRequest.js';
import type { ListJobsResponse as _millrace_v1_ListJobsResponse, ListJobsResponse__Output as _millrace_v1_ListJobsResponse__Output } from '../../millrace/v1/ListJobsResponse.js';
import type { ReadResultRequest as _millrace_v1_ReadResultRequest, ReadResultRequest__Output as _millrace_v1_ReadResultRequest__Output } from '../../millrace/v1/ReadResultRequest.js';
import type { ReadResultResponse as _millrace_v1_ReadResultResponse, ReadResultResponse__Output as _millrace_v1_ReadResultResponse__Output } from '../../millrace/v1/ReadResultResponse.js';
import type { RetryJobRequest as _millrace_v1_RetryJobRequest, RetryJobRequest__Output as _millrace_v1_RetryJobRequest__Output } from '../../millrace/v1/RetryJobRequest.js';
import type { RetryJobsRequest as _millrace_v1_RetryJobsRequest, RetryJobsRequest__Output as _millrace_v1_RetryJobsRequest__Output } from '../../millrace/v1/RetryJobsRequest.js';
import type { RetryJobsResponse as _millrace_v1_RetryJobsResponse, RetryJobsResponse__Output as _millrace_v1_RetryJobsResponse__Output } from '../../millrace/v1/RetryJobsResponse.js';
import type { StreamSubmitRequest as _millrace_v1_StreamSubmitRequest, StreamSubmitRequest__Output as _millrace_v1_StreamSubmitRequest__Output } from '../../millrace/v1/StreamSubmitRequest.js';
import type { StreamSubmitResponse as _millrace_v1_StreamSubmitResponse, StreamSubmitResponse__Output as _millrace_v1_StreamSubmitResponse__Output } from '../../millrace/v1/StreamSubmitResponse.js';
import type { SubmitJobRequest as _millrace_v1_SubmitJobRequest, SubmitJobRequest__Output as _millrace_v1_SubmitJobRequest__Output } from '../../millrace/v1/SubmitJobRequest.js';
import type { SubmitJobResponse as _millrace_v1_SubmitJobResponse, SubmitJobResponse__Output as _millrace_v1_SubmitJobResponse__Output } from '../../millrace/v1/SubmitJobResponse.js';
import type { WaitJobRequest as _millrace_v1_WaitJobRequest, WaitJobRequest__Output as _millrace_v1_WaitJobRequest__Output } from '../../millrace/v1/WaitJobRequest.js';
import type { WatchJobsRequest as _millrace_v1_WatchJobsRequest, WatchJobsRequest__Output as _millrace_v1_WatchJobsRequest__Output } from '../../millrace/v1/WatchJobsRequest.js';

export interface JobServiceClient extends grpc.Client {
  BatchSubmitJobs(argument: _millrace_v1_BatchSubmitJobsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_BatchSubmitJobsResponse__Output>): grpc.ClientUnaryCall;
  BatchSubmitJobs(argument: _millrace_v1_BatchSubmitJobsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_BatchSubmitJobsResponse__Output>): grpc.ClientUnaryCall;
  BatchSubmitJobs(argument: _millrace_v1_BatchSubmitJobsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_BatchSubmitJobsResponse__Output>): grpc.ClientUnaryCall;
  BatchSubmitJobs(argument: _millrace_v1_BatchSubmitJobsRequest, callback: grpc.requestCallback<_millrace_v1_BatchSubmitJobsResponse__Output>): grpc.ClientUnaryCall;
  batchSubmitJobs(argument: _millrace_v1_BatchSubmitJobsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_BatchSubmitJobsResponse__Output>): grpc.ClientUnaryCall;
  batchSubmitJobs(argument: _millrace_v1_BatchSubmitJobsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_BatchSubmitJobsResponse__Output>): grpc.ClientUnaryCall;
  batchSubmitJobs(argument: _millrace_v1_BatchSubmitJobsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_BatchSubmitJobsResponse__Output>): grpc.ClientUnaryCall;
  batchSubmitJobs(argument: _millrace_v1_BatchSubmitJobsRequest, callback: grpc.requestCallback<_millrace_v1_BatchSubmitJobsResponse__Output>): grpc.ClientUnaryCall;
  
  CancelJob(argument: _millrace_v1_CancelJobRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_Job__Output>): grpc.ClientUnaryCall;
  CancelJob(argument: _millrace_v1_CancelJobRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_Job__Output>): grpc.ClientUnaryCall;
  CancelJob(argument: _millrace_v1_CancelJobRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_Job__Output>): grpc.ClientUnaryCall;
  CancelJob(argument: _millrace_v1_CancelJobRequest, callback: grpc.requestCallback<_millrace_v1_Job__Output>): grpc.ClientUnaryCall;
  cancelJob(argument: _millrace_v1_CancelJobRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_Job__Output>): grpc.ClientUnaryCall;
  cancelJob(argument: _millrace_v1_CancelJobRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_Job__Output>): grpc.ClientUnaryCall;
  cancelJob(argument: _millrace_v1_CancelJobRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_Job__Output>): grpc.ClientUnaryCall;
  cancelJob(argument: _millrace_v1_CancelJobRequest, callback: grpc.requestCallback<_millrace_v1_Job__Output>): grpc.ClientUnaryCall;
  
  CancelJobs(argument: _millrace_v1_CancelJobsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_CancelJobsResponse__Output>): grpc.ClientUnaryCall;
  CancelJobs(argument: _millrace_v1_CancelJobsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_CancelJobsResponse__Output>): grpc.ClientUnaryCall;
  CancelJobs(argument: _millrace_v1_CancelJobsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_CancelJobsResponse__Output>): grpc.ClientUnaryCall;
  CancelJobs(argument: _millrace_v1_CancelJobsRequest, callback: grpc.requestCallback<_millrace_v1_CancelJobsResponse__Output>): grpc.ClientUnaryCall;
  cancelJobs(argument: _millrace_v1_CancelJobsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_CancelJobsResponse__Output>): grpc.ClientUnaryCall;
  cancelJobs(argument: _millrace_v1_CancelJobsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_CancelJobsResponse__Output>): grpc.ClientUnaryCall;
  cancelJobs(argument: _millrace_v1_CancelJobsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_CancelJobsResponse__Output>): grpc.ClientUnaryCall;
  cancelJobs(argument: _millrace_v1_CancelJobsRequest, callback: grpc.requestCallback<_millrace_v1_CancelJobsResponse__Output>): grpc.ClientUnaryCall;
  
  DeleteJob(argument: _millrace_v1_DeleteJobRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_DeleteJobResponse__Output>): grpc.ClientUnaryCall;
  DeleteJob(argument: _millrace_v1_DeleteJobRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_DeleteJobResponse__Output>): grpc.ClientUnaryCall;
  DeleteJob(argument: _millrace_v1_DeleteJobRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_DeleteJobResponse__Output>): grpc.ClientUnaryCall;
  DeleteJob(argument: _millrace_v1_DeleteJobRequest, callback: grpc.requestCallback<_millrace_v1_DeleteJobResponse__Output>): grpc.ClientUnaryCall;
  deleteJob(argument: _millrace_v1_DeleteJobRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_DeleteJobResponse__Output>): grpc.ClientUnaryCall;
  deleteJob(argument: _millrace_v1_DeleteJobRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_DeleteJobResponse__Output>): grpc.ClientUnaryCall;
  deleteJob(argument: _millrace_v1_DeleteJobRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_DeleteJobResponse__Output>): grpc.ClientUnaryCall;
  deleteJob(argument: _millrace_v1_DeleteJobRequest, callback: grpc.requestCallback<_millrace_v1_DeleteJobResponse__Output>): grpc.ClientUnaryCall;
  
  DeleteJobs(argument: _millrace_v1_DeleteJobsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_DeleteJobsResponse__Output>): grpc.ClientUnaryCall;
  DeleteJobs(argument: _millrace_v1_DeleteJobsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_DeleteJobsResponse__Output>): grpc.ClientUnaryCall;
  DeleteJobs(argument: _millrace_v1_DeleteJobsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_DeleteJobsResponse__Output>): grpc.ClientUnaryCall;
  DeleteJobs(argument: _millrace_v1_DeleteJobsRequest, callback: grpc.requestCallback<_millrace_v1_DeleteJobsResponse__Output>): grpc.ClientUnaryCall;
  deleteJobs(argument: _millrace_v1_DeleteJobsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_DeleteJobsResponse__Output>): grpc.ClientUnaryCall;
  deleteJobs(argument: _millrace_v1_DeleteJobsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_DeleteJobsResponse__Output>): grpc.ClientUnaryCall;
  deleteJobs(argument: _millrace_v1_DeleteJobsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_DeleteJobsResponse__Output>): grpc.ClientUnaryCall;
  deleteJobs(argument: _millrace_v1_DeleteJobsRequest, callback: grpc.requestCallback<_millrace_v1_DeleteJobsResponse__Output>): grpc.ClientUnaryCall;
  
  GetJob(argument: _millrace_v1_GetJobRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_Job__Output>): grpc.ClientUnaryCall;
  GetJob(argument: _millrace_v1_GetJobRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_Job__Output>): grpc.ClientUnaryCall;
  GetJob(argument: _millrace_v1_GetJobRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_Job__Output>): grpc.ClientUnaryCall;
  GetJob(argument: _millrace_v1_GetJobRequest, callback: grpc.requestCallback<_millrace_v1_Job__Output>): grpc.ClientUnaryCall;
  getJob(argument: _millrace_v1_GetJobRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_Job__Output>): grpc.ClientUnaryCall;
  getJob(argument: _millrace_v1_GetJobRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_Job__Output>): grpc.ClientUnaryCall;
  getJob(argument: _millrace_v1_GetJobRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_Job__Output>): grpc.ClientUnaryCall;
  getJob(argument: _millrace_v1_GetJobRequest, callback: grpc.requestCallback<_millrace_v1_Job__Output>): grpc.ClientUnaryCall;
  
  ListJobs(argument: _millrace_v1_ListJobsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_ListJobsResponse__Output>): grpc.ClientUnaryCall;
  ListJobs(argument: _millrace_v1_ListJobsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_ListJobsResponse__Output>): grpc.ClientUnaryCall;
  ListJobs(argument: _millrace_v1_ListJobsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_ListJobsResponse__Output>): grpc.ClientUnaryCall;
  ListJobs(argument: _millrace_v1_ListJobsRequest, callback: grpc.requestCallback<_millrace_v1_ListJobsResponse__Output>): grpc.ClientUnaryCall;
  listJobs(argument: _millrace_v1_ListJobsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_ListJobsResponse__Output>): grpc.ClientUnaryCall;
  listJobs(argument: _millrace_v1_ListJobsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_ListJobsResponse__Output>): grpc.ClientUnaryCall;
  listJobs(argument: _millrace_v1_ListJobsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_ListJobsResponse__Output>): grpc.ClientUnaryCall;
  listJobs(argument: _millrace_v1_ListJobsRequest, callback: grpc.requestCallback<_millrace_v1_ListJobsResponse__Output>): grpc.ClientUnaryCall;
  
  ReadResult(argument: _millrace_v1_ReadResultRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_millrace_v1_ReadResultResponse__Output>;
  ReadResult(argument: _millrace_v1_ReadResultRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_millrace_v1_ReadResultResponse__Output>;
  readResult(argument: _millrace_v1_ReadResultRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_millrace_v1_ReadResultResponse__Output>;
  readResult(argument: _millrace_v1_ReadResultRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_millrace_v1_ReadResultResponse__Output>;
  
  RetryJob(argument: _millrace_v1_RetryJobRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_Job__Output>): grpc.ClientUnaryCall;
  RetryJob(argument: _millrace_v1_RetryJobRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_Job__Output>): grpc.ClientUnaryCall;
  RetryJob(argument: _millrace_v1_RetryJobRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_Job__Output>): grpc.ClientUnaryCall;
  RetryJob(argument: _millrace_v1_RetryJobRequest, callback: grpc.requestCallback<_millrace_v1_Job__Output>): grpc.ClientUnaryCall;
  retryJob(argument: _millrace_v1_RetryJobRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_Job__Output>): grpc.ClientUnaryCall;
  retryJob(argument: _millrace_v1_RetryJobRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_Job__Output>): grpc.ClientUnaryCall;
  retryJob(argument: _millrace_v1_RetryJobRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_Job__Output>): grpc.ClientUnaryCall;
  retryJob(argument: _millrace_v1_RetryJobRequest, callback: grpc.requestCallback<_millrace_v1_Job__Output>): grpc.ClientUnaryCall;
  
  RetryJobs(argument: _millrace_v1_RetryJobsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_RetryJobsResponse__Output>): grpc.ClientUnaryCall;
  RetryJobs(argument: _millrace_v1_RetryJobsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_RetryJobsResponse__Output>): grpc.ClientUnaryCall;
  RetryJobs(argument: _millrace_v1_RetryJobsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_RetryJobsResponse__Output>): grpc.ClientUnaryCall;
  RetryJobs(argument: _millrace_v1_RetryJobsRequest, callback: grpc.requestCallback<_millrace_v1_RetryJobsResponse__Output>): grpc.ClientUnaryCall;
  retryJobs(argument: _millrace_v1_RetryJobsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_RetryJobsResponse__Output>): grpc.ClientUnaryCall;
  retryJobs(argument: _millrace_v1_RetryJobsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_RetryJobsResponse__Output>): grpc.ClientUnaryCall;
  retryJobs(argument: _millrace_v1_RetryJobsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_RetryJobsResponse__Output>): grpc.ClientUnaryCall;
  retryJobs(argument: _millrace_v1_RetryJobsRequest, callback: grpc.requestCallback<_millrace_v1_RetryJobsResponse__Output>): grpc.ClientUnaryCall;
  
  StreamSubmit(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_millrace_v1_StreamSubmitRequest, _millrace_v1_StreamSubmitResponse__Output>;
  StreamSubmit(options?: grpc.CallOptions): grpc.ClientDuplexStream<_millrace_v1_StreamSubmitRequest, _millrace_v1_StreamSubmitResponse__Output>;
  streamSubmit(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_millrace_v1_StreamSubmitRequest, _millrace_v1_StreamSubmitResponse__Output>;
  streamSubmit(options?: grpc.CallOptions): grpc.ClientDuplexStream<_millrace_v1_StreamSubmitRequest, _millrace_v1_StreamSubmitResponse__Output>;
  
  SubmitJob(argument: _millrace_v1_SubmitJobRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_SubmitJobResponse__Output>): grpc.ClientUnaryCall;
  SubmitJob(argument: _millrace_v1_SubmitJobRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_SubmitJobResponse__Output>): grpc.ClientUnaryCall;
  SubmitJob(argument: _millrace_v1_SubmitJobRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_SubmitJobResponse__Output>): grpc.ClientUnaryCall;
  SubmitJob(argument: _millrace_v1_SubmitJobRequest, callback: grpc.requestCallback<_millrace_v1_SubmitJobResponse__Output>): grpc.ClientUnaryCall;
  submitJob(argument: _millrace_v1_SubmitJobRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_SubmitJobResponse__Output>): grpc.ClientUnaryCall;
  submitJob(argument: _millrace_v1_SubmitJobRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_SubmitJobResponse__Output>): grpc.ClientUnaryCall;
  submitJob(argument: _millrace_v1_SubmitJobRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_SubmitJobResponse__Output>): grpc.ClientUnaryCall;
  submitJob(argument: _millrace_v1_SubmitJobRequest, callback: grpc.requestCallback<_millrace_v1_SubmitJobResponse__Output>): grpc.ClientUnaryCall;
  
  WaitJob(argument: _millrace_v1_WaitJobRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_Job__Output>): grpc.ClientUnaryCall;
  WaitJob(argument: _millrace_v1_WaitJobRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_Job__Output>): grpc.ClientUnaryCall;
  WaitJob(argument: _millrace_v1_WaitJobRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_Job__Output>): grpc.ClientUnaryCall;
  WaitJob(argument: _millrace_v1_WaitJobRequest, callback: grpc.requestCallback<_millrace_v1_Job__Output>): grpc.ClientUnaryCall;
  waitJob(argument: _millrace_v1_WaitJobRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_Job__Output>): grpc.ClientUnaryCall;
  waitJob(argument: _millrace_v1_WaitJobRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_Job__Output>): grpc.ClientUnaryCall;
  waitJob(argument: _millrace_v1_WaitJobRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_Job__Output>): grpc.ClientUnaryCall;
  waitJob(argument: _millrace_v1_WaitJobRequest, callback: grpc.requestCallback<_millrace_v1_Job__Output>): grpc.ClientUnaryCall;
  
  WatchJobs(argument: _millrace_v1_WatchJobsRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_millrace_v1_JobEvent__Output>;
  WatchJobs(argument: _millrace_v1_WatchJobsRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_millrace_v1_JobEvent__Output>;
  watchJobs(argument: _millrace_v1_WatchJobsRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_millrace_v1_JobEvent__Output>;
  watchJobs(argument: _millrace_v1_WatchJobsRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_millrace_v1_JobEvent__Output>;
  
}

export interface JobServiceHandlers extends grpc.UntypedServiceImplementation {
  BatchSubmitJobs: grpc.handleUnaryCall<_millrace_v1_BatchSubmitJobsRequest__Output, _millrace_v1_BatchSubmitJobsResponse>;
  
  CancelJob: grpc.handleUnaryCall<_millrace_v1_CancelJobRequest__Output, _millrace_v1_Job>;
  
  CancelJobs: grpc.handleUnaryCall<_millrace_v1_CancelJobsRequest__Output, _millrace_v1_CancelJobsResponse>;
  
  DeleteJob: grpc.handleUnaryCall<_millrace_v1_DeleteJobRequest__Output, _millrace_v1_DeleteJobResponse>;
  
  DeleteJobs: grpc.handleUnaryCall<_millrace_v1_DeleteJobsRequest__Output, _millrace_v1_DeleteJobsResponse>;
  
  GetJob: grpc.handleUnaryCall<_millrace_v1_GetJobRequest__Output, _millrace_v1_Job>;
  
  ListJobs: grpc.handleUnaryCall<_millrace_v1_ListJobsRequest__Output, _millrace_v1_ListJobsResponse>;
  
  ReadResult: grpc.handleServerStreamingCall<_millrace_v1_ReadResultRequest__Output, _millrace_v1_ReadResultResponse>;
  
  RetryJob: grpc.handleUnaryCall<_millrace_v1_RetryJobRequest__Output, _millrace_v1_Job>;
  
  RetryJobs: grpc.handleUnaryCall<_millrace_v1_RetryJobsRequest__Output, _millrace_v1_RetryJobsResponse>;
  
  StreamSubmit: grpc.handleBidiStreamingCall<_millrace_v1_StreamSubmitRequest__Output, _millrace_v1_StreamSubmitResponse>;
  
  SubmitJob: grpc.handleUnaryCall<_millrace_v1_SubmitJobRequest__Output, _millrace_v1_SubmitJobResponse>;
  
  WaitJob: grpc.handleUnaryCall<_millrace_v1_WaitJobRequest__Output, _millrace_v1_Job>;
  
  WatchJobs: grpc.handleServerStreamingCall<_millrace_v1_WatchJobsRequest__Output, _millrace_v1_JobEvent>;
  
}

export interface JobServiceDefinition extends grpc.ServiceDefinition {
  BatchSubmitJobs: MethodDefinition<_millrace_v1_BatchSubmitJobsRequest, _millrace_v1_BatchSubmitJobsResponse, _millrace_v1_BatchSubmitJobsRequest__Output, _millrace_v1_BatchSubmitJobsResponse__Output>
  CancelJob: MethodDefinition<_millrace_v1_CancelJobRequest, _millrace_v1_Job, _millrace_v1_CancelJobRequest__Output, _millrace_v1_Job__Output>
  CancelJobs: MethodDefinition<_millrace_v1_CancelJobsRequest, _millrace_v1_CancelJobsResponse, _millrace_v1_CancelJobsRequest__Output, _millrace_v1_CancelJobsResponse__Output>
  DeleteJob: MethodDefinition<_millrace_v1_DeleteJobRequest, _millrace_v1_DeleteJobResponse, _millrace_v1_DeleteJobRequest__Output, _millrace_v1_DeleteJobResponse__Output>
  DeleteJobs: MethodDefinition<_millrace_v1_DeleteJobsRequest, _millrace_v1_DeleteJobsResponse, _millrace_v1_DeleteJobsRequest__Output, _millrace_v1_DeleteJobsResponse__Output>
  GetJob: MethodDefinition<_millrace_v1_GetJobRequest, _millrace_v1_Job, _millrace_v1_GetJobRequest__Output, _millrace_v1_Job__Output>
  ListJobs: MethodDefinition<_millrace_v1_ListJobsRequest, _millrace_v1_ListJobsResponse, _millrace_v1_ListJobsRequest__Output, _millrace_v1_ListJobsResponse__Output>
  ReadResult: MethodDefinition<_millrace_v1_ReadResultRequest, _millrace_v1_ReadResultResponse, _millrace_v1_ReadResultRequest__Output, _millrace_v1_ReadResultResponse__Output>
  RetryJob: MethodDefinition<_millrace_v1_RetryJobRequest, _millrace_v1_Job, _millrace_v1_RetryJobRequest__Output, _millrace_v1_Job__Output>
  RetryJobs: MethodDefinition<_millrace_v1_RetryJobsRequest, _millrace_v1_RetryJobsResponse, _millrace_v1_RetryJobsRequest__Output, _millrace_v1_RetryJobsResponse__Output>
  StreamSubmit: MethodDefinition<_millrace_v1_StreamSubmitRequest, _millrace_v1_StreamSubmitResponse, _millrace_v1_StreamSubmitRequest__Output, _millrace_v1_StreamSubmitResponse__Output>
  SubmitJob: MethodDefinition<_millrace_v1_SubmitJobRequest, _millrace_v1_SubmitJobResponse, _millrace_v1_SubmitJobRequest__Output, _millrace_v1_SubmitJobResponse__Output>
  WaitJob: MethodDefinition<_millrace_v1_WaitJobRequest, _millrace_v1_Job, _millrace_v1_WaitJobRequest__Output, _millrace_v1_Job__Output>
  WatchJobs: MethodDefinition<_millrace_v1_WatchJobsRequest, _millrace_v1_JobEvent, _millrace_v1_WatchJobsRequest__Output, _millrace_v1_JobEvent__Output>
}
