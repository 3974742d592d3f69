#!/usr/bin/env python3
"""Puts load on a running `calm serve` and prints what its clients see. Uses Python's standard library only.

    scripts/load-server.py throughput --streams 1 4 16 64 200 --seconds 20 --temperature 0.5
    scripts/load-server.py requests --count 10000 --pid PID
    scripts/load-server.py trouble --idle 1000 --dribbling 100 --not-reading 100
    scripts/load-server.py disconnect --count 300
"""

import argparse
import asyncio
import json
import random
import re
import time


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--model", help="a name of /v1/models (default: the first)")
    parser.add_argument("--prompt", default="Once there was")
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--temperature", type=float, default=1)
    commands = parser.add_subparsers(dest="command", required=True)
    throughput = commands.add_parser("throughput", help="tokens per second and latencies by number of streams")
    throughput.add_argument("--streams", type=int, nargs="+", default=[1, 4, 16, 64, 200])
    throughput.add_argument("--seconds", type=float, default=20, help="for each number of streams")
    requests = commands.add_parser("requests", help="many short requests, and the server's memory after them")
    requests.add_argument("--count", type=int, default=10_000)
    requests.add_argument("--streams", type=int, default=16)
    requests.add_argument("--pid", type=int, help="the server's process, whose resident size is printed")
    trouble = commands.add_parser("trouble", help="latency of a request among connections that block")
    trouble.add_argument("--idle", type=int, default=1000, help="connections that send nothing")
    trouble.add_argument("--dribbling", type=int, default=100, help="connections that send a body byte by byte")
    trouble.add_argument("--not-reading", type=int, default=100, help="streams whose client reads nothing")
    disconnect = commands.add_parser("disconnect", help="clients that leave at random moments")
    disconnect.add_argument("--count", type=int, default=300)
    return parser.parse_args()


