// Original file: proto/millrace/v1/worker_service.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { WorkRequest as _millrace_v1_WorkRequest, WorkRequest__Output as _millrace_v1_WorkRequest__Output } from '../../millrace/v1/WorkRequest.js';
import type { WorkResponse as _millrace_v1_WorkResponse, WorkResponse__Output as _millrace_v1_WorkResponse__Output } from '../../millrace/v1/WorkResponse.js';

export interface WorkerServiceClient extends grpc.Client {
  Work(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_millrace_v1_WorkRequest, _millrace_v1_WorkResponse__Output>;
  Work(options?: grpc.CallOptions): grpc.ClientDuplexStream<_millrace_v1_WorkRequest, _millrace_v1_WorkResponse__Output>;
  work(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_millrace_v1_WorkRequest, _millrace_v1_WorkResponse__Output>;
  work(options?: grpc.CallOptions): grpc.ClientDuplexStream<_millrace_v1_WorkRequest, _millrace_v1_WorkResponse__Output>;
  
}

export interface WorkerServiceHandlers extends grpc.UntypedServiceImplementation {
  Work: grpc.handleBidiStreamingCall<_millrace_v1_WorkRequest__Output, _millrace_v1_WorkResponse>;
  
}

export interface WorkerServiceDefinition extends grpc.ServiceDefinition {
  Work: MethodDefinition<_millrace_v1_WorkRequest, _millrace_v1_WorkResponse, _millrace_v1_WorkRequest__Output, _millrace_v1_WorkResponse__Output>
}
