"""Naming models anew in labelling configs, with everything else byte for byte as it was."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.annotation.domain import Label
from services.annotation.handlers.catalog import Catalog
from services.annotation.labeling.config import Code, LabelingConfig
from services.annotation.labeling.handler import Labeling
from services.annotation.labeling.parse import parse
from services.annotation.labeling.rewrite import assign_models
from services.annotation.labeling.tree import MAX_ATTRIBUTES, XmlError
from services.annotation.labels.table import LabelTable
from services.common.errors import InvalidArgumentError


def _own(model: str) -> bool:
    return model.startswith("own")


def _assign(xml: str, labels: Mapping[str, str], choices: Mapping[str, str] | None = None) -> str:
    after = assign_models(xml, labels, choices or {}, _own, assertion_models=labels)
    assert assign_models(after, labels, choices or {}, _own, assertion_models=labels) == after
    return after


def _config(xml: str) -> LabelingConfig:
    config, problems = parse(xml)
    assert problems == []
    assert config is not None
    return config


@pytest.mark.parametrize(
    ("tag", "after"),
    [
        ('<Label value="A"/>', '<Label value="A" model="own2"/>'),
        ('<Label value="A" />', '<Label value="A" model="own2" />'),
        ('<Label value="A"></Label>', '<Label value="A" model="own2"></Label>'),
        ("<Label\n\tvalue='A'\r\n/>", "<Label\n\tvalue='A' model=\"own2\"\r\n/>"),
        ('<Label model="" value="A"/>', '<Label model="own2" value="A"/>'),
        (
            "<Label value='A' model = 'own1' hotkey='x' >",
            "<Label value='A' model = 'own2' hotkey='x' >",
        ),
        ('<Label value="&#65;" model="own1.model"/>', '<Label value="&#65;" model="own2"/>'),
        ('<Label value="a" alias="A"/>', '<Label value="a" alias="A" model="own2"/>'),
        ('<Label value="A" assertion="true"/>', '<Label value="A" assertion="true" model="own2"/>'),
        # As it should be already.
        ('<Label value="A" model="own2"/>', '<Label value="A" model="own2"/>'),
        ('<Label value="A" model="own2.model"/>', '<Label value="A" model="own2.model"/>'),
        # Tied to a model from elsewhere, or not asked for.
        ('<Label value="A" model="ner_jsl"/>', '<Label value="A" model="ner_jsl"/>'),
        ('<Label value="B" model="own1"/>', '<Label value="B" model="own1"/>'),
        ('<Label value="A" alias="B"/>', '<Label value="A" alias="B"/>'),
        ('<Choice value="A"/>', '<Choice value="A"/>'),
        ('<Relation value="A"/>', '<Relation value="A"/>'),
        # What other attributes say about models.
        (
            '<Label title=\'model="own1"\' value="A" other-model="own1"/>',
            '<Label title=\'model="own1"\' value="A" other-model="own1" model="own2"/>',
        ),
        (
            '<Label value="A" title=\' model="x\'/>',
            '<Label value="A" title=\' model="x\' model="own2"/>',
        ),
    ],
)
def test_only_the_model_of_a_label_is_rewritten(tag: str, after: str) -> None:
    end = "" if tag.endswith(("/>", "</Label>")) else "</Label>"
    head = "\ufeff<View>\r\n<Labels name='l' toName='t'>"
    assert _assign(f"{head}{tag}{end}</Labels></View>", {"A": "own2"}) == (
        f"{head}{after}{end}</Labels></View>"
    )


def test_what_only_looks_like_a_label_is_left_alone() -> None:
    before = (
        '<?xml version="1.0" encoding="latin-1"?>\r\n<!-- <Label value="A"/> -->\r\n<View>\n'
        '<Label value="A"/><?p <Label value="A"/> ?><Style><![CDATA[<Label value="A"/>]]></Style>\n'
        '<Header value=\'<Label value="A"/>\' title="A>B & \t"/>'.replace("& ", "&amp; ")
        + '<Relation value="r" allowed="A<>B"/>🎈&#x1F388; &lt;Label value="A"/&gt;\n'
        '<Labels name="l" toName="t"><!-- <Label value="A"/> --><Label value="A"/>'
    )
    behind = '<Label value="B"/></Labels></View>\n<!-- <Label value="A"/> -->'
    after = _assign(before + behind, {"A": "own2"})
    assert after == before.removesuffix("/>") + ' model="own2"/>' + behind


def test_a_label_in_nested_controls_gets_one_model() -> None:
    before = (
        '<View><Labels name="a" toName="t"><Labels name="b" toName="t"><Label value="A"/></Labels>'
        "</Labels></View>"
    )
    assert _assign(before, {"A": "own"}) == before.replace('"A"', '"A" model="own"')


def test_choices_are_found_by_name_and_labels_are_not() -> None:
    before = (
        "<View><Choices name='age' toName='t'><Choice value='age'/></Choices>"
        "<Choices name='sex' toName='t' model='jsl'/><Labels name='age2'><Label value='age'/>"
        "</Labels></View>"
    )
    after = _assign(before, {}, {"age": "own_c", "sex": "own_c"})
    assert after == before.replace(
        "<Choices name='age' toName='t'", "<Choices name='age' toName='t' model=\"own_c\""
    )


def test_assertion_labels_get_the_models_for_statuses() -> None:
    before = '<Labels><Label value="A"/><Label value="A" assertion="true"/></Labels>'
    assert assign_models(before, {"A": "own_n"}, {}, _own, assertion_models={"A": "own_a"}) == (
        '<Labels><Label value="A" model="own_n"/>'
        '<Label value="A" assertion="true" model="own_a"/></Labels>'
    )
    assert assign_models(before, {"A": "own_n"}, {}, _own) == (
        '<Labels><Label value="A" model="own_n"/><Label value="A" assertion="true"/></Labels>'
    )


def test_models_are_written_only_where_they_fit() -> None:
    before = (
        '<View><Labels name="n"><Label value="A"/><Label value="S" assertion="true"/></Labels>'
        '<Choices name="c" toName="t"/></View>'
    )
    ner = {"A": "ner_p_v1", "S": "ner_p_v1"}
    named = before.replace('"A"', '"A" model="ner_p_v1"')
    assert _assign(before, ner, {"c": "ner_p_v1"}) == named
    assertion = {"A": "assertion_p_v1", "S": "assertion_p_v1"}
    assert _assign(before, assertion) == before.replace(
        'assertion="true"', 'assertion="true" model="assertion_p_v1"'
    )
    assert _assign(before, dict.fromkeys("AS", "classification_c_v1")) == before


@pytest.mark.parametrize("tied", ["assertion_jsl", "own_v1", "pretrained"])
def test_no_second_assertion_model_is_written(tied: str) -> None:
    before = (
        f'<Labels><Label value="A"/><Label value="S" assertion="true" model="{tied}"/>'
        '<Label value="T" assertion="true"/><Label value="U" assertion="1"/></Labels>'
    )
    after = _assign(before, {"A": "ner_own_v2", "T": "own_v2", "U": "own_v2"})
    assert after == before.replace('"A"', '"A" model="ner_own_v2"')
    # Together they can move on to another one.
    if tied == "own_v1":
        after = _assign(before, {"S": "own_v2", "T": "own_v2"})
        assert [one.model for one in _config(after).labels] == ["", "own_v2", "own_v2", ""]


def test_a_tag_with_as_many_attributes_as_it_may_have_gets_no_more() -> None:
    full = "".join(f" a{n}='1'" for n in range(MAX_ATTRIBUTES - 1))
    before = f"<Labels><Label value='A'{full}/><Label value='B'/></Labels>"
    after = _assign(before, {"A": "own", "B": "own"})
    assert [one.model for one in _config(after).labels] == ["", "own"]


@pytest.mark.parametrize("tag", ['<Label value="A"/>', "<Label model='' value='A'/>"])
def test_names_of_models_are_escaped(tag: str) -> None:
    name = "own <\"x\"> & 'y'\t\r\n🎈"
    after = _assign(f"<View><Labels>{tag}</Labels></View>", {"A": name})
    assert _config(after).labels[0].model == name


@pytest.mark.parametrize(
    ("xml", "code"),
    [
        ("<View><Labels><Label value='A'></View>", Code.MALFORMED_XML),
        ("<View><Labels><Label value='A' model='' model=''/></Labels></View>", Code.MALFORMED_XML),
        ("<!DOCTYPE View><View/>", Code.DTD_FORBIDDEN),
    ],
)
def test_what_cannot_be_read_is_not_rewritten(xml: str, code: Code) -> None:
    with pytest.raises(XmlError) as refused:
        assign_models(xml, {"A": "own"}, {}, _own)
    assert refused.value.problem.code is code


# Generated configs are lists of pieces; a tag that may name a model has a hole where it would.
@dataclass(frozen=True)
class _Tag:
    """A `Label` or `Choices`, with the text before and behind its model attribute."""

    kind: str
    key: str
    model: str
    written: str
    before: str
    behind: str
    assertion: bool = False

    def text(self) -> str:
        return f"{self.before}{self.written}{self.behind}"


_KEYS = ("A", "B & C", "é🎈", "x>y", "it's")
_MODELS = ("", "own1", "own2.model", "jsl", "o'w\"n & <co>")
_NAMED = (*_MODELS[1:], "ner_n", "assertion_a", "classification_c")
_BLANK = st.sampled_from([" ", "\n", "\r\n\t", "  "])
_OTHERS = st.sampled_from(
    ["hotkey='1'", 'title="model"', "title='model=\"own1\"'", 'a="x<>y"', 'b=">"', "c = 'é🎈'"]
)
_BETWEEN = st.sampled_from(
    [
        *(
            "",
            "\r\n",
            " text ",
            "&amp;",
            "🎈",
            "<!-- <Label value='A' model='own1'/> -->",
            "<View/>",
        ),
        *(
            "<![CDATA[<Label value='A'/>]]>",
            "<?pi <Label value='A'/>?>",
            "<Relation allowed='A<>B'/>",
        ),
        *("<Header value='<Label model=\"own1\"/>'/>", "<View model='own1' value='A'>\r</View>"),
    ]
)


def _written(value: str, quote: str) -> str:
    return quote + escape(value, {quote: "&quot;" if quote == '"' else "&apos;"}) + quote


@st.composite
def _tags(draw: st.DrawFn, kind: str) -> _Tag:
    key, model = draw(st.sampled_from(_KEYS)), draw(st.sampled_from(_MODELS))
    quote = st.sampled_from(["'", '"'])
    assertion = kind == "Label" and draw(st.booleans())
    others = draw(st.lists(_OTHERS, max_size=3, unique_by=lambda one: one[0]))
    attributes = [
        ("name=" if kind == "Choices" else "value=") + _written(key, draw(quote)),
        *(["assertion='true'"] if assertion else []),
        *others,
    ]
    attributes = [draw(_BLANK) + one for one in draw(st.permutations(attributes))]
    place = draw(st.integers(0, len(attributes)))
    absent = not model and draw(st.booleans())
    if absent:
        place = len(attributes)
    written = "" if absent else f"{draw(_BLANK)}model={_written(model, draw(quote))}"
    end = draw(st.sampled_from(["/>", " />", "\n/>", f"></{kind}>", f" ></{kind}>"]))
    return _Tag(
        kind=kind,
        key=key,
        model=model,
        written=written,
        before=f"<{kind}" + "".join(attributes[:place]),
        behind="".join(attributes[place:]) + end,
        assertion=assertion,
    )


_PIECES = st.lists(
    st.one_of(_BETWEEN, _tags("Label"), st.sampled_from(["</Labels><Labels toName='t'>"])),
    max_size=8,
)
_CHOICES = st.lists(st.one_of(_BETWEEN, _tags("Choices")), max_size=4)


@settings(max_examples=300, deadline=None)
@given(
    pieces=st.tuples(_PIECES, _CHOICES),
    labels=st.dictionaries(st.sampled_from(_KEYS), st.sampled_from(_NAMED), max_size=4),
    choices=st.dictionaries(st.sampled_from(_KEYS), st.sampled_from(_NAMED), max_size=4),
)
def test_all_but_the_models_stays_to_the_letter(
    pieces: tuple[list[str | _Tag], list[str | _Tag]],
    labels: dict[str, str],
    choices: dict[str, str],
) -> None:
    parts: list[str | _Tag] = [
        "<View>\n<Labels>",
        *pieces[0],
        "</Labels>",
        *pieces[1],
        "</View>\r\n",
    ]
    before = "".join(one.text() if isinstance(one, _Tag) else one for one in parts)
    after = _assign(before, labels, choices)

    # Everything around the models is there as it was, in its order.
    rest, models = after, []
    for one in parts:
        if not isinstance(one, _Tag):
            assert rest.startswith(one)
            rest = rest.removeprefix(one)
            continue
        assert rest.startswith(one.before)
        rest = rest.removeprefix(one.before)
        found = re.match(r"""\s+model=(?P<value>"[^"]*"|'[^']*')""", rest)
        models.append(found["value"] if found else "")
        rest = rest[found.end() :] if found else rest
        assert rest.startswith(one.behind)
        rest = rest.removeprefix(one.behind)
    assert rest == ""

    # And the models are those that were asked for.
    tags = [one for one in parts if isinstance(one, _Tag)]
    config = _config(after)
    read = [(one.value, one.assertion, one.model) for one in config.labels]
    read += [(one.name, False, one.model) for one in config.choices]
    assert len(read) == len(models)
    wanted = [_expected(one, labels, choices) for one in tags]
    statuses = {
        model.removesuffix(".model")
        for one, model in zip(tags, wanted, strict=True)
        if one.assertion and model
    }
    if len(statuses) > 1:  # a project can use one assertion model
        wanted = [
            one.model if one.assertion else model for one, model in zip(tags, wanted, strict=True)
        ]
    assert read == [
        (one.key, one.assertion, model) for one, model in zip(tags, wanted, strict=True)
    ]
    for one, model, written in zip(tags, wanted, models, strict=True):
        if model == one.model:
            assert written == one.written.strip().removeprefix("model=")


