from __future__ import annotations

import yaml
from hypothesis import given
from hypothesis import strategies as st

from services.registry.yaml_text import to_yaml

KEYS = st.from_regex(r"\A[a-z][a-z_-]{0,8}\Z")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(-1e9, 1e9).map(repr) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)
)
RESERVED = {"yes", "no", "on", "off", "true", "false", "null", "y", "n"}


@given(st.dictionaries(KEYS.filter(lambda key: key not in RESERVED), VALUES, min_size=1))
def test_what_is_written_is_read_again(value: dict[str, object]) -> None:
    def plain(item: object) -> bool:
        match item:
            case dict():
                return all(key not in RESERVED and plain(one) for key, one in item.items())
            case list():
                return all(map(plain, item))
            case _:
                return True

    if plain(value):
        assert yaml.safe_load("\n".join(to_yaml(value))) == value
