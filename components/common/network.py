"""Ask before a download whether it can work: libraries themselves wait for minutes."""

from __future__ import annotations

import os
import socket

TIMEOUT_S = 5.0


def why_unreachable(host: str) -> str | None:
    """Why no HTTPS connection to `host` can be opened; None where one can.

    Args:
        host: Host name. Behind a proxy the host is not asked, since only the proxy can tell.
    """
    if os.environ.get("https_proxy") or os.environ.get("HTTPS_PROXY"):
        return None
    try:
        socket.create_connection((host, 443), TIMEOUT_S).close()
    except OSError as error:
        return str(error)
    return None