def _expected(one: _Tag, labels: Mapping[str, str], choices: Mapping[str, str]) -> str:
    wanted = (labels if one.kind == "Label" else choices).get(one.key, "")
    tied = one.model not in ("", "own1", "own2.model")
    same = wanted.removesuffix(".model") == one.model.removesuffix(".model")
    kind = "assertion_" if one.assertion else "ner_" if one.kind == "Label" else "classification_"
    misfit = wanted in _NAMED[-3:] and not wanted.startswith(kind)
    return one.model if tied or same or misfit or not wanted else wanted


class _FakeCatalog:
    """A project `b` with a labelling config, and a label that was renamed."""

    def __init__(self, xml: str, *labels: Label) -> None:
        self.xml = xml
        self.labels = self
        self._table = LabelTable(labels)

    async def table(self, project: str) -> LabelTable:
        assert project == "b"
        return self._table

    async def change_config(
        self, project: str, rewrite: Callable[[str], str]
    ) -> tuple[object, bool]:
        before, self.xml = self.xml, rewrite(self.xml)
        return _Project(self.xml), before != self.xml


@dataclass(frozen=True)
class _Project:
    labeling_config: str


@pytest.mark.parametrize(
    ("model", "own"),
    [
        ("", True),
        ("ner_b_v1", True),
        ("ner_b_v12.model", True),
        ("ner_b_v2", False),  # as it should be already
        ("ner_jsl", False),
        ("ner_b", False),
        ("ner_b_v1x", False),
        ("ner_b_v²", False),
        ("other_b_v1", False),
        ("ner_a_b_v1", False),  # of the project a_b
        ("ner_b_v1_r2", True),
        ("ner_b_v0", False),
        ("ner_b_v1_r0", False),
        ("ner_b_v1_r", False),
    ],
)
async def test_models_of_other_projects_are_not_replaced(model: str, own: bool) -> None:
    xml = f'<View><Labels><Label value="A" model="{model}"/></Labels></View>'
    labeling = Labeling(cast("Catalog", _FakeCatalog(xml)))
    after, changed = await labeling.assign_models("b", {"A": "ner_b_v2"}, {})
    assert changed is own
    assert after == (xml.replace(f'"{model}"', '"ner_b_v2"') if own else xml)


