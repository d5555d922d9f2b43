"""Pairs and directions: how they are written and read."""

import pytest

from deepnet_fairseq.errors import DataError
from deepnet_fairseq.languages import parse_direction, parse_pair


def test_a_pair_is_alphabetical_whichever_way_it_is_written() -> None:
    assert parse_pair("en-de") == parse_pair("de-en") == ("de", "en")


def test_a_direction_keeps_its_order() -> None:
    assert parse_direction("en-de") == ("en", "de")


@pytest.mark.parametrize("name", ["de", "de-de", "-en", "de-en-fr", ""])
def test_a_malformed_pair_is_named(name: str) -> None:
    for parse in (parse_pair, parse_direction):
        with pytest.raises(DataError, match=f"{name!r} is not a language pair"):
            parse(name)
