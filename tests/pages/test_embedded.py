"""Data in a page: what goes in comes out, and no text in it is markup."""

import json
from base64 import b64decode

import pytest

from kdprobe.pages import data_uri, json_markup

ATTACKS = ("</script><b>", "<!--<script>", "a & b", "line\u2028and\u2029paragraph\n\x00", "\ud83d alone")


@pytest.mark.parametrize("attack", ATTACKS)
def test_json_comes_back_and_holds_no_sign_of_markup(attack):
    data = {attack: [attack, 0.1, None, True]}
    text = json_markup(data)
    assert json.loads(text) == data
    assert text.isascii() and text.isprintable() and not set("<>&") & set(text)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_json_does_not_know_is_refused(value):
    with pytest.raises(ValueError, match="JSON"):
        json_markup({"value": value})


def test_an_embedded_file_comes_back_whole():
    kind, content = data_uri("image/png", bytes(range(256))).split(";base64,")
    assert kind == "data:image/png" and b64decode(content) == bytes(range(256))