@pytest.mark.parametrize(
    ("model", "own"),
    [
        ("classification_topic_b_v1", True),
        ("classification_topic_b_v1_r3.model", True),
        ("classification_first_tone_b_v4", True),  # of another control of this project
        ("classification_b_v1", True),
        ("classification_topic_a_b_v1", False),  # of the project a_b
        ("classification_other_b_v1", False),
        ("classification_topic_b", False),
        ("classification__b_v1", False),
        ("topic_b_v1", False),
    ],
)
async def test_models_of_choices_are_known_by_control_and_project(model: str, own: bool) -> None:
    xml = (
        f'<View><Choices name="topic" toName="t" model="{model}"><Choice value="x"/></Choices>'
        '<Choices name="First Tone" toName="t"><Choice value="y"/></Choices>'
        '<Text name="t" value="$t"/></View>'
    )
    labeling = Labeling(cast("Catalog", _FakeCatalog(xml)))
    new = "classification_topic_b_v2"
    after, changed = await labeling.assign_models("b", {}, {"topic": new})
    assert changed is own
    assert after == (xml.replace(f'"{model}"', f'"{new}"') if own else xml)


async def test_models_of_assertions_are_known_by_project() -> None:
    xml = '<View><Labels><Label value="S" assertion="true" model="assertion_b_v1"/></Labels></View>'
    labeling = Labeling(cast("Catalog", _FakeCatalog(xml)))
    after, changed = await labeling.assign_models("b", {"S": "assertion_b_v1_r1"}, {})
    assert changed
    assert 'model="assertion_b_v1_r1"' in after
    tied = xml.replace("assertion_b_v1", "assertion_jsl")
    labeling = Labeling(cast("Catalog", _FakeCatalog(tied)))
    assert await labeling.assign_models("b", {"S": "assertion_b_v2"}, {}) == (tied, False)


