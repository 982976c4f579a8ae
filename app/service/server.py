"""The service as a process: who may reach it, and where it listens."""

from __future__ import annotations

import gc
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from ...forecasters.errors import InputError
from ..page.access import is_loopback
from ..page.server import listen, run
from . import access
from .http import application
from .service import Service
from .streams import Folder, Redis, Source, follow


def serve(
    run_folder: Path,
    host: str,
    port: int,
    database: str | None,
    say: Callable[[str], None],
    watch: Path | None = None,
    stream: str | None = None,
) -> None:
    """Serve a run until it is interrupted; take in what is put into a folder or a stream meanwhile.

    Raises:
        InputError: no run, or an address that other machines reach where nobody has a token.
    """
    service, end = Service(run_folder, database), threading.Event()
    try:
        with service.database.read() as connection:
            asked = access.any_token(connection)
        if not (asked or is_loopback(host)):
            raise InputError(
                f"serve: expected a token for an address that other machines reach ({host}), found none;"
                f" mercato service token {run_folder} NAME --role approver makes one"
            )
        service.decider()
        sources: list[Source] = [] if watch is None else [Folder(service, watch, say)]
        if stream is not None:
            sources.append(Redis(service, stream, f"{socket.gethostname()}-{os.getpid()}", say))
        listening = listen("serve", host, port)
        threading.Thread(target=_warm, args=(service,), daemon=True).start()
        for source in sources:
            threading.Thread(target=follow, args=(source, end, say), daemon=True).start()
        place = listening.getsockname()
        named = f"[{host}]" if ":" in host else host
        who = "with a token" if asked else "from this machine alone"
        said = f"http://{named}:{place[1]} ({who}); docs at /docs; records in {service.database.shown}"
        said = f"{said}\nCtrl-C ends it"
        run(listening, application(service, local=not asked), lambda: say(said))
    finally:
        end.set()
        service.close()


def _warm(service: Service) -> None:
    """Read all that proposals need; it stays, and no collection of garbage looks at it again."""
    service.warm()
    gc.collect()
    gc.freeze()
