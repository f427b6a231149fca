"""The watch itself: what it must not miss, and what it must leave alone."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from browsing import AWAY, PATIENCE, served, sideways, watched_page


def opened(browser, html: str, tmp_path: Path, until):
    """Open a page, wait until what is looked for has been noted, and return all that was."""
    path = tmp_path / "page.html"
    path.write_text(html, encoding="utf-8")
    with watched_page(browser) as (page, watch):
        page.goto(path.as_uri())
        for _ in range(PATIENCE // 20):
            if until(watch):
                break
            page.wait_for_timeout(20)  # workers and other windows begin when they can
        return watch


def has_error(message: str):
    return lambda watch: any(message in error for error in watch.errors)


def has_left(host: str):
    return lambda watch: any(host in url for url in watch.left)


def test_quiet_page_passes(page, watch, show) -> None:
    show(
        "<!DOCTYPE html><title>Quiet</title><p>Nothing.</p><script>console.log('hello'); console.warn('well')</script>"
    )
    assert page.title() == "Quiet"
    assert [url.rpartition("/")[2] for url in watch.requests] == ["page.html"]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("console.error('that went wrong')", "that went wrong"),
        ("throw new Error('thrown')", "thrown"),
        ("Promise.reject(new Error('left alone'))", "left alone"),
        ("new Worker(URL.createObjectURL(new Blob([\"throw new Error('in a worker')\"])))", "in a worker"),
        (
            "document.body.append(Object.assign(document.createElement('iframe'), {srcdoc: '<script>no()</script>'}))",
            "no is not",
        ),
    ],
    ids=["console", "thrown", "rejected", "worker", "frame"],
)
def test_errors_of_scripts_are_noted(browser, tmp_path: Path, script: str, message: str) -> None:
    script = script.replace("</script>", "<\\/script>")
    watch = opened(browser, f"<!DOCTYPE html><body><script>{script}</script>", tmp_path, has_error(message))
    assert message in " ".join(watch.errors)
    with pytest.raises(AssertionError, match="errors in the page"):
        watch.check()


def test_errors_of_other_windows_are_noted(page, watch, serve, tmp_path: Path) -> None:
    (tmp_path / "other.html").write_text("<!DOCTYPE html><script>nowhere()</script>", encoding="utf-8")
    page.goto(serve(tmp_path))
    watch.expect_error("nowhere is not defined")
    with page.context.expect_event("weberror"):
        page.evaluate("window.open('other.html')")


def test_what_the_policy_refuses_is_noted(browser, tmp_path: Path) -> None:
    policy = "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'\">"
    refused = has_error("refused by the content security policy (style-src-attr)")
    watch = opened(browser, f"<!DOCTYPE html>{policy}<p style='color: red'>x", tmp_path, refused)
    assert refused(watch)
    with pytest.raises(AssertionError, match="errors in the page"):
        watch.check()


@pytest.mark.parametrize(
    "html",
    [
        "<img src='http://example.org/x.png'>",
        "<link rel='stylesheet' href='https://example.org/x.css'>",
        "<script>fetch('https://example.org/').catch(() => 0)</script>",
        "<script>navigator.sendBeacon('https://example.org/', 'x')</script>",
        "<script>new WebSocket('wss://example.org/')</script>",
        "<iframe src='//example.org/'></iframe><iframe src='http://127.0.0.1.example.org/'></iframe>",
        "<script>new Worker(URL.createObjectURL(new Blob(['fetch(`https://example.org/`).catch(e => 0)'])))</script>",
    ],
    ids=["image", "style", "fetch", "beacon", "socket", "frame", "worker"],
)
def test_requests_that_leave_are_noted(browser, tmp_path: Path, html: str) -> None:
    watch = opened(browser, f"<!DOCTYPE html><body>{html}", tmp_path, has_left("example.org"))
    assert any("example.org" in url for url in watch.left)
    with pytest.raises(AssertionError, match="requests left this machine"):
        watch.check()


def test_requests_that_leave_are_stopped(browser, tmp_path: Path) -> None:
    """Nothing reaches a server whose address is not this machine's name for itself."""
    with socket.create_server(("127.0.0.2", 0)) as server:
        server.settimeout(0)
        html = f"<!DOCTYPE html><img src='http://127.0.0.2:{server.getsockname()[1]}/x.png'>"
        assert opened(browser, html, tmp_path, has_left("127.0.0.2")).left != []
        with pytest.raises(BlockingIOError):
            server.accept()


def test_requests_to_this_machine_pass(page, watch, serve, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("<!DOCTYPE html><script type='module' src='a.js'></script>", encoding="utf-8")
    (tmp_path / "a.js").write_text("document.title = await (await fetch('a.txt')).text()", encoding="utf-8")
    (tmp_path / "a.txt").write_text("fetched", encoding="utf-8")
    page.goto(serve(tmp_path) + "a.html")
    page.wait_for_function("document.title === 'fetched'")
    assert [url.rpartition("/")[2] for url in watch.requests] == ["a.html", "a.js", "a.txt"]


def test_expected_errors_pass_and_must_come(browser, tmp_path: Path) -> None:
    with served(tmp_path) as address, watched_page(browser) as (page, watch):
        page.goto(address)
        with page.expect_console_message():
            page.evaluate("fetch('nothing.json')")
        watch.expect_error("status of 404")
        watch.check()
        watch.expect_error("status of 429")
        with pytest.raises(AssertionError, match="no error in the page matches 'status of 429'"):
            watch.check()


@pytest.mark.parametrize(
    ("url", "leaves"),
    [
        ("http://127.0.0.1:8000/x", False),
        ("http://localhost/", False),
        ("http://[::1]:80/", False),
        ("file:///tmp/page.html", False),
        ("blob:null/1-2", False),
        ("http://localhost.example.org/", True),
        ("http://127.0.0.1@example.org/", True),
        ("https://example.org/#http://localhost/", True),
        ("ftp://localhost/", True),
    ],
)
def test_what_leaves(url: str, leaves: bool) -> None:
    assert bool(AWAY.match(url)) is leaves


def test_pictures(page, show, picture, tmp_path: Path) -> None:
    style = "html { color-scheme: light dark } body { margin: 0 } i { display: block; width: 400px; height: 9px }"
    show(f"<!DOCTYPE html><meta name='viewport' content='width=device-width'><style>{style}</style><p>Short.")
    pictures = picture("short")
    assert [path.name for path in pictures] == [
        f"short-{width}-{scheme}.png" for width in (1280, 390) for scheme in ("light", "dark")
    ]
    light, dark, narrow, _ = (path.read_bytes() for path in pictures)
    assert len({light, dark, narrow}) == 3
    assert [int.from_bytes(picture[16:20], "big") for picture in (light, dark, narrow)] == [1280, 1280, 390]
    assert page.viewport_size == {"width": 1280, "height": 844}

    show(f"<!DOCTYPE html><style>{style}</style><i class='wide'></i>")
    assert sideways(page) == []
    with pytest.raises(AssertionError, match="scrolls sideways at 390 px"):
        picture("wide")
    assert sideways(page) == ["the page", "i.wide"]

    show(f"<!DOCTYPE html><style>{style}</style><h1 class='long'>{'word' * 99}</h1><div style='overflow: auto'><i>")
    assert sideways(page) == ["the page", "h1.long"]
