"""A proxy between a peer of today and a daemon of today that makes each of the two an old one for the other: what is
not in old_protos/ is left out of every message, both ways, and calls that are not there are UNIMPLEMENTED.

    old_peer.py FOLDER DAEMON_ADDRESS     FOLDER: what old_protos/ was compiled to is left there

Its address is the first line that it prints. It ends with SIGTERM.
"""
import asyncio
import pathlib
import signal
import sys

import grpc
import grpc.aio
import grpc_tools
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_tools import protoc

_HERE = pathlib.Path(__file__).resolve().parent
_OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1),
            ("grpc.enable_http_proxy", 0)]


def old_methods(folder):
    """By path: the classes of the request and the response."""
    compiled = pathlib.Path(folder) / "old_protos.bin"
    sources = sorted(str(each.relative_to(_HERE / "old_protos")) for each in (_HERE / "old_protos").rglob("*.proto"))
    # google.rpc is the same everywhere.
    rc = protoc.main(["protoc", f"-I{_HERE / 'old_protos'}", f"-I{_HERE.parents[1] / 'proto'}",
                      f"-I{pathlib.Path(grpc_tools.__file__).parent / '_proto'}", "--include_imports",
                      f"--descriptor_set_out={compiled}", *sources])
    if rc != 0:
        sys.exit("old_protos/ does not compile")
    files = descriptor_pb2.FileDescriptorSet.FromString(compiled.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for each in files.file:  # Those that others import come first.
        pool.Add(each)
    methods = {}
    for name in sources:
        for service in pool.FindFileByName(name).services_by_name.values():
            for method in service.methods:
                methods[f"/{service.full_name}/{method.name}"] = (
                    message_factory.GetMessageClass(method.input_type),
                    message_factory.GetMessageClass(method.output_type))
    return methods


def scrubber(message_class):
    def scrub(data):
        message = message_class.FromString(data)
        message.DiscardUnknownFields()
        return message.SerializeToString()

    return scrub


async def refuse(_, context):
    """As a server of gRPC in C++ does, without a word."""
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, "")
    yield


class OldPeer(grpc.GenericRpcHandler):
    """On the wire a call with one message is a stream of one, so all calls are passed on as streams both ways."""

    def __init__(self, methods, channel):
        self._methods = methods
        self._channel = channel

    def service(self, details):
        known = self._methods.get(details.method)
        if known is None:
            return grpc.stream_stream_rpc_method_handler(refuse)
        scrub_request, scrub_response = map(scrubber, known)

        async def pass_on(requests, context):
            async def scrubbed():
                async for each in requests:
                    yield scrub_request(each)

            metadata = [(key, value) for key, value in details.invocation_metadata if key != "user-agent"]
            remaining = context.time_remaining()
            call = self._channel.stream_stream(details.method)(scrubbed(), timeout=remaining, metadata=metadata)
            try:
                async for each in call:
                    yield scrub_response(each)
            except grpc.aio.AioRpcError as error:
                await context.abort(error.code(), error.details(), tuple(error.trailing_metadata()))
            finally:
                call.cancel()

        return grpc.stream_stream_rpc_method_handler(pass_on)


async def main():
    folder, daemon = sys.argv[1:]
    methods = old_methods(folder)
    async with grpc.aio.insecure_channel(daemon, options=_OPTIONS) as channel:
        server = grpc.aio.server(handlers=[OldPeer(methods, channel)], options=_OPTIONS)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        ended = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
        print(f"127.0.0.1:{port}", flush=True)
        await ended.wait()
        await server.stop(None)


asyncio.run(main())