class Client:
    """Sends requests, each on a connection of its own."""

    def __init__(self, options):
        self.options = options
        self.seed = 0

    def body(self, max_tokens=None):
        self.seed += 1
        return json.dumps({
            "model": self.options.model, "prompt": self.options.prompt, "stream": True, "seed": self.seed,
            "max_tokens": max_tokens or self.options.max_tokens, "temperature": self.options.temperature,
            "stream_options": {"include_usage": True},
        }).encode()

    async def connect(self):
        return await asyncio.open_connection(self.options.host, self.options.port)

    def head(self, length, method="POST", path="/v1/completions"):
        return (f"{method} {path} HTTP/1.1\r\nHost: {self.options.host}:{self.options.port}\r\nConnection: close\r\n"
                f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n").encode()

    async def get(self, path):
        reader, writer = await self.connect()
        writer.write(self.head(0, "GET", path))
        text = (await reader.read()).decode()
        writer.close()
        return text

    async def complete(self, max_tokens=None, leave_after=None):
        """The times of the pieces of a streamed completion since its start, and the tokens that the server counted."""
        start = time.monotonic()
        reader, writer = await self.connect()
        body = self.body(max_tokens)
        writer.write(self.head(len(body)) + body)
        status = await reader.readline()
        if b" 200 " not in status:
            raise RuntimeError(status.decode().strip() + " " + (await reader.read()).decode()[-300:])
        # The client shares the processor with the server, so it does no more than it must: events are counted, and only
        # the last ones are parsed.
        times, end = [], b""
        while data := await reader.read(1 << 16):
            now = time.monotonic() - start
            times += [now] * (data.count(b'"text":"') - data.count(b'"text":""'))
            end = (end + data)[-4096:]
            if leave_after is not None and now > leave_after:
                break
        if b'{"error":' in end:
            raise RuntimeError(end.decode(errors="replace"))
        count = re.findall(rb'"completion_tokens":(\d+)', end)
        tokens = int(count[-1]) if count else 0
        writer.close()
        return times, tokens


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


def milliseconds(values):
    return f"{1000 * percentile(values, 0.5):,.0f} / {1000 * percentile(values, 0.99):,.0f}"


async def throughput(client, options):
    print("| streams | tokens/s | first piece, ms (median / 99 %) | between pieces, ms (median / 99 %) |")
    print("| ---: | ---: | ---: | ---: |")
    await client.complete()
    for streams in options.streams:
        begin = time.monotonic()
        first, between, counts = [], [], []

        async def user():
            while time.monotonic() - begin < options.seconds:
                times, tokens = await client.complete()
                counts.append(tokens)
                first.extend(times[:1])
                between.extend(b - a for a, b in zip(times, times[1:]))

        await asyncio.gather(*(user() for _ in range(streams)))
        rate = sum(counts) / (time.monotonic() - begin)
        print(f"| {streams} | {rate:,.0f} | {milliseconds(first)} | {milliseconds(between)} |", flush=True)


def resident(pid):
    with open(f"/proc/{pid}/status") as status:
        size = next(line for line in status if line.startswith("VmRSS"))
    return f"{int(size.split()[1]) / 1024:.0f} MiB"


async def requests(client, options):
    done = 0

    async def user():
        nonlocal done
        while done < options.count:
            done += 1
            await client.complete(max_tokens=8)
            if options.pid and done % (options.count // 10) == 0:
                print(f"{done:,} requests: resident {resident(options.pid)}", flush=True)

    start = time.monotonic()
    await asyncio.gather(*(user() for _ in range(options.streams)))
    print(f"{done:,} requests in {time.monotonic() - start:.0f} s")


async def trouble(client, options):
    async def baseline(label):
        spans = []
        for _ in range(20):
            start = time.monotonic()
            await client.complete(max_tokens=16)
            spans.append(time.monotonic() - start)
        print(f"{label}: a request of 16 tokens takes {milliseconds(spans)} ms (median / 99 %)", flush=True)

    await baseline("alone")
    connections, refused = [], 0
    for _ in range(options.idle):
        try:
            connections.append(await client.connect())
        except OSError:
            refused += 1
    await baseline(f"among {options.idle} connections that send nothing ({refused} refused)")

    async def dribble():
        body = client.body()
        try:
            _, writer = await client.connect()
            writer.write(client.head(len(body)))
            for byte in body:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(1)
        except OSError:
            pass

    dribblers = [asyncio.create_task(dribble()) for _ in range(options.dribbling)]
    await asyncio.sleep(2)
    await baseline(f"and {options.dribbling} that send a byte a second")
    for _ in range(options.not_reading):
        try:
            reader, writer = await client.connect()
            writer.transport.pause_reading()
            body = client.body()
            writer.write(client.head(len(body)) + body)
            connections.append((reader, writer))
        except OSError:
            refused += 1
    await asyncio.sleep(2)
    await baseline(f"and {options.not_reading} that do not read")
    for task in dribblers:
        task.cancel()
    for _, writer in connections:
        writer.close()
    await asyncio.sleep(1)
    await baseline("after they left")


async def disconnect(client, options):
    async def visitor():
        await asyncio.sleep(random.random() * 5)
        try:
            await client.complete(leave_after=random.random())
            return True
        except (RuntimeError, OSError):
            return False

    answers = await asyncio.gather(*(visitor() for _ in range(options.count)))
    print(f"{options.count} clients left at random moments; {answers.count(False)} were refused (queue full)")
    await asyncio.sleep(2)
    metrics = await client.get("/metrics")
    for line in metrics.splitlines():
        if line.startswith(("calm_sequences", "calm_running", "calm_waiting", "calm_cache")):
            print(line)


async def main():
    options = arguments()
    client = Client(options)
    if options.model is None:
        models = await client.get("/v1/models")
        options.model = json.loads(models[models.index("{"):models.rindex("}") + 1])["data"][0]["id"]
    await globals()[options.command](client, options)


asyncio.run(main())
