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
import type { HeldAttempt as _millrace_v1_HeldAttempt, HeldAttempt__Output as _millrace_v1_HeldAttempt__Output } from './millrace/v1/HeldAttempt.js';
import type { HeldList as _millrace_v1_HeldList, HeldList__Output as _millrace_v1_HeldList__Output } from './millrace/v1/HeldList.js';
import type { Job as _millrace_v1_Job, Job__Output as _millrace_v1_Job__Output } from './millrace/v1/Job.js';
import type { JobSpec as _millrace_v1_JobSpec, JobSpec__Output as _millrace_v1_JobSpec__Output } from './millrace/v1/JobSpec.js';
import type { KindOffer as _millrace_v1_KindOffer, KindOffer__Output as _millrace_v1_KindOffer__Output } from './millrace/v1/KindOffer.js';
import type { Lease as _millrace_v1_Lease, Lease__Output as _millrace_v1_Lease__Output } from './millrace/v1/Lease.js';
import type { Progress as _millrace_v1_Progress, Progress__Output as _millrace_v1_Progress__Output } from './millrace/v1/Progress.js';
import type { RetryPolicy as _millrace_v1_RetryPolicy, RetryPolicy__Output as _millrace_v1_RetryPolicy__Output } from './millrace/v1/RetryPolicy.js';
import type { TraceContext as _millrace_v1_TraceContext, TraceContext__Output as _millrace_v1_TraceContext__Output } from './millrace/v1/TraceContext.js';
import type { UniqueKey as _millrace_v1_UniqueKey, UniqueKey__Output as _millrace_v1_UniqueKey__Output } from './millrace/v1/UniqueKey.js';
import type { WorkRequest as _millrace_v1_WorkRequest, WorkRequest__Output as _millrace_v1_WorkRequest__Output } from './millrace/v1/WorkRequest.js';
import type { WorkResponse as _millrace_v1_WorkResponse, WorkResponse__Output as _millrace_v1_WorkResponse__Output } from './millrace/v1/WorkResponse.js';
import type { WorkerCredit as _millrace_v1_WorkerCredit, WorkerCredit__Output as _millrace_v1_WorkerCredit__Output } from './millrace/v1/WorkerCredit.js';
import type { WorkerDrain as _millrace_v1_WorkerDrain, WorkerDrain__Output as _millrace_v1_WorkerDrain__Output } from './millrace/v1/WorkerDrain.js';
import type { WorkerHeartbeat as _millrace_v1_WorkerHeartbeat, WorkerHeartbeat__Output as _millrace_v1_WorkerHeartbeat__Output } from './millrace/v1/WorkerHeartbeat.js';
import type { WorkerHeartbeatAck as _millrace_v1_WorkerHeartbeatAck, WorkerHeartbeatAck__Output as _millrace_v1_WorkerHeartbeatAck__Output } from './millrace/v1/WorkerHeartbeatAck.js';
import type { WorkerHello as _millrace_v1_WorkerHello, WorkerHello__Output as _millrace_v1_WorkerHello__Output } from './millrace/v1/WorkerHello.js';
import type { WorkerServiceClient as _millrace_v1_WorkerServiceClient, WorkerServiceDefinition as _millrace_v1_WorkerServiceDefinition } from './millrace/v1/WorkerService.js';
import type { WorkerWelcome as _millrace_v1_WorkerWelcome, WorkerWelcome__Output as _millrace_v1_WorkerWelcome__Output } from './millrace/v1/WorkerWelcome.js';

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
      Durability: EnumTypeDefinition
      HeldAttempt: MessageTypeDefinition<_millrace_v1_HeldAttempt, _millrace_v1_HeldAttempt__Output>
      HeldList: MessageTypeDefinition<_millrace_v1_HeldList, _millrace_v1_HeldList__Output>
      Job: MessageTypeDefinition<_millrace_v1_Job, _millrace_v1_Job__Output>
      JobSpec: MessageTypeDefinition<_millrace_v1_JobSpec, _millrace_v1_JobSpec__Output>
      JobState: EnumTypeDefinition
      JobView: EnumTypeDefinition
      KindOffer: MessageTypeDefinition<_millrace_v1_KindOffer, _millrace_v1_KindOffer__Output>
      Lease: MessageTypeDefinition<_millrace_v1_Lease, _millrace_v1_Lease__Output>
      OnFull: EnumTypeDefinition
      Progress: MessageTypeDefinition<_millrace_v1_Progress, _millrace_v1_Progress__Output>
      RetryPolicy: MessageTypeDefinition<_millrace_v1_RetryPolicy, _millrace_v1_RetryPolicy__Output>
      TraceContext: MessageTypeDefinition<_millrace_v1_TraceContext, _millrace_v1_TraceContext__Output>
      UniqueKey: MessageTypeDefinition<_millrace_v1_UniqueKey, _millrace_v1_UniqueKey__Output>
      WorkRequest: MessageTypeDefinition<_millrace_v1_WorkRequest, _millrace_v1_WorkRequest__Output>
      WorkResponse: MessageTypeDefinition<_millrace_v1_WorkResponse, _millrace_v1_WorkResponse__Output>
      WorkerCredit: MessageTypeDefinition<_millrace_v1_WorkerCredit, _millrace_v1_WorkerCredit__Output>
      WorkerDrain: MessageTypeDefinition<_millrace_v1_WorkerDrain, _millrace_v1_WorkerDrain__Output>
      WorkerHeartbeat: MessageTypeDefinition<_millrace_v1_WorkerHeartbeat, _millrace_v1_WorkerHeartbeat__Output>
      WorkerHeartbeatAck: MessageTypeDefinition<_millrace_v1_WorkerHeartbeatAck, _millrace_v1_WorkerHeartbeatAck__Output>
      WorkerHello: MessageTypeDefinition<_millrace_v1_WorkerHello, _millrace_v1_WorkerHello__Output>
      WorkerService: SubtypeConstructor<typeof grpc.Client, _millrace_v1_WorkerServiceClient> & { service: _millrace_v1_WorkerServiceDefinition }
      WorkerWelcome: MessageTypeDefinition<_millrace_v1_WorkerWelcome, _millrace_v1_WorkerWelcome__Output>
    }
  }
}

