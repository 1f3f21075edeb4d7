// Original file: proto/millrace/v1/worker_service.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { DrainWorkerRequest as _millrace_v1_DrainWorkerRequest, DrainWorkerRequest__Output as _millrace_v1_DrainWorkerRequest__Output } from '../../millrace/v1/DrainWorkerRequest.js';
import type { GetWorkerRequest as _millrace_v1_GetWorkerRequest, GetWorkerRequest__Output as _millrace_v1_GetWorkerRequest__Output } from '../../millrace/v1/GetWorkerRequest.js';
import type { ListWorkersRequest as _millrace_v1_ListWorkersRequest, ListWorkersRequest__Output as _millrace_v1_ListWorkersRequest__Output } from '../../millrace/v1/ListWorkersRequest.js';
import type { ListWorkersResponse as _millrace_v1_ListWorkersResponse, ListWorkersResponse__Output as _millrace_v1_ListWorkersResponse__Output } from '../../millrace/v1/ListWorkersResponse.js';
import type { ReadPayloadRequest as _millrace_v1_ReadPayloadRequest, ReadPayloadRequest__Output as _millrace_v1_ReadPayloadRequest__Output } from '../../millrace/v1/ReadPayloadRequest.js';
import type { ReadPayloadResponse as _millrace_v1_ReadPayloadResponse, ReadPayloadResponse__Output as _millrace_v1_ReadPayloadResponse__Output } from '../../millrace/v1/ReadPayloadResponse.js';
import type { ResumeWorkerRequest as _millrace_v1_ResumeWorkerRequest, ResumeWorkerRequest__Output as _millrace_v1_ResumeWorkerRequest__Output } from '../../millrace/v1/ResumeWorkerRequest.js';
import type { SyncRequest as _millrace_v1_SyncRequest, SyncRequest__Output as _millrace_v1_SyncRequest__Output } from '../../millrace/v1/SyncRequest.js';
import type { SyncResponse as _millrace_v1_SyncResponse, SyncResponse__Output as _millrace_v1_SyncResponse__Output } from '../../millrace/v1/SyncResponse.js';
import type { WorkRequest as _millrace_v1_WorkRequest, WorkRequest__Output as _millrace_v1_WorkRequest__Output } from '../../millrace/v1/WorkRequest.js';
import type { WorkResponse as _millrace_v1_WorkResponse, WorkResponse__Output as _millrace_v1_WorkResponse__Output } from '../../millrace/v1/WorkResponse.js';
import type { Worker as _millrace_v1_Worker, Worker__Output as _millrace_v1_Worker__Output } from '../../millrace/v1/Worker.js';
import type { WriteResultRequest as _millrace_v1_WriteResultRequest, WriteResultRequest__Output as _millrace_v1_WriteResultRequest__Output } from '../../millrace/v1/WriteResultRequest.js';
import type { WriteResultResponse as _millrace_v1_WriteResultResponse, WriteResultResponse__Output as _millrace_v1_WriteResultResponse__Output } from '../../millrace/v1/WriteResultResponse.js';

export interface WorkerServiceClient extends grpc.Client {
  DrainWorker(argument: _millrace_v1_DrainWorkerRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_Worker__Output>): grpc.ClientUnaryCall;
  DrainWorker(argument: _millrace_v1_DrainWorkerRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_Worker__Output>): grpc.ClientUnaryCall;
  DrainWorker(argument: _millrace_v1_DrainWorkerRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_Worker__Output>): grpc.ClientUnaryCall;
  DrainWorker(argument: _millrace_v1_DrainWorkerRequest, callback: grpc.requestCallback<_millrace_v1_Worker__Output>): grpc.ClientUnaryCall;
  drainWorker(argument: _millrace_v1_DrainWorkerRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_Worker__Output>): grpc.ClientUnaryCall;
  drainWorker(argument: _millrace_v1_DrainWorkerRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_Worker__Output>): grpc.ClientUnaryCall;
  drainWorker(argument: _millrace_v1_DrainWorkerRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_Worker__Output>): grpc.ClientUnaryCall;
  drainWorker(argument: _millrace_v1_DrainWorkerRequest, callback: grpc.requestCallback<_millrace_v1_Worker__Output>): grpc.ClientUnaryCall;
  
  GetWorker(argument: _millrace_v1_GetWorkerRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_Worker__Output>): grpc.ClientUnaryCall;
  GetWorker(argument: _millrace_v1_GetWorkerRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_Worker__Output>): grpc.ClientUnaryCall;
  GetWorker(argument: _millrace_v1_GetWorkerRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_Worker__Output>): grpc.ClientUnaryCall;
  GetWorker(argument: _millrace_v1_GetWorkerRequest, callback: grpc.requestCallback<_millrace_v1_Worker__Output>): grpc.ClientUnaryCall;
  getWorker(argument: _millrace_v1_GetWorkerRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_Worker__Output>): grpc.ClientUnaryCall;
  getWorker(argument: _millrace_v1_GetWorkerRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_Worker__Output>): grpc.ClientUnaryCall;
  getWorker(argument: _millrace_v1_GetWorkerRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_Worker__Output>): grpc.ClientUnaryCall;
  getWorker(argument: _millrace_v1_GetWorkerRequest, callback: grpc.requestCallback<_millrace_v1_Worker__Output>): grpc.ClientUnaryCall;
  
