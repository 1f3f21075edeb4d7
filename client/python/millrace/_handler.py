"""The function that runs jobs of a kind, and what the worker offers of it."""
from __future__ import annotations

import inspect
from typing import Any, Callable

from ._attempt import Attempt
from ._outcome import DoNotRetry
from ._values import fit_arguments, from_bytes
from .v1 import worker_service_pb2 as pb


class Handler:
    def __init__(self, function: Callable, raw: bool, offer: pb.KindOffer):
        self.function = function
        self.raw = raw
        self.offer = offer
        self.is_async = inspect.iscoroutinefunction(function)
        self.attempt_name = next((each.name for each in inspect.signature(function).parameters.values()
                                  if each.annotation in (Attempt, "Attempt", "millrace.Attempt") or
                                  each.name == "attempt"), None)

    def call(self, attempt: Attempt) -> Any:
        more = {self.attempt_name: attempt} if self.attempt_name else {}
        if self.raw:
            return self.function(attempt.payload, **more)
        value = from_bytes(attempt.payload)
        if value is not None and not isinstance(value, dict):
            first = next((name for name in inspect.signature(self.function).parameters if name != self.attempt_name),
                         "payload")
            value = {first: value}
        try:
            bound = fit_arguments(self.function, value or {}, **more)
        except TypeError as error:
            # Another attempt would find the same.
            raise DoNotRetry(f"the payload does not fit: {error}") from None
        return self.function(*bound.args, **bound.kwargs)
