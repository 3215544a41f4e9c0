"""The page that every page extends: its policy admits the page's own style and script, and nothing else."""

import re

import pytest
from jinja2 import UndefinedError

from kdprobe.pages import inline, render_page

STYLE, SCRIPT = ("kdprobe.pages", "page.css"), ("kdprobe.pages", "chart.js")
NOTHING = {"default-src": "'none'", "img-src": "data:", "base-uri": "'none'", "form-action": "'none'"}


def page(**parts) -> str:
    return render_page("kdprobe.report", "page.html", style=iter([STYLE]), **parts)


def policy(html: str) -> dict[str, str]:
    (content,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', html)
    return dict(rule.strip().split(" ", 1) for rule in content.split(";"))


def test_a_page_without_a_script_admits_none():
    html, (style, digest) = page(title="<b>"), inline(STYLE)
    assert policy(html) == NOTHING | {"style-src": f"'sha256-{digest}'"}
    assert "<script" not in html and "<title>&lt;b&gt; · kdprobe</title>" in html
    assert f"<style>{style}</style>" in html


def test_a_page_with_a_script_admits_that_one():
    html, (script, digest) = page(title="", script=iter([SCRIPT])), inline(SCRIPT)
    assert policy(html)["script-src"] == f"'sha256-{digest}'"
    assert html.count("<script>") == 1 and f"<script>{script}</script>" in html


def test_a_name_that_was_not_given_is_an_error():
    with pytest.raises(UndefinedError, match="title"):
        page()