  ListWorkers(argument: _millrace_v1_ListWorkersRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_ListWorkersResponse__Output>): grpc.ClientUnaryCall;
  ListWorkers(argument: _millrace_v1_ListWorkersRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_ListWorkersResponse__Output>): grpc.ClientUnaryCall;
  ListWorkers(argument: _millrace_v1_ListWorkersRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_ListWorkersResponse__Output>): grpc.ClientUnaryCall;
  ListWorkers(argument: _millrace_v1_ListWorkersRequest, callback: grpc.requestCallback<_millrace_v1_ListWorkersResponse__Output>): grpc.ClientUnaryCall;
  listWorkers(argument: _millrace_v1_ListWorkersRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_ListWorkersResponse__Output>): grpc.ClientUnaryCall;
  listWorkers(argument: _millrace_v1_ListWorkersRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_ListWorkersResponse__Output>): grpc.ClientUnaryCall;
  listWorkers(argument: _millrace_v1_ListWorkersRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_ListWorkersResponse__Output>): grpc.ClientUnaryCall;
  listWorkers(argument: _millrace_v1_ListWorkersRequest, callback: grpc.requestCallback<_millrace_v1_ListWorkersResponse__Output>): grpc.ClientUnaryCall;
  
  ReadPayload(argument: _millrace_v1_ReadPayloadRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_millrace_v1_ReadPayloadResponse__Output>;
  ReadPayload(argument: _millrace_v1_ReadPayloadRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_millrace_v1_ReadPayloadResponse__Output>;
  readPayload(argument: _millrace_v1_ReadPayloadRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_millrace_v1_ReadPayloadResponse__Output>;
  readPayload(argument: _millrace_v1_ReadPayloadRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_millrace_v1_ReadPayloadResponse__Output>;
  
  ResumeWorker(argument: _millrace_v1_ResumeWorkerRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_Worker__Output>): grpc.ClientUnaryCall;
  ResumeWorker(argument: _millrace_v1_ResumeWorkerRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_Worker__Output>): grpc.ClientUnaryCall;
  ResumeWorker(argument: _millrace_v1_ResumeWorkerRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_Worker__Output>): grpc.ClientUnaryCall;
  ResumeWorker(argument: _millrace_v1_ResumeWorkerRequest, callback: grpc.requestCallback<_millrace_v1_Worker__Output>): grpc.ClientUnaryCall;
  resumeWorker(argument: _millrace_v1_ResumeWorkerRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_Worker__Output>): grpc.ClientUnaryCall;
  resumeWorker(argument: _millrace_v1_ResumeWorkerRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_Worker__Output>): grpc.ClientUnaryCall;
  resumeWorker(argument: _millrace_v1_ResumeWorkerRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_Worker__Output>): grpc.ClientUnaryCall;
  resumeWorker(argument: _millrace_v1_ResumeWorkerRequest, callback: grpc.requestCallback<_millrace_v1_Worker__Output>): grpc.ClientUnaryCall;
  
  Sync(argument: _millrace_v1_SyncRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_SyncResponse__Output>): grpc.ClientUnaryCall;
  Sync(argument: _millrace_v1_SyncRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_SyncResponse__Output>): grpc.ClientUnaryCall;
  Sync(argument: _millrace_v1_SyncRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_SyncResponse__Output>): grpc.ClientUnaryCall;
  Sync(argument: _millrace_v1_SyncRequest, callback: grpc.requestCallback<_millrace_v1_SyncResponse__Output>): grpc.ClientUnaryCall;
  sync(argument: _millrace_v1_SyncRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_SyncResponse__Output>): grpc.ClientUnaryCall;
  sync(argument: _millrace_v1_SyncRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_SyncResponse__Output>): grpc.ClientUnaryCall;
  sync(argument: _millrace_v1_SyncRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_SyncResponse__Output>): grpc.ClientUnaryCall;
  sync(argument: _millrace_v1_SyncRequest, callback: grpc.requestCallback<_millrace_v1_SyncResponse__Output>): grpc.ClientUnaryCall;
  
  Work(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_millrace_v1_WorkRequest, _millrace_v1_WorkResponse__Output>;
  Work(options?: grpc.CallOptions): grpc.ClientDuplexStream<_millrace_v1_WorkRequest, _millrace_v1_WorkResponse__Output>;
  work(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_millrace_v1_WorkRequest, _millrace_v1_WorkResponse__Output>;
  work(options?: grpc.CallOptions): grpc.ClientDuplexStream<_millrace_v1_WorkRequest, _millrace_v1_WorkResponse__Output>;
  
  WriteResult(metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_WriteResultResponse__Output>): grpc.ClientWritableStream<_millrace_v1_WriteResultRequest>;
  WriteResult(metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_WriteResultResponse__Output>): grpc.ClientWritableStream<_millrace_v1_WriteResultRequest>;
  WriteResult(options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_WriteResultResponse__Output>): grpc.ClientWritableStream<_millrace_v1_WriteResultRequest>;
  WriteResult(callback: grpc.requestCallback<_millrace_v1_WriteResultResponse__Output>): grpc.ClientWritableStream<_millrace_v1_WriteResultRequest>;
  writeResult(metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_WriteResultResponse__Output>): grpc.ClientWritableStream<_millrace_v1_WriteResultRequest>;
  writeResult(metadata: grpc.Metadata, callback: grpc.requestCallback<_millrace_v1_WriteResultResponse__Output>): grpc.ClientWritableStream<_millrace_v1_WriteResultRequest>;
  writeResult(options: grpc.CallOptions, callback: grpc.requestCallback<_millrace_v1_WriteResultResponse__Output>): grpc.ClientWritableStream<_millrace_v1_WriteResultRequest>;
  writeResult(callback: grpc.requestCallback<_millrace_v1_WriteResultResponse__Output>): grpc.ClientWritableStream<_millrace_v1_WriteResultRequest>;
  
}

export interface WorkerServiceHandlers extends grpc.UntypedServiceImplementation {
  DrainWorker: grpc.handleUnaryCall<_millrace_v1_DrainWorkerRequest__Output, _millrace_v1_Worker>;
  
  GetWorker: grpc.handleUnaryCall<_millrace_v1_GetWorkerRequest__Output, _millrace_v1_Worker>;
  
  ListWorkers: grpc.handleUnaryCall<_millrace_v1_ListWorkersRequest__Output, _millrace_v1_ListWorkersResponse>;
  
  ReadPayload: grpc.handleServerStreamingCall<_millrace_v1_ReadPayloadRequest__Output, _millrace_v1_ReadPayloadResponse>;
  
  ResumeWorker: grpc.handleUnaryCall<_millrace_v1_ResumeWorkerRequest__Output, _millrace_v1_Worker>;
  
  Sync: grpc.handleUnaryCall<_millrace_v1_SyncRequest__Output, _millrace_v1_SyncResponse>;
  
  Work: grpc.handleBidiStreamingCall<_millrace_v1_WorkRequest__Output, _millrace_v1_WorkResponse>;
  
  WriteResult: grpc.handleClientStreamingCall<_millrace_v1_WriteResultRequest__Output, _millrace_v1_WriteResultResponse>;
  
}

export interface WorkerServiceDefinition extends grpc.ServiceDefinition {
  DrainWorker: MethodDefinition<_millrace_v1_DrainWorkerRequest, _millrace_v1_Worker, _millrace_v1_DrainWorkerRequest__Output, _millrace_v1_Worker__Output>
  GetWorker: MethodDefinition<_millrace_v1_GetWorkerRequest, _millrace_v1_Worker, _millrace_v1_GetWorkerRequest__Output, _millrace_v1_Worker__Output>
  ListWorkers: MethodDefinition<_millrace_v1_ListWorkersRequest, _millrace_v1_ListWorkersResponse, _millrace_v1_ListWorkersRequest__Output, _millrace_v1_ListWorkersResponse__Output>
  ReadPayload: MethodDefinition<_millrace_v1_ReadPayloadRequest, _millrace_v1_ReadPayloadResponse, _millrace_v1_ReadPayloadRequest__Output, _millrace_v1_ReadPayloadResponse__Output>
  ResumeWorker: MethodDefinition<_millrace_v1_ResumeWorkerRequest, _millrace_v1_Worker, _millrace_v1_ResumeWorkerRequest__Output, _millrace_v1_Worker__Output>
  Sync: MethodDefinition<_millrace_v1_SyncRequest, _millrace_v1_SyncResponse, _millrace_v1_SyncRequest__Output, _millrace_v1_SyncResponse__Output>
  Work: MethodDefinition<_millrace_v1_WorkRequest, _millrace_v1_WorkResponse, _millrace_v1_WorkRequest__Output, _millrace_v1_WorkResponse__Output>
  WriteResult: MethodDefinition<_millrace_v1_WriteResultRequest, _millrace_v1_WriteResultResponse, _millrace_v1_WriteResultRequest__Output, _millrace_v1_WriteResultResponse__Output>
}
