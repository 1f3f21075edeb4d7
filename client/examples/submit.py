"""Submit one job and wait for its result, from Python.

    python3 -m venv /tmp/millrace-py && /tmp/millrace-py/bin/pip install grpcio-tools googleapis-common-protos
    /tmp/millrace-py/bin/python -m grpc_tools.protoc -I proto --python_out=/tmp/millrace-py --grpc_python_out=/tmp/millrace-py \
        proto/millrace/v1/job.proto proto/millrace/v1/job_service.proto
    PYTHONPATH=/tmp/millrace-py /tmp/millrace-py/bin/python client/examples/submit.py
"""
import sys

import grpc
from millrace.v1 import job_pb2, job_service_pb2, job_service_pb2_grpc

with grpc.insecure_channel(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:7070") as channel:
    jobs = job_service_pb2_grpc.JobServiceStub(channel)
    spec = job_pb2.JobSpec(kind="sha256", payload=b"the quick brown fox")
    accepted = jobs.SubmitJob(job_service_pb2.SubmitJobRequest(spec=spec), timeout=10)
    job = jobs.WaitJob(job_service_pb2.WaitJobRequest(id=accepted.id), timeout=30)
    print(accepted.id, job_pb2.JobState.Name(job.state), job.result.decode())
