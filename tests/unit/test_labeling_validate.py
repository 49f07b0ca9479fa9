"""What is wrong with labelling configs: every problem at once, each at its place."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.annotation.content import Choices, Content, Relation, Span
from services.annotation.domain import Label
from services.annotation.labeling.checks import ConfigChecks, usable_config
from services.annotation.labeling.config import Code, KnownModel, ModelType, Severity
from services.annotation.labeling.validate import MAX_PROBLEMS, validate
from services.annotation.labels.table import LabelTable
from services.annotation.spans import MAX_LABEL
from services.common.errors import FailedPreconditionError, InvalidArgumentError, Reason

TEXT = '<Text name="text" value="$text"/>'
LABELS = '<Labels name="ner" toName="text"><Label value="A"/><Label value="B"/></Labels>'


def _found(body: str, models: list[KnownModel] | None = None) -> list[tuple[str, Code]]:
    """Return what is found in a config whose second line is `body`: what stands there, and why."""
    problems = validate(f"<View>{TEXT}\n{body}\n</View>", models)
    assert all(one.place.line == 2 and one.message.endswith(".") for one in problems)
    return [(body[one.place.column - 1 :][:14], one.code) for one in problems]


def _label(attributes: str) -> str:
    return f'<Labels name="ner" toName="text"><Label {attributes}/></Labels>'


ERRORS = [
    # names and what they point at
    (
        '<Labels name="n" toName="txt"><Label value="A"/></Labels>',
        'toName="txt"><',
        "UNKNOWN_TO_NAME",
    ),
    ('<Rating name="r" toName="text,other"/>', 'toName="text,o', "UNKNOWN_TO_NAME"),
    ('<Filter name="f" toName="nobody"/>', 'toName="nobody', "UNKNOWN_TO_NAME"),
    ('<Labels name="n" value="$x"/>', '<Labels name="', "NO_TO_NAME"),
    ('<TextArea name="n"/>', "<TextArea name", "NO_TO_NAME"),
    ('<Choices toName="text"><Choice value="A"/></Choices>', "<Choices toNam", "NO_NAME"),
    ('<Rectangle toName="text"/>', "<Rectangle toN", "NO_NAME"),
    (LABELS + '<TextArea toName="text" name="ner"/>', 'name="ner"/>', "DUPLICATE_NAME"),
    ('<Number name="text" toName="text"/>', 'name="text" to', "DUPLICATE_NAME"),
    ('<Image name="text" value="$image"/>', 'name="text" va', "DUPLICATE_NAME"),
    ('<Image name="image"/>', '<Image name="i', "NO_VALUE"),
    # values
    ('<Labels name="n" toName="text"/>', '<Labels name="', "EMPTY_CONTROL"),
    ('<Choices name="n" toName="text"><View/></Choices>', "<Choices name=", "EMPTY_CONTROL"),
    (_label('hotkey="1"'), "<Label hotkey=", "NO_VALUE"),
    (_label(f'value="{"x" * (MAX_LABEL + 1)}"'), 'value="xxxxxxx', "INVALID_VALUE"),
    (_label(f'value="A" alias="{"é" * (MAX_LABEL + 1)}"'), 'alias="ééééééé', "INVALID_VALUE"),
    (_label('value=" A"'), 'value=" A"/></', "INVALID_VALUE"),
    (_label('value="A&#10;B"'), 'value="A&#10;B', "INVALID_VALUE"),
    (LABELS.replace("B", "A"), 'value="A"/></L', "DUPLICATE_VALUE"),
    (_label('value="A"/><Label value="B" alias="A"'), 'alias="A"/></L', "DUPLICATE_VALUE"),
    ('<Choices name="n" toName="text"><Choice/></Choices>', "<Choice/></Cho", "NO_VALUE"),
    (
        '<Choices name="n" toName="text"><Choice value="a"/><Choice alias="" value="a"/></Choices>',
        'value="a"/></C',
        "DUPLICATE_VALUE",
    ),
    # choices
    (
        '<Choices name="n" toName="text" choice="one" value="$x"/>',
        'choice="one" v',
        "UNKNOWN_CHOICE_MODE",
    ),
    (
        (
            '<Choices name="a" toName="text" train="true" value="$x"/>'
            '<Choices name="b" toName="text" value="$x" train="true"/>'
        ),
        'train="true"/>',
        "SEVERAL_TRAINED",
    ),
    # relations
    (LABELS + '<Relation value="r" allowed="A>C"/>', 'allowed="A>C"/', "UNKNOWN_RELATION_LABEL"),
    (LABELS + '<Relation value="r" allowed="A<>C"/>', 'allowed="A<>C"', "UNKNOWN_RELATION_LABEL"),
    (LABELS + '<Relation value="r" allowed="A-B"/>', 'allowed="A-B"/', "INVALID_RELATION"),
    (LABELS + '<Relation value="r" allowed="A>B>A"/>', 'allowed="A>B>A', "INVALID_RELATION"),
    (LABELS + '<Relation value="r" allowed="A>B,"/>', 'allowed="A>B,"', "INVALID_RELATION"),
    ('<Relation allowed=""/>', "<Relation allo", "NO_VALUE"),
    ('<Relation value="r"/><Relation  value="r"/>', 'value="r"/>', "DUPLICATE_VALUE"),
    # models, by what their names say
    (
        _label('value="A" assertion="true" model="ner_p_v1"'),
        'model="ner_p_v',
        "MODEL_TYPE_MISMATCH",
    ),
    (_label('value="A" model="assertion_p.model"'), 'model="asserti', "MODEL_TYPE_MISMATCH"),
    (
        '<Choices name="n" toName="text" value="$x" model="ner_p_v1"/>',
        'model="ner_p_v',
        "MODEL_TYPE_MISMATCH",
    ),
    (
        _label(
            'value="A" assertion="true" model="one.model"/><Label value="B" assertion="true" '
            'model="two"'
        ),
        'model="two"/><',
        "SEVERAL_ASSERTION_MODELS",
    ),
]


@pytest.mark.parametrize(("body", "place", "code"), ERRORS, ids=[one[0][:60] for one in ERRORS])
def test_an_error_and_its_place(body: str, place: str, code: str) -> None:
    assert _found(body) == [(place, Code(code))]
    with pytest.raises(FailedPreconditionError) as refused:
        usable_config(f"<View>{TEXT}\n{body}\n</View>", "config")
    assert refused.value.reason is Reason.LABELING_CONFIG_INVALID
    assert refused.value.metadata["code"] == code
    assert refused.value.metadata["line"] == "2"


WARNINGS = [
    (
        '<Hologram name="h"><Widget/></Hologram>',
        ["<Hologram name"[:14], "<Widget/></Hol"],
        "UNKNOWN_TAG",
    ),
    ('<Label value="lost"/>', ['<Label value="'], "MISPLACED_TAG"),
    ('<View><Choice value="lost"/></View>', ["<Choice value="], "MISPLACED_TAG"),
    (LABELS.replace("<Labels", '<Labels train="true"'), ['train="true" n'], "MISPLACED_ATTRIBUTE"),
    (LABELS.replace("<Labels", '<Labels model="m"'), ['model="m" name'], "MISPLACED_ATTRIBUTE"),
    (_label('value="A" assertion="maybe"'), ['assertion="may'], "INVALID_VALUE"),
    ('<Choices name="n" toName="text" value="$x" train="on"/>', ['train="on"/>'], "INVALID_VALUE"),
]


@pytest.mark.parametrize(
    ("body", "places", "code"), WARNINGS, ids=[one[0][:60] for one in WARNINGS]
)
def test_a_warning_and_its_place(body: str, places: list[str], code: str) -> None:
    assert _found(body) == [(place, Code(code)) for place in places]
    xml = f"<View>{TEXT}\n{body}\n</View>"
    assert {one.severity for one in validate(xml)} == {Severity.WARNING}
    config = usable_config(xml, "config")
    assert config is not None
    assert config.source == xml


@pytest.mark.parametrize(
    "body",
    [
        LABELS,
        LABELS + '<Filter name="f" toName="ner"/>',
        LABELS
        + '<Relations><Relation value="r" allowed="A<>B,B>A"/><Relation value="s"/></Relations>',
        '<Labels name="n" toName="text" value="$labels"/><Relation value="r" allowed="X>Y"/>',
        _label('value="👨‍👩‍👧 family" alias="a b"'),
        _label(f'value="{"🎈" * MAX_LABEL}"'),
        _label('value="A" alias="1"/><Label value="A" alias="2"'),
        LABELS + '<RectangleLabels name="n2" toName="text"><Label value="A"/></RectangleLabels>',
        '<Image name="pages" valueList="$pages"/><Rectangle name="r" toName="text, pages"/>',
        (
            '<Choices name="c" toName="text" allowNested="true">'
            '<Choice value="a"><Choice value="x"/></Choice>'
            '<View><Choice value="b"><Choice value="x"/></Choice></View></Choices>'
        ),
        '<Taxonomy name="t" toName="text"><Choice value="a"/></Taxonomy>',
        _label('value="A" model="some_pretrained.model"'),
    ],
)
def test_a_good_config_has_no_problems(body: str) -> None:
    assert _found(body) == []


NER = KnownModel(name="spans_v3", type=ModelType.NER, labels=("A",))
STATUS = KnownModel(name="status_v1.model", type=ModelType.ASSERTION)
CLASSES = KnownModel(name="classes", type=ModelType.CLASSIFICATION, labels=("yes",))
TOLD = KnownModel(name="assertion_told", type=ModelType.NER)
UNTOLD = KnownModel(name="assertion_untold")
UNKNOWN = KnownModel(name="other")
_MISMATCH = Code.MODEL_TYPE_MISMATCH
MODELS = [NER, STATUS, CLASSES, TOLD, UNTOLD, UNKNOWN]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (_label('value="A" model="spans_v3.model"'), []),
        (_label('value="A" assertion="true" model="status_v1"'), []),
        # The type that is told, else the name; a name that says nothing fits.
        (_label('value="A" model="assertion_told"'), []),
        (_label('value="A" model="assertion_untold"'), [('model="asserti', _MISMATCH)]),
        (_label('value="A" assertion="true" model="assertion_untold"'), []),
        (_label('value="A" model="other"'), []),
        (_label('value="A" assertion="true" model="other"'), []),
        (_label('value="A" model="gone"'), [('model="gone"/>', Code.UNKNOWN_MODEL)]),
        (_label('value="B" model="spans_v3"'), [('model="spans_v', Code.LABEL_UNKNOWN_TO_MODEL)]),
        (
            _label('value="A" alias="B" model="spans_v3"'),
            [('model="spans_v', Code.LABEL_UNKNOWN_TO_MODEL)],
        ),
        (_label('value="B" alias="A" model="spans_v3"'), []),
        (
            _label('value="A" assertion="true" model="spans_v3"'),
            [('model="spans_v', Code.MODEL_TYPE_MISMATCH)],
        ),
        (_label('value="A" model="classes"'), [('model="classes', Code.MODEL_TYPE_MISMATCH)]),
        (
            (
                '<Choices name="c" toName="text" model="classes"><Choice value="yes"/>'
                '<Choice value="no"/></Choices>'
            ),
            [('value="no"/></', Code.LABEL_UNKNOWN_TO_MODEL)],
        ),
        # Both that it is not there and that it would not fit.
        (
            _label('value="A" model="assertion_gone"'),
            [('model="asserti', Code.MODEL_TYPE_MISMATCH), ('model="asserti', Code.UNKNOWN_MODEL)],
        ),
        (
            _label(
                'value="A" assertion="true" model="status_v1"/><Label value="B" assertion="true" '
                'model="status_v2"'
            ),
            [
                ('model="status_', Code.SEVERAL_ASSERTION_MODELS),
                ('model="status_', Code.UNKNOWN_MODEL),
            ],
        ),
    ],
)
def test_models_are_checked_against_those_that_exist(
    body: str, found: list[tuple[str, Code]]
) -> None:
    assert [(place[:14], code) for place, code in _found(body, MODELS)] == [
        (place[:14], code) for place, code in found
    ]


def test_without_models_given_none_is_missing_and_with_none_existing_each_is() -> None:
    body = _label('value="A" model="m"')
    assert _found(body) == []
    assert _found(body, []) == [('model="m"/></L', Code.UNKNOWN_MODEL)]


def test_all_problems_are_told_at_once_in_order() -> None:
    xml = (
        '<View>\n  <Labels name="a" toName="x">\n    <Label/>\n  </Labels>\n'
        '  <Choices name="a" choice="any"/>\n</View>'
    )
    assert [(one.place.line, one.place.column, one.code) for one in validate(xml)] == [
        (2, 20, Code.UNKNOWN_TO_NAME),
        (3, 5, Code.NO_VALUE),
        (5, 3, Code.EMPTY_CONTROL),
        (5, 3, Code.NO_TO_NAME),
        (5, 12, Code.DUPLICATE_NAME),
        (5, 21, Code.UNKNOWN_CHOICE_MODE),
    ]


def test_very_many_problems_are_cut_off_and_it_says_so() -> None:
    targets = ",".join(f"{'x' * 20}{number}" for number in range(MAX_PROBLEMS + 5))
    problems = validate(f'<View><Rating name="r" toName="{targets}"/></View>')
    assert len(problems) == MAX_PROBLEMS + 1
    assert [one for one in problems if one.code is Code.TOO_MANY_PROBLEMS] == problems[:1]


def test_messages_do_not_repeat_long_values() -> None:
    name = "x" * 300_000
    problems = validate(
        f'<View><Text name="{name}" value="$t"/><Rating name="r" toName="a,b,c"/>'
        f'<Labels name="l" toName="{name}"><Label value="A" assertion="true" model="{name}"/>'
        '<Label value="B" assertion="true" model="m"/></Labels></View>'
    )
    assert len(problems) == 4
    assert max(len(one.message) for one in problems) < 250


CONFIG = (
    f"<View>{TEXT}"
    '<Labels name="ner" toName="text"><Label value="Drug" alias="DRUG"/><Label value="Dose"/>'
    '<Label value="Absent" assertion="true"/></Labels>'
    '<Relations><Relation value="of" allowed="Dose>Drug"/></Relations>'
    '<Choices name="age" toName="text"><Choice value="Child" alias="C"/><Choice value="Adult"/>'
    "</Choices></View>"
)


def _content(**fields: object) -> Content:
    spans = (
        Span(start=0, end=1, label="Dose", id="dose"),
        Span(start=2, end=3, label="DRUG", id="drug", assertion=str(fields.pop("assertion", ""))),
    )
    return Content(spans=spans, **fields)  # type: ignore[arg-type]  # the test's own fields


def test_an_annotation_that_fits_the_config() -> None:
    config = usable_config(CONFIG, "config")
    assert config is not None
    content = _content(
        assertion="Absent",
        choices=(Choices(name="age", values=("C",)),),
        relations=(Relation(id="r", source="dose", target="drug", labels=("of",)),),
    )
    ConfigChecks(config).check(content, LabelTable(()), "completion")


@pytest.mark.parametrize("source", ["Dose", "Amount", "Quantity"])
@pytest.mark.parametrize("target", ["DRUG", "MEDICATION"])
def test_relations_join_labels_under_each_of_their_names(source: str, target: str) -> None:
    config = usable_config(CONFIG, "config")
    assert config is not None
    table = LabelTable(
        [_renamed("Quantity", "Dose", "Amount"), _renamed("MEDICATION", "DRUG"), _renamed("Other")]
    )
    checks = ConfigChecks(config)
    content = Content(
        spans=(
            Span(start=0, end=1, label=source, id="dose"),
            Span(start=2, end=3, label=target, id="drug"),
        ),
        relations=(Relation(id="r", source="dose", target="drug", labels=("of",)),),
    )
    checks.check(content, table, "completion")
    back = replace(content.relations[0], source="drug", target="dose")
    with pytest.raises(InvalidArgumentError, match="it joins Quantity and MEDICATION"):
        checks.check(replace(content, relations=(back,)), table, "completion")


def _renamed(value: str, *former: str) -> Label:
    return Label(
        project="p",
        id=value.lower(),
        value=value,
        description="",
        version=1,
        created=1,
        updated=1,
        former_values=former,
    )


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"assertion": "Past"}, "completion.spans[1].assertion"),
        ({"choices": (Choices(name="sex", values=("C",)),)}, "completion.choices[0].name"),
        ({"choices": (Choices(name="age", values=("Child",)),)}, "completion.choices[0].values"),
        (
            {"choices": (Choices(name="age", values=("C", "Adult")),)},
            "completion.choices[0].values",
        ),
        (
            {"relations": (Relation(id="r", source="drug", target="dose", labels=("of",)),)},
            "completion.relations[0]",
        ),
        (
            {"relations": (Relation(id="r", source="dose", target="drug", labels=("for",)),)},
            "completion.relations[0].labels[0]",
        ),
    ],
)
def test_an_annotation_that_does_not_fit_the_config(fields: dict[str, object], field: str) -> None:
    config = usable_config(CONFIG, "config")
    assert config is not None
    with pytest.raises(InvalidArgumentError) as refused:
        ConfigChecks(config).check(_content(**fields), LabelTable(()), "completion")
    assert refused.value.metadata["field"] == field