@pytest.mark.parametrize(
    ("labels", "choices", "field"),
    [
        ({"A": "ner_b_v2", "B": "classification_b_v1"}, {}, "label_models[B]"),
        ({}, {"c": "ner_b_v2"}, "choices_models[c]"),
        ({}, {"c": "assertion_b_v2.model"}, "choices_models[c]"),
        ({"S": "assertion_b_v1", "T": "assertion_b_v2"}, {}, "label_models[T]"),
    ],
)
async def test_a_request_that_contradicts_itself_is_refused(
    labels: dict[str, str], choices: dict[str, str], field: str
) -> None:
    labeling = Labeling(cast("Catalog", _FakeCatalog("<View/>")))
    with pytest.raises(InvalidArgumentError) as refused:
        await labeling.assign_models("b", labels, choices)
    assert [one.field for one in refused.value.violations] == [field]


@pytest.mark.parametrize("in_config", ["Old", "New"])
@pytest.mark.parametrize("order", [("Old", "New"), ("New", "Old")])
async def test_the_adapter_of_the_present_name_counts(
    in_config: str, order: tuple[str, str]
) -> None:
    renamed = Label(
        project="b",
        id="n",
        value="New",
        description="",
        version=2,
        created=1,
        updated=2,
        former_values=("Old",),
    )
    catalog = _FakeCatalog(f'<Labels><Label value="{in_config}"/></Labels>', renamed)
    models = {"Old": "ner_b_v1", "New": "ner_b_v2"}
    after, _ = await Labeling(cast("Catalog", catalog)).assign_models(
        "b", {label: models[label] for label in order}, {}
    )
    assert _config(after).labels[0].model == "ner_b_v2"
