import type * as grpc from '@grpc/grpc-js';
import type { EnumTypeDefinition, MessageTypeDefinition } from '@grpc/proto-loader';

import type { Duration as _google_protobuf_Duration, Duration__Output as _google_protobuf_Duration__Output } from './google/protobuf/Duration.js';
import type { Timestamp as _google_protobuf_Timestamp, Timestamp__Output as _google_protobuf_Timestamp__Output } from './google/protobuf/Timestamp.js';
import type { Attempt as _millrace_v1_Attempt, Attempt__Output as _millrace_v1_Attempt__Output } from './millrace/v1/Attempt.js';
import type { AttemptEnd as _millrace_v1_AttemptEnd, AttemptEnd__Output as _millrace_v1_AttemptEnd__Output } from './millrace/v1/AttemptEnd.js';
import type { AttemptError as _millrace_v1_AttemptError, AttemptError__Output as _millrace_v1_AttemptError__Output } from './millrace/v1/AttemptError.js';
import type { AttemptFailure as _millrace_v1_AttemptFailure, AttemptFailure__Output as _millrace_v1_AttemptFailure__Output } from './millrace/v1/AttemptFailure.js';
import type { AttemptOutput as _millrace_v1_AttemptOutput, AttemptOutput__Output as _millrace_v1_AttemptOutput__Output } from './millrace/v1/AttemptOutput.js';
import type { AttemptRef as _millrace_v1_AttemptRef, AttemptRef__Output as _millrace_v1_AttemptRef__Output } from './millrace/v1/AttemptRef.js';
import type { AttemptStop as _millrace_v1_AttemptStop, AttemptStop__Output as _millrace_v1_AttemptStop__Output } from './millrace/v1/AttemptStop.js';
import type { AttemptTimings as _millrace_v1_AttemptTimings, AttemptTimings__Output as _millrace_v1_AttemptTimings__Output } from './millrace/v1/AttemptTimings.js';
import type { DrainWorkerRequest as _millrace_v1_DrainWorkerRequest, DrainWorkerRequest__Output as _millrace_v1_DrainWorkerRequest__Output } from './millrace/v1/DrainWorkerRequest.js';
import type { GetWorkerRequest as _millrace_v1_GetWorkerRequest, GetWorkerRequest__Output as _millrace_v1_GetWorkerRequest__Output } from './millrace/v1/GetWorkerRequest.js';
import type { HeldAttempt as _millrace_v1_HeldAttempt, HeldAttempt__Output as _millrace_v1_HeldAttempt__Output } from './millrace/v1/HeldAttempt.js';
import type { HeldList as _millrace_v1_HeldList, HeldList__Output as _millrace_v1_HeldList__Output } from './millrace/v1/HeldList.js';
import type { Job as _millrace_v1_Job, Job__Output as _millrace_v1_Job__Output } from './millrace/v1/Job.js';
import type { JobSpec as _millrace_v1_JobSpec, JobSpec__Output as _millrace_v1_JobSpec__Output } from './millrace/v1/JobSpec.js';
import type { KindOffer as _millrace_v1_KindOffer, KindOffer__Output as _millrace_v1_KindOffer__Output } from './millrace/v1/KindOffer.js';
import type { Lease as _millrace_v1_Lease, Lease__Output as _millrace_v1_Lease__Output } from './millrace/v1/Lease.js';
import type { ListWorkersRequest as _millrace_v1_ListWorkersRequest, ListWorkersRequest__Output as _millrace_v1_ListWorkersRequest__Output } from './millrace/v1/ListWorkersRequest.js';
import type { ListWorkersResponse as _millrace_v1_ListWorkersResponse, ListWorkersResponse__Output as _millrace_v1_ListWorkersResponse__Output } from './millrace/v1/ListWorkersResponse.js';
import type { Placement as _millrace_v1_Placement, Placement__Output as _millrace_v1_Placement__Output } from './millrace/v1/Placement.js';
import type { Progress as _millrace_v1_Progress, Progress__Output as _millrace_v1_Progress__Output } from './millrace/v1/Progress.js';
import type { ReadPayloadRequest as _millrace_v1_ReadPayloadRequest, ReadPayloadRequest__Output as _millrace_v1_ReadPayloadRequest__Output } from './millrace/v1/ReadPayloadRequest.js';
import type { ReadPayloadResponse as _millrace_v1_ReadPayloadResponse, ReadPayloadResponse__Output as _millrace_v1_ReadPayloadResponse__Output } from './millrace/v1/ReadPayloadResponse.js';
import type { ResumeWorkerRequest as _millrace_v1_ResumeWorkerRequest, ResumeWorkerRequest__Output as _millrace_v1_ResumeWorkerRequest__Output } from './millrace/v1/ResumeWorkerRequest.js';
import type { RetryPolicy as _millrace_v1_RetryPolicy, RetryPolicy__Output as _millrace_v1_RetryPolicy__Output } from './millrace/v1/RetryPolicy.js';
import type { SyncRequest as _millrace_v1_SyncRequest, SyncRequest__Output as _millrace_v1_SyncRequest__Output } from './millrace/v1/SyncRequest.js';
import type { SyncResponse as _millrace_v1_SyncResponse, SyncResponse__Output as _millrace_v1_SyncResponse__Output } from './millrace/v1/SyncResponse.js';
import type { TraceContext as _millrace_v1_TraceContext, TraceContext__Output as _millrace_v1_TraceContext__Output } from './millrace/v1/TraceContext.js';
import type { UniqueKey as _millrace_v1_UniqueKey, UniqueKey__Output as _millrace_v1_UniqueKey__Output } from './millrace/v1/UniqueKey.js';
import type { Waiting as _millrace_v1_Waiting, Waiting__Output as _millrace_v1_Waiting__Output } from './millrace/v1/Waiting.js';
import type { WorkRequest as _millrace_v1_WorkRequest, WorkRequest__Output as _millrace_v1_WorkRequest__Output } from './millrace/v1/WorkRequest.js';
import type { WorkResponse as _millrace_v1_WorkResponse, WorkResponse__Output as _millrace_v1_WorkResponse__Output } from './millrace/v1/WorkResponse.js';
import type { Worker as _millrace_v1_Worker, Worker__Output as _millrace_v1_Worker__Output } from './millrace/v1/Worker.js';
import type { WorkerAttempt as _millrace_v1_WorkerAttempt, WorkerAttempt__Output as _millrace_v1_WorkerAttempt__Output } from './millrace/v1/WorkerAttempt.js';
import type { WorkerCredit as _millrace_v1_WorkerCredit, WorkerCredit__Output as _millrace_v1_WorkerCredit__Output } from './millrace/v1/WorkerCredit.js';
import type { WorkerDrain as _millrace_v1_WorkerDrain, WorkerDrain__Output as _millrace_v1_WorkerDrain__Output } from './millrace/v1/WorkerDrain.js';
import type { WorkerHeartbeat as _millrace_v1_WorkerHeartbeat, WorkerHeartbeat__Output as _millrace_v1_WorkerHeartbeat__Output } from './millrace/v1/WorkerHeartbeat.js';
import type { WorkerHeartbeatAck as _millrace_v1_WorkerHeartbeatAck, WorkerHeartbeatAck__Output as _millrace_v1_WorkerHeartbeatAck__Output } from './millrace/v1/WorkerHeartbeatAck.js';
import type { WorkerHello as _millrace_v1_WorkerHello, WorkerHello__Output as _millrace_v1_WorkerHello__Output } from './millrace/v1/WorkerHello.js';
import type { WorkerServiceClient as _millrace_v1_WorkerServiceClient, WorkerServiceDefinition as _millrace_v1_WorkerServiceDefinition } from './millrace/v1/WorkerService.js';
import type { WorkerWelcome as _millrace_v1_WorkerWelcome, WorkerWelcome__Output as _millrace_v1_WorkerWelcome__Output } from './millrace/v1/WorkerWelcome.js';
import type { WriteResultRequest as _millrace_v1_WriteResultRequest, WriteResultRequest__Output as _millrace_v1_WriteResultRequest__Output } from './millrace/v1/WriteResultRequest.js';
import type { WriteResultResponse as _millrace_v1_WriteResultResponse, WriteResultResponse__Output as _millrace_v1_WriteResultResponse__Output } from './millrace/v1/WriteResultResponse.js';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  google: {
    protobuf: {
      Duration: MessageTypeDefinition<_google_protobuf_Duration, _google_protobuf_Duration__Output>
      Timestamp: MessageTypeDefinition<_google_protobuf_Timestamp, _google_protobuf_Timestamp__Output>
    }
  }
  millrace: {
    v1: {
      Attempt: MessageTypeDefinition<_millrace_v1_Attempt, _millrace_v1_Attempt__Output>
      AttemptEnd: MessageTypeDefinition<_millrace_v1_AttemptEnd, _millrace_v1_AttemptEnd__Output>
      AttemptError: MessageTypeDefinition<_millrace_v1_AttemptError, _millrace_v1_AttemptError__Output>
      AttemptFailure: MessageTypeDefinition<_millrace_v1_AttemptFailure, _millrace_v1_AttemptFailure__Output>
      AttemptOutput: MessageTypeDefinition<_millrace_v1_AttemptOutput, _millrace_v1_AttemptOutput__Output>
      AttemptRef: MessageTypeDefinition<_millrace_v1_AttemptRef, _millrace_v1_AttemptRef__Output>
      AttemptResult: EnumTypeDefinition
      AttemptStop: MessageTypeDefinition<_millrace_v1_AttemptStop, _millrace_v1_AttemptStop__Output>
      AttemptTimings: MessageTypeDefinition<_millrace_v1_AttemptTimings, _millrace_v1_AttemptTimings__Output>
      Band: EnumTypeDefinition
      DrainWorkerRequest: MessageTypeDefinition<_millrace_v1_DrainWorkerRequest, _millrace_v1_DrainWorkerRequest__Output>
      Durability: EnumTypeDefinition
      GetWorkerRequest: MessageTypeDefinition<_millrace_v1_GetWorkerRequest, _millrace_v1_GetWorkerRequest__Output>
      HeldAttempt: MessageTypeDefinition<_millrace_v1_HeldAttempt, _millrace_v1_HeldAttempt__Output>
      HeldList: MessageTypeDefinition<_millrace_v1_HeldList, _millrace_v1_HeldList__Output>
      Job: MessageTypeDefinition<_millrace_v1_Job, _millrace_v1_Job__Output>
      JobSpec: MessageTypeDefinition<_millrace_v1_JobSpec, _millrace_v1_JobSpec__Output>
      JobState: EnumTypeDefinition
      JobView: EnumTypeDefinition
      KindOffer: MessageTypeDefinition<_millrace_v1_KindOffer, _millrace_v1_KindOffer__Output>
      Lease: MessageTypeDefinition<_millrace_v1_Lease, _millrace_v1_Lease__Output>
      ListWorkersRequest: MessageTypeDefinition<_millrace_v1_ListWorkersRequest, _millrace_v1_ListWorkersRequest__Output>
      ListWorkersResponse: MessageTypeDefinition<_millrace_v1_ListWorkersResponse, _millrace_v1_ListWorkersResponse__Output>
      OnFull: EnumTypeDefinition
      Placement: MessageTypeDefinition<_millrace_v1_Placement, _millrace_v1_Placement__Output>
      Progress: MessageTypeDefinition<_millrace_v1_Progress, _millrace_v1_Progress__Output>
      ReadPayloadRequest: MessageTypeDefinition<_millrace_v1_ReadPayloadRequest, _millrace_v1_ReadPayloadRequest__Output>
      ReadPayloadResponse: MessageTypeDefinition<_millrace_v1_ReadPayloadResponse, _millrace_v1_ReadPayloadResponse__Output>
      ResumeWorkerRequest: MessageTypeDefinition<_millrace_v1_ResumeWorkerRequest, _millrace_v1_ResumeWorkerRequest__Output>
      RetryPolicy: MessageTypeDefinition<_millrace_v1_RetryPolicy, _millrace_v1_RetryPolicy__Output>
      SyncRequest: MessageTypeDefinition<_millrace_v1_SyncRequest, _millrace_v1_SyncRequest__Output>
      SyncResponse: MessageTypeDefinition<_millrace_v1_SyncResponse, _millrace_v1_SyncResponse__Output>
      TraceContext: MessageTypeDefinition<_millrace_v1_TraceContext, _millrace_v1_TraceContext__Output>
      UniqueKey: MessageTypeDefinition<_millrace_v1_UniqueKey, _millrace_v1_UniqueKey__Output>
      Waiting: MessageTypeDefinition<_millrace_v1_Waiting, _millrace_v1_Waiting__Output>
      WorkRequest: MessageTypeDefinition<_millrace_v1_WorkRequest, _millrace_v1_WorkRequest__Output>
      WorkResponse: MessageTypeDefinition<_millrace_v1_WorkResponse, _millrace_v1_WorkResponse__Output>
      Worker: MessageTypeDefinition<_millrace_v1_Worker, _millrace_v1_Worker__Output>
      WorkerAttempt: MessageTypeDefinition<_millrace_v1_WorkerAttempt, _millrace_v1_WorkerAttempt__Output>
      WorkerCredit: MessageTypeDefinition<_millrace_v1_WorkerCredit, _millrace_v1_WorkerCredit__Output>
      WorkerDrain: MessageTypeDefinition<_millrace_v1_WorkerDrain, _millrace_v1_WorkerDrain__Output>
      WorkerHeartbeat: MessageTypeDefinition<_millrace_v1_WorkerHeartbeat, _millrace_v1_WorkerHeartbeat__Output>
      WorkerHeartbeatAck: MessageTypeDefinition<_millrace_v1_WorkerHeartbeatAck, _millrace_v1_WorkerHeartbeatAck__Output>
      WorkerHello: MessageTypeDefinition<_millrace_v1_WorkerHello, _millrace_v1_WorkerHello__Output>
      WorkerService: SubtypeConstructor<typeof grpc.Client, _millrace_v1_WorkerServiceClient> & { service: _millrace_v1_WorkerServiceDefinition }
      WorkerWelcome: MessageTypeDefinition<_millrace_v1_WorkerWelcome, _millrace_v1_WorkerWelcome__Output>
      WriteResultRequest: MessageTypeDefinition<_millrace_v1_WriteResultRequest, _millrace_v1_WriteResultRequest__Output>
      WriteResultResponse: MessageTypeDefinition<_millrace_v1_WriteResultResponse, _millrace_v1_WriteResultResponse__Output>
    }
  }
}

