import type * as grpc from '@grpc/grpc-js';
import type { EnumTypeDefinition, MessageTypeDefinition } from '@grpc/proto-loader';

import type { Any as _google_protobuf_Any, Any__Output as _google_protobuf_Any__Output } from './google/protobuf/Any.js';
import type { Duration as _google_protobuf_Duration, Duration__Output as _google_protobuf_Duration__Output } from './google/protobuf/Duration.js';
import type { Timestamp as _google_protobuf_Timestamp, Timestamp__Output as _google_protobuf_Timestamp__Output } from './google/protobuf/Timestamp.js';
import type { Status as _google_rpc_Status, Status__Output as _google_rpc_Status__Output } from './google/rpc/Status.js';
import type { Attempt as _millrace_v1_Attempt, Attempt__Output as _millrace_v1_Attempt__Output } from './millrace/v1/Attempt.js';
import type { AttemptTimings as _millrace_v1_AttemptTimings, AttemptTimings__Output as _millrace_v1_AttemptTimings__Output } from './millrace/v1/AttemptTimings.js';
import type { BatchSubmitJobsRequest as _millrace_v1_BatchSubmitJobsRequest, BatchSubmitJobsRequest__Output as _millrace_v1_BatchSubmitJobsRequest__Output } from './millrace/v1/BatchSubmitJobsRequest.js';
import type { BatchSubmitJobsResponse as _millrace_v1_BatchSubmitJobsResponse, BatchSubmitJobsResponse__Output as _millrace_v1_BatchSubmitJobsResponse__Output } from './millrace/v1/BatchSubmitJobsResponse.js';
import type { CancelJobRequest as _millrace_v1_CancelJobRequest, CancelJobRequest__Output as _millrace_v1_CancelJobRequest__Output } from './millrace/v1/CancelJobRequest.js';
import type { CancelJobsRequest as _millrace_v1_CancelJobsRequest, CancelJobsRequest__Output as _millrace_v1_CancelJobsRequest__Output } from './millrace/v1/CancelJobsRequest.js';
import type { CancelJobsResponse as _millrace_v1_CancelJobsResponse, CancelJobsResponse__Output as _millrace_v1_CancelJobsResponse__Output } from './millrace/v1/CancelJobsResponse.js';
import type { DeleteJobRequest as _millrace_v1_DeleteJobRequest, DeleteJobRequest__Output as _millrace_v1_DeleteJobRequest__Output } from './millrace/v1/DeleteJobRequest.js';
import type { DeleteJobResponse as _millrace_v1_DeleteJobResponse, DeleteJobResponse__Output as _millrace_v1_DeleteJobResponse__Output } from './millrace/v1/DeleteJobResponse.js';
import type { DeleteJobsRequest as _millrace_v1_DeleteJobsRequest, DeleteJobsRequest__Output as _millrace_v1_DeleteJobsRequest__Output } from './millrace/v1/DeleteJobsRequest.js';
import type { DeleteJobsResponse as _millrace_v1_DeleteJobsResponse, DeleteJobsResponse__Output as _millrace_v1_DeleteJobsResponse__Output } from './millrace/v1/DeleteJobsResponse.js';
import type { GetJobRequest as _millrace_v1_GetJobRequest, GetJobRequest__Output as _millrace_v1_GetJobRequest__Output } from './millrace/v1/GetJobRequest.js';
import type { Job as _millrace_v1_Job, Job__Output as _millrace_v1_Job__Output } from './millrace/v1/Job.js';
import type { JobEvent as _millrace_v1_JobEvent, JobEvent__Output as _millrace_v1_JobEvent__Output } from './millrace/v1/JobEvent.js';
import type { JobServiceClient as _millrace_v1_JobServiceClient, JobServiceDefinition as _millrace_v1_JobServiceDefinition } from './millrace/v1/JobService.js';
import type { JobSpec as _millrace_v1_JobSpec, JobSpec__Output as _millrace_v1_JobSpec__Output } from './millrace/v1/JobSpec.js';
import type { ListJobsRequest as _millrace_v1_ListJobsRequest, ListJobsRequest__Output as _millrace_v1_ListJobsRequest__Output } from './millrace/v1/ListJobsRequest.js';
import type { ListJobsResponse as _millrace_v1_ListJobsResponse, ListJobsResponse__Output as _millrace_v1_ListJobsResponse__Output } from './millrace/v1/ListJobsResponse.js';
import type { Placement as _millrace_v1_Placement, Placement__Output as _millrace_v1_Placement__Output } from './millrace/v1/Placement.js';
import type { Progress as _millrace_v1_Progress, Progress__Output as _millrace_v1_Progress__Output } from './millrace/v1/Progress.js';
import type { ReadResultRequest as _millrace_v1_ReadResultRequest, ReadResultRequest__Output as _millrace_v1_ReadResultRequest__Output } from './millrace/v1/ReadResultRequest.js';
import type { ReadResultResponse as _millrace_v1_ReadResultResponse, ReadResultResponse__Output as _millrace_v1_ReadResultResponse__Output } from './millrace/v1/ReadResultResponse.js';
import type { RetryJobRequest as _millrace_v1_RetryJobRequest, RetryJobRequest__Output as _millrace_v1_RetryJobRequest__Output } from './millrace/v1/RetryJobRequest.js';
import type { RetryJobsRequest as _millrace_v1_RetryJobsRequest, RetryJobsRequest__Output as _millrace_v1_RetryJobsRequest__Output } from './millrace/v1/RetryJobsRequest.js';
import type { RetryJobsResponse as _millrace_v1_RetryJobsResponse, RetryJobsResponse__Output as _millrace_v1_RetryJobsResponse__Output } from './millrace/v1/RetryJobsResponse.js';
import type { RetryPolicy as _millrace_v1_RetryPolicy, RetryPolicy__Output as _millrace_v1_RetryPolicy__Output } from './millrace/v1/RetryPolicy.js';
import type { StreamSubmitRequest as _millrace_v1_StreamSubmitRequest, StreamSubmitRequest__Output as _millrace_v1_StreamSubmitRequest__Output } from './millrace/v1/StreamSubmitRequest.js';
import type { StreamSubmitResponse as _millrace_v1_StreamSubmitResponse, StreamSubmitResponse__Output as _millrace_v1_StreamSubmitResponse__Output } from './millrace/v1/StreamSubmitResponse.js';
import type { SubmitJobRequest as _millrace_v1_SubmitJobRequest, SubmitJobRequest__Output as _millrace_v1_SubmitJobRequest__Output } from './millrace/v1/SubmitJobRequest.js';
import type { SubmitJobResponse as _millrace_v1_SubmitJobResponse, SubmitJobResponse__Output as _millrace_v1_SubmitJobResponse__Output } from './millrace/v1/SubmitJobResponse.js';
import type { TraceContext as _millrace_v1_TraceContext, TraceContext__Output as _millrace_v1_TraceContext__Output } from './millrace/v1/TraceContext.js';
import type { UniqueKey as _millrace_v1_UniqueKey, UniqueKey__Output as _millrace_v1_UniqueKey__Output } from './millrace/v1/UniqueKey.js';
import type { WaitJobRequest as _millrace_v1_WaitJobRequest, WaitJobRequest__Output as _millrace_v1_WaitJobRequest__Output } from './millrace/v1/WaitJobRequest.js';
import type { Waiting as _millrace_v1_Waiting, Waiting__Output as _millrace_v1_Waiting__Output } from './millrace/v1/Waiting.js';
import type { WatchJobsRequest as _millrace_v1_WatchJobsRequest, WatchJobsRequest__Output as _millrace_v1_WatchJobsRequest__Output } from './millrace/v1/WatchJobsRequest.js';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  google: {
    protobuf: {
      Any: MessageTypeDefinition<_google_protobuf_Any, _google_protobuf_Any__Output>
      Duration: MessageTypeDefinition<_google_protobuf_Duration, _google_protobuf_Duration__Output>
      Timestamp: MessageTypeDefinition<_google_protobuf_Timestamp, _google_protobuf_Timestamp__Output>
    }
    rpc: {
      Status: MessageTypeDefinition<_google_rpc_Status, _google_rpc_Status__Output>
    }
  }
  millrace: {
    v1: {
      Attempt: MessageTypeDefinition<_millrace_v1_Attempt, _millrace_v1_Attempt__Output>
      AttemptResult: EnumTypeDefinition
      AttemptTimings: MessageTypeDefinition<_millrace_v1_AttemptTimings, _millrace_v1_AttemptTimings__Output>
      Band: EnumTypeDefinition
      BatchSubmitJobsRequest: MessageTypeDefinition<_millrace_v1_BatchSubmitJobsRequest, _millrace_v1_BatchSubmitJobsRequest__Output>
      BatchSubmitJobsResponse: MessageTypeDefinition<_millrace_v1_BatchSubmitJobsResponse, _millrace_v1_BatchSubmitJobsResponse__Output>
      CancelJobRequest: MessageTypeDefinition<_millrace_v1_CancelJobRequest, _millrace_v1_CancelJobRequest__Output>
      CancelJobsRequest: MessageTypeDefinition<_millrace_v1_CancelJobsRequest, _millrace_v1_CancelJobsRequest__Output>
      CancelJobsResponse: MessageTypeDefinition<_millrace_v1_CancelJobsResponse, _millrace_v1_CancelJobsResponse__Output>
      DeleteJobRequest: MessageTypeDefinition<_millrace_v1_DeleteJobRequest, _millrace_v1_DeleteJobRequest__Output>
      DeleteJobResponse: MessageTypeDefinition<_millrace_v1_DeleteJobResponse, _millrace_v1_DeleteJobResponse__Output>
      DeleteJobsRequest: MessageTypeDefinition<_millrace_v1_DeleteJobsRequest, _millrace_v1_DeleteJobsRequest__Output>
      DeleteJobsResponse: MessageTypeDefinition<_millrace_v1_DeleteJobsResponse, _millrace_v1_DeleteJobsResponse__Output>
      Durability: EnumTypeDefinition
      GetJobRequest: MessageTypeDefinition<_millrace_v1_GetJobRequest, _millrace_v1_GetJobRequest__Output>
      Job: MessageTypeDefinition<_millrace_v1_Job, _millrace_v1_Job__Output>
      JobEvent: MessageTypeDefinition<_millrace_v1_JobEvent, _millrace_v1_JobEvent__Output>
      JobService: SubtypeConstructor<typeof grpc.Client, _millrace_v1_JobServiceClient> & { service: _millrace_v1_JobServiceDefinition }
      JobSpec: MessageTypeDefinition<_millrace_v1_JobSpec, _millrace_v1_JobSpec__Output>
      JobState: EnumTypeDefinition
      JobView: EnumTypeDefinition
      ListJobsRequest: MessageTypeDefinition<_millrace_v1_ListJobsRequest, _millrace_v1_ListJobsRequest__Output>
      ListJobsResponse: MessageTypeDefinition<_millrace_v1_ListJobsResponse, _millrace_v1_ListJobsResponse__Output>
      OnFull: EnumTypeDefinition
      Placement: MessageTypeDefinition<_millrace_v1_Placement, _millrace_v1_Placement__Output>
      Progress: MessageTypeDefinition<_millrace_v1_Progress, _millrace_v1_Progress__Output>
      ReadResultRequest: MessageTypeDefinition<_millrace_v1_ReadResultRequest, _millrace_v1_ReadResultRequest__Output>
      ReadResultResponse: MessageTypeDefinition<_millrace_v1_ReadResultResponse, _millrace_v1_ReadResultResponse__Output>
      RetryJobRequest: MessageTypeDefinition<_millrace_v1_RetryJobRequest, _millrace_v1_RetryJobRequest__Output>
      RetryJobsRequest: MessageTypeDefinition<_millrace_v1_RetryJobsRequest, _millrace_v1_RetryJobsRequest__Output>
      RetryJobsResponse: MessageTypeDefinition<_millrace_v1_RetryJobsResponse, _millrace_v1_RetryJobsResponse__Output>
      RetryPolicy: MessageTypeDefinition<_millrace_v1_RetryPolicy, _millrace_v1_RetryPolicy__Output>
      StreamSubmitRequest: MessageTypeDefinition<_millrace_v1_StreamSubmitRequest, _millrace_v1_StreamSubmitRequest__Output>
      StreamSubmitResponse: MessageTypeDefinition<_millrace_v1_StreamSubmitResponse, _millrace_v1_StreamSubmitResponse__Output>
      SubmitJobRequest: MessageTypeDefinition<_millrace_v1_SubmitJobRequest, _millrace_v1_SubmitJobRequest__Output>
      SubmitJobResponse: MessageTypeDefinition<_millrace_v1_SubmitJobResponse, _millrace_v1_SubmitJobResponse__Output>
      TraceContext: MessageTypeDefinition<_millrace_v1_TraceContext, _millrace_v1_TraceContext__Output>
      UniqueKey: MessageTypeDefinition<_millrace_v1_UniqueKey, _millrace_v1_UniqueKey__Output>
      WaitJobRequest: MessageTypeDefinition<_millrace_v1_WaitJobRequest, _millrace_v1_WaitJobRequest__Output>
      Waiting: MessageTypeDefinition<_millrace_v1_Waiting, _millrace_v1_Waiting__Output>
      WatchJobsRequest: MessageTypeDefinition<_millrace_v1_WatchJobsRequest, _millrace_v1_WatchJobsRequest__Output>
    }
  }
}

