"""A proxy for any TCP protocol that cuts, stalls, delays or drips at an exact byte, and keeps what it saw.

    with Proxy(server.port, Fault.reset(after=1000)) as proxy:
        ...                                   # connect to proxy.host, proxy.port
    assert proxy.faulted.is_set()
    assert b"secret" not in proxy.sent        # all that clients sent; proxy.received: all that they got

FTP opens further connections for its data. `FtpProxy` carries those too, with a fault plan of their own:

    with FtpProxy(server.port, data=Fault.stall(after=5000)) as proxy: ...
    with FtpProxy(server.port, data=..., passive_ports=server.passive_ports) as proxy: ...

The first way rewrites the passive answers (227, 229), which it must be able to read. The second needs
nothing of the sort and so works under TLS: it listens on 127.0.0.2, where the server's passive ports are
doubled under the same numbers; clients take the control connection's host for the data, and so come by.
The certificate must then be good for 127.0.0.2, as certificates.make has it. A client that is active
(PORT, EPRT) is called by the server directly, and the proxy sees nothing of its data.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import threading
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, Self

SERVER = "127.0.0.1"
DOUBLE = "127.0.0.2"  # where passive ports are doubled
CHUNK = 65536
LIMIT = 16384  # bytes read ahead: few, so that who sends soon feels a stall
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close at once, by RST
PASSIVE = re.compile(rb"^(227 .*?)\d+,\d+,\d+,\d+,(\d+),(\d+)")
EXTENDED = re.compile(rb"^(229 .*\(\|\|\|)(\d+)")

Way = Literal["sent", "received"]  # by the client


@dataclass(frozen=True)
class Fault:
    """A fault that befalls a connection as soon as `after` bytes have passed `way`; 0: before the first.

    The first `skip` connections are spared, then it strikes `times` of them (None: all).
    """

    kind: Literal["end", "reset", "stall", "swallow", "pause", "drip"]
    after: int = 0
    way: Way = "sent"
    seconds: float = 0
    skip: int = 0
    times: int | None = None

    @classmethod
    def end(cls, after: int = 0, way: Way = "sent") -> Fault:
        """Both sides see an orderly end (FIN), as if the other had finished; what still comes is lost."""
        return cls("end", after, way)

    @classmethod
    def reset(cls, after: int = 0, way: Way = "sent") -> Fault:
        """Both sides see the connection broken (RST)."""
        return cls("reset", after, way)

    @classmethod
    def stall(cls, after: int = 0, way: Way = "sent") -> Fault:
        """Nothing passes any more either way, nor is it read: a sender's buffers fill up."""
        return cls("stall", after, way)

    @classmethod
    def swallow(cls, after: int = 0, way: Way = "sent") -> Fault:
        """Nothing passes any more either way, but all is taken: a sender thinks that it was sent."""
        return cls("swallow", after, way)

    @classmethod
    def pause(cls, seconds: float, after: int = 0, way: Way = "sent") -> Fault:
        """This way rests for some time, then all goes on."""
        return cls("pause", after, way, seconds)

    @classmethod
    def drip(cls, seconds: float, after: int = 0, way: Way = "sent") -> Fault:
        """From there on one byte passes this way each so many seconds."""
        return cls("drip", after, way, seconds)

    def on(self, times: int, *, skip: int = 0) -> Fault:
        """Return the same for so many connections only, so that a later one does well."""
        return replace(self, times=times, skip=skip)

    def strikes(self, number: int) -> bool:
        """Whether it befalls the connection with this number, counted from 0."""
        return self.skip <= number and (self.times is None or number < self.skip + self.times)


class Traffic:
    """The traffic of all connections of a kind: bytes `sent` and `received` by clients, `connections` made.

    `fault` may be set anew, for later connections; `faulted` is an event, set as soon as one has struck.
    """

    def __init__(self, fault: Fault | None) -> None:
        self.fault = fault
        self.connections = 0
        self.faulted = threading.Event()
        self.passed: dict[Way, bytearray] = {"sent": bytearray(), "received": bytearray()}

    @property
    def sent(self) -> bytes:
        """The bytes that clients sent and that were let through."""
        return bytes(self.passed["sent"])

    @property
    def received(self) -> bytes:
        """The bytes that servers answered and that were let through."""
        return bytes(self.passed["received"])


