"""A worker for the tests that have one of each language: tests/support/any_worker.sh says what it does."""
import asyncio
import logging
import os
import sys
import threading
import time

import millrace

*kinds, address = sys.argv[1:]
logging.basicConfig()
worker = millrace.Worker(address, slots=4, drain_timeout=1.0)
lock = threading.Lock()
taken = peak = 0


def note(attempt):
    if "RUNS" in os.environ:
        with open(os.environ["RUNS"], "a") as file:
            file.write(f"{attempt.job_id} {attempt.number}\n")


def take(slots):
    global taken, peak
    with lock:
        taken += slots
        peak = max(peak, taken)
    return peak


def work(payload, attempt):
    note(attempt)
    attempt.progress(0.5, "half")
    attempt.log("at work\n")
    try:
        attempt.save_checkpoint(b"half")
    except millrace.MillraceError as error:
        if error.reason != "CHECKPOINT_UNSUPPORTED":
            raise
    return b"done " + payload


def save(payload, attempt):
    attempt.save_checkpoint(payload)
    return b"saved"


async def wide(payload, attempt):
    seen = take(2)
    await asyncio.sleep(0.02)
    take(-2)
    return str(seen).encode()


def single(payload, attempt):
    seen = take(1)
    time.sleep(0.02)
    take(-1)
    return str(seen).encode()


handlers = {"work": (work, {}), "save": (save, {}), "wide": (wide, {"slots": 2, "beat_within": 3600.0}),
            "single": (single, {"at_once_max": 1})}
for kind in kinds:
    function, options = handlers[kind]
    worker.handler(kind, raw=True, **options)(function)
worker.run()
