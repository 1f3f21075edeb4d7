"""What the daemon at the other end can do: an older one can do less, and its welcome does not name it."""
from __future__ import annotations

from typing import Collection, Iterable

import grpc

from ._errors import MillraceError
from .v1 import worker_service_pb2 as pb


class Daemon:
    def __init__(self, version: str = "", capabilities: Iterable[str] = (), result_bytes_max: int = 0):
        self.version = version or "unknown"
        self.result_bytes_max = result_bytes_max  # Of one that is written apart. 0: it has no such call.
        self._can = frozenset(capabilities)

    @property
    def keeps_checkpoints(self) -> bool:
        return "checkpoint" in self._can

    @property
    def knows_costs(self) -> bool:
        """Of kinds: slots, at_once_max and beat_within. The first daemons that knew them named only `checkpoint`."""
        return "costs" in self._can or "checkpoint" in self._can

    def checkpoint_error(self) -> MillraceError:
        return MillraceError(
            grpc.StatusCode.FAILED_PRECONDITION,
            f"the daemon (version {self.version}) keeps no checkpoints: upgrade the daemon, or save no checkpoint",
            "CHECKPOINT_UNSUPPORTED", {"daemon_version": self.version})

    def warnings(self, offers: Collection[pb.KindOffer]) -> list[str]:
        """What a worker with such kinds should say of this daemon."""
        if self.knows_costs:
            return []
        words = []
        if any(each.slots > 1 or each.at_once_max > 0 for each in offers):
            words.append(f"the daemon (version {self.version}) does not know the slots and at_once_max of kinds, so this "
                         "worker takes fewer jobs at once than it has slots for: upgrade the daemon")
        if any(each.HasField("beat_within") for each in offers):
            words.append(f"the daemon (version {self.version}) does not know beat_within, so handlers that hang are not "
                         "stopped: upgrade the daemon")
        return words