class Proxy(Traffic):
    """Forwards connections to its `host` and `port` to a port of 127.0.0.1, until it is left."""

    def __init__(
        self, server_port: int, fault: Fault | None = None, *, host: str = SERVER, avoid: range = range(0)
    ) -> None:
        super().__init__(fault)
        self._server_port = server_port
        self._socket = _listening(host, avoid)
        self.host, self.port = self._socket.getsockname()[:2]
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=self._run, name=f"proxy at {self.host}:{self.port}")
        self._listeners: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        if self._failure:
            self._thread.join()
            raise self._failure
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            try:
                runner.run(self._listen())
            except OSError as error:  # somebody has taken a port meanwhile
                self._failure = error
                self._ready.set()
                runner.run(self._close())
                return
            self._loop.call_soon(self._ready.set)
            self._loop.run_forever()
            runner.run(self._close())

    async def _listen(self) -> None:
        accept = partial(self._accept, self, self._server_port)
        self._listeners.append(await asyncio.start_server(accept, sock=self._socket, limit=LIMIT))

    async def _close(self) -> None:
        for listener in self._listeners:
            listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # what was closed is torn down on the loop's next round

    def _accept(
        self, traffic: Traffic, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        fault = traffic.fault if traffic.fault and traffic.fault.strikes(traffic.connections) else None
        traffic.connections += 1
        task = self._begin(self._carry(traffic, port, fault, reader, writer))
        task.add_done_callback(lambda _: writer.transport.abort())

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _carry(
        self,
        traffic: Traffic,
        port: int,
        fault: Fault | None,
        client: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
    ) -> None:
        try:
            server, to_server = await asyncio.open_connection(SERVER, port, limit=LIMIT)
        except OSError:
            _reset(to_client)
            return
        if traffic is self:
            server = self._answers(server)
        await _Connection(traffic, fault, (client, to_client), (server, to_server)).carry()

    def _answers(self, server: asyncio.StreamReader) -> asyncio.StreamReader:
        """Return the server's side as the client is to see it."""
        return server


def _listening(host: str, avoid: range) -> socket.socket:
    """Return a socket that listens on a free port, none of those which will be wanted next."""
    while True:
        taken = socket.create_server((host, 0))
        if taken.getsockname()[1] not in avoid:
            return taken
        taken.close()


class FtpProxy(Proxy):
    """A proxy for FTP, see the top of this file: `fault` befalls logins, `data` the traffic of their data."""

    def __init__(
        self,
        server_port: int,
        fault: Fault | None = None,
        *,
        data: Fault | None = None,
        passive_ports: range = range(0),
    ) -> None:
        super().__init__(server_port, fault, host=DOUBLE if passive_ports else SERVER, avoid=passive_ports)
        self.data = Traffic(data)
        self._passive_ports = passive_ports

    async def _listen(self) -> None:
        for port in self._passive_ports:
            await self._double(port, port)
        await super()._listen()

    async def _double(self, server_port: int, port: int = 0) -> int:
        """Listen for data connections to a port of the server's; return our port (any, where 0 is asked for)."""
        accept = partial(self._accept, self.data, server_port)
        listener = await asyncio.start_server(accept, self.host, port, limit=LIMIT)
        self._listeners.append(listener)
        return int(listener.sockets[0].getsockname()[1])

    def _answers(self, server: asyncio.StreamReader) -> asyncio.StreamReader:
        if self._passive_ports:
            return server
        altered = asyncio.StreamReader()
        self._begin(self._alter(server, altered))
        return altered

    async def _alter(self, server: asyncio.StreamReader, altered: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while line := await server.readline():
                if found := PASSIVE.match(line):
                    port = await self._double(int(found[2]) * 256 + int(found[3]))
                    numbers = f"{self.host.replace('.', ',')},{port >> 8},{port & 255}".encode()
                    line = found[1] + numbers + line[found.end() :]
                elif found := EXTENDED.match(line):
                    line = found[1] + str(await self._double(int(found[2]))).encode() + line[found.end() :]
                altered.feed_data(line)
                if line.startswith(b"234 "):  # TLS from here on
                    while data := await server.read(CHUNK):
                        altered.feed_data(data)
                    break
        altered.feed_eof()


class _Connection:
    """One connection on its way through a proxy."""

    def __init__(
        self,
        traffic: Traffic,
        fault: Fault | None,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._traffic = traffic
        self._fault = fault
        self._over = False  # nothing passes any more
        self._writers = (client[1], server[1])
        self._ways: dict[Way, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {
            "sent": (client[0], server[1]),
            "received": (server[0], client[1]),
        }

    async def carry(self) -> None:
        """Pass bytes both ways until both have ended; where this is cancelled, break the connection."""
        for writer in self._writers:
            writer.transport.set_write_buffer_limits(0)  # so that drain() waits until all is on its way
        # The way that a fault lies on goes first: it may strike before the first byte of either.
        ways = sorted(self._ways, key=lambda way: not (self._fault and self._fault.way == way))
        pumps = [asyncio.ensure_future(self._pump(way, *self._ways[way])) for way in ways]
        try:
            await asyncio.gather(*pumps)
        except OSError:
            self._break()
        finally:
            for pump in pumps:
                pump.cancel()
            for writer in self._writers:
                writer.transport.abort()  # after each write it was waited until all is on its way
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(self, way: Way, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        fault = self._fault if self._fault and self._fault.way == way else None
        passed, most, rest = 0, CHUNK, 0.0
        while True:
            if fault and passed == fault.after:
                await self._strike(fault)
                most, rest = (1, fault.seconds) if fault.kind == "drip" else (CHUNK, 0.0)
                fault = None
            data = await source.read(min(most, fault.after - passed) if fault else most)
            await asyncio.sleep(rest)
            if self._over:  # by a fault on the other way, perhaps; from here to the write nothing else runs
                if self._fault and self._fault.kind == "stall":
                    await asyncio.Event().wait()
                if not data:
                    return
                continue
            if not data:
                sink.write_eof()
                return
            self._traffic.passed[way] += data
            passed += len(data)
            sink.write(data)
            await sink.drain()

    async def _strike(self, fault: Fault) -> None:
        self._over = fault.kind in ("end", "reset", "stall", "swallow")
        if fault.kind == "end":
            for writer in self._writers:
                writer.write_eof()
        elif fault.kind == "reset":
            self._break()
        self._traffic.faulted.set()
        if fault.kind == "stall":
            await asyncio.Event().wait()
        elif fault.kind == "pause":
            await asyncio.sleep(fault.seconds)

    def _break(self) -> None:
        for writer in self._writers:
            _reset(writer)


def _reset(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
