"""A worker: counts words, and fetches pages as asyncio does, four jobs at a time, until it is interrupted.

    python3 client/python/examples/worker.py 127.0.0.1:7070
    millrace submit count-words --payload '{"text": "the quick brown fox"}' --wait
"""
import asyncio
import sys

import millrace

worker = millrace.Worker(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:7070", slots=4)


@worker.handler("count-words")
def count_words(attempt: millrace.Attempt, text: str, longer_than: int = 0) -> dict:
    words = [word for word in text.split() if len(word) > longer_than]
    attempt.log(f"counted {len(text)} characters\n")
    return {"words": len(words), "longest": max(words, key=len, default="")}


@worker.handler("head")
async def head(host: str, port: int = 80) -> str:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(f"HEAD / HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
    try:
        return (await reader.readline()).decode().strip()
    finally:
        writer.close()


worker.run()
