import socket

import pytest

from components.common.network import why_unreachable


@pytest.fixture(autouse=True)
def no_proxy_settings(monkeypatch):
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.delenv("HTTPS_PROXY", raising=False)


def test_a_refused_connection_says_so():
    try:
        socket.create_connection(("127.0.0.1", 443), 1).close()
    except ConnectionRefusedError:
        pass
    else:
        pytest.skip("this machine serves HTTPS")

    assert "refused" in (why_unreachable("127.0.0.1") or "").lower()


@pytest.mark.parametrize("variable", ["https_proxy", "HTTPS_PROXY"])
def test_behind_a_proxy_nothing_is_asked(monkeypatch, variable):
    monkeypatch.setenv(variable, "http://127.0.0.1:9")

    assert why_unreachable("nowhere.invalid") is None
