"""Payloads, results and arguments: JSON unless bytes are asked for."""
from __future__ import annotations

import dataclasses
import datetime
import functools
import inspect
import json
import types
import typing
from typing import Any, Callable, Union

from google.protobuf import duration_pb2, timestamp_pb2

_TEXT_BYTES = 4096
_SECONDS_MOST = 31 * 86400.0  # Longer than anything that is waited for.
_BYTES_A_SECOND = 64 << 10  # A connection that moves less is not waited for.


def to_bytes(value: Any) -> bytes:
    """bytes as they are, anything else as JSON; nothing for None."""
    if value is None:
        return b""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def from_bytes(data: bytes) -> Any:
    """What JSON says; None for nothing, and bytes for what is no JSON."""
    if not data:
        return None
    try:
        return json.loads(data)
    except ValueError:
        return data


def proto_text(value: str) -> str:
    """As a proto takes it: without halves of surrogate pairs, and not too long."""
    return value.encode("utf-8", "replace")[:_TEXT_BYTES].decode("utf-8", "replace")


def duration(seconds: float) -> duration_pb2.Duration:
    nanos = round(seconds * 1_000_000_000)
    return duration_pb2.Duration(seconds=nanos // 1_000_000_000, nanos=nanos % 1_000_000_000)


def seconds_of(time: duration_pb2.Duration) -> float:
    """Whatever a daemon says, it can be waited for so long."""
    return min(max(time.seconds + time.nanos / 1e9, 0.0), _SECONDS_MOST)


def seconds_for(size: int, least: float) -> float:
    """The timeout of a call that moves so many bytes, whatever size a daemon says."""
    return least + min(max(size, 0) / _BYTES_A_SECOND, 86400.0)


def timestamp(when) -> timestamp_pb2.Timestamp:
    """A datetime with its zone."""
    if when.tzinfo is None:
        raise ValueError("a time needs its zone: datetime.now(timezone.utc)")
    stamp = timestamp_pb2.Timestamp()
    stamp.FromDatetime(when.astimezone(datetime.timezone.utc).replace(tzinfo=None))
    return stamp


def fit(value: Any, wanted: Any, name: str) -> Any:
    """The value as the annotation wants it; TypeError where it cannot be."""
    if wanted in (inspect.Parameter.empty, Any):
        return value
    origin = typing.get_origin(wanted)
    if origin is Union or origin is getattr(types, "UnionType", None):
        for each in typing.get_args(wanted):
            try:
                return fit(value, each, name)
            except TypeError:
                continue
        raise TypeError(f"{name} is {value!r}, and should be {wanted}")
    if wanted is None or wanted is type(None):
        if value is None:
            return None
        raise TypeError(f"{name} is {value!r}, and should be nothing")
    if dataclasses.is_dataclass(wanted):
        if not isinstance(value, dict):
            raise TypeError(f"{name} is {value!r}, and should be an object")
        bound = fit_arguments(wanted, value)
        return wanted(*bound.args, **bound.kwargs)
    plain = origin or wanted
    if plain is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if plain in (list, tuple) and isinstance(value, list):
        inner = typing.get_args(wanted)
        if plain is tuple and inner and inner[-1] is not Ellipsis:
            if len(inner) != len(value):
                raise TypeError(f"{name} has {len(value)} items, and should have {len(inner)}")
            return tuple(fit(each, inner[i], f"{name}[{i}]") for i, each in enumerate(value))
        return plain(fit(each, inner[0] if inner else Any, f"{name}[{i}]") for i, each in enumerate(value))
    if typing.is_typeddict(plain):
        plain = dict
    if not isinstance(plain, type):
        return value
    if not isinstance(value, plain) or (isinstance(value, bool) and plain is int):
        raise TypeError(f"{name} is {value!r}, and should be of type {plain.__name__}")
    return value


def fit_arguments(target: Callable, fields: dict, **more: Any) -> inspect.BoundArguments:
    """The arguments of a call with the fields of an object, each fitted to its annotation. TypeError names what does not
    fit."""
    signature = inspect.signature(target)
    hints = _hints_of(target)
    fitted = {}
    takes_all = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in signature.parameters.values())
    for name, value in fields.items():
        if name not in signature.parameters and not takes_all:
            raise TypeError(f"there is no argument '{name}'")
        fitted[name] = fit(value, hints.get(name, Any), name)
    return signature.bind(**more, **fitted)


def _hints_of(target: Callable) -> dict:
    while isinstance(target, functools.partial):
        target = target.func
    if isinstance(target, type):
        target = target.__init__
    elif not hasattr(target, "__annotations__"):
        target = type(target).__call__  # An object that can be called.
    return typing.get_type_hints(target)
