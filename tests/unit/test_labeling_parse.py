"""Reading labelling configs: the grammar's traps, hostile XML, and exact places."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree  # type: ignore[import-untyped]  # it has no types

from services.annotation.labeling.config import (
    ChoiceMode,
    Code,
    ConfigLabel,
    LabelingConfig,
    Place,
    Problem,
)
from services.annotation.labeling.parse import parse
from services.annotation.labeling.scan import Lines, escaped, original_index, scan
from services.annotation.labeling.tree import (
    MAX_ATTRIBUTES,
    MAX_BYTES,
    MAX_DEPTH,
    MAX_LABELS,
    MAX_TAGS,
    Node,
    XmlError,
    read_tree,
)

TEXT = '<Text name="text" value="$text"/>'


def _read(inner: str) -> LabelingConfig:
    config, problems = parse(f"<View>{TEXT}{inner}</View>")
    assert problems == []
    assert config is not None
    return config


def _refused(xml: str) -> Problem:
    config, (problem,) = parse(xml)
    assert config is None
    return problem


def test_labels_with_everything() -> None:
    config = _read(
        '\n<Labels name="ner" toName="text"><View style="x"><Label value="Drug &amp; dose" '
        'alias="DRUG" hotkey="d" background="#FFA39E" model="ner_p_v1"/></View>\n'
        '<Label value="Absent" assertion="true"/></Labels>'
    )
    assert config.labels == (
        ConfigLabel(
            value="Drug & dose",
            alias="DRUG",
            hotkey="d",
            background="#FFA39E",
            model="ner_p_v1",
            control="ner",
            place=Place(line=2, column=50),
        ),
        ConfigLabel(value="Absent", assertion=True, control="ner", place=Place(line=3, column=1)),
    )
    assert [one.exported for one in config.ner_labels()] == ["DRUG"]
    assert [one.exported for one in config.assertion_labels()] == ["Absent"]


def test_controls_and_objects_of_a_page() -> None:
    config, problems = parse(
        '<View><Image name="image" value="$ocr"/><Text name="a" value="$a"/>'
        '<Rectangle name="bbox" toName="image" strokeWidth="3"/>'
        '<TextArea name="transcription" toName="image, a" perRegion="true"/>'
        '<RectangleLabels name="box" toName="image"><Label value="Total"/></RectangleLabels>'
        '<Magicwand name="wand" toName="image"/><Filter name="f" toName="box"/></View>'
    )
    assert problems == []
    assert config is not None
    assert [(one.tag, one.name, one.to_names) for one in config.controls] == [
        ("Rectangle", "bbox", ("image",)),
        ("TextArea", "transcription", ("image", "a")),
        ("RectangleLabels", "box", ("image",)),
        ("Magicwand", "wand", ("image",)),
    ]
    assert [(one.tag, one.name, one.field) for one in config.objects] == [
        ("Image", "image", "ocr"),
        ("Text", "a", "a"),
    ]
    assert [(one.value, one.control) for one in config.labels] == [("Total", "box")]


def test_labels_that_come_with_the_task() -> None:
    config = _read(
        '<Labels name="l" toName="text" value="$labels"/>'
        '<Choices name="c" toName="text" value="$options" choice="single-radio" perRegion="true" '
        'required="true" model="classification_p_v1"/>'
    )
    assert [(one.name, one.dynamic) for one in config.controls] == [("l", True)]
    (choices,) = config.choices
    assert (choices.dynamic, choices.per_region, choices.required) == (True, True, True)
    assert choices.mode is ChoiceMode.SINGLE_RADIO
    assert choices.model == "classification_p_v1"


@pytest.mark.parametrize(
    ("allowed", "pairs", "both"),
    [
        ("A>B", (("A", "B"),), False),
        ("A<>B", (("A", "B"),), True),
        ("A&lt;>B", (("A", "B"),), True),
        ("A&lt;&gt;B", (("A", "B"),), True),
        (" A > B , C>A ", (("A", "B"), ("C", "A")), False),
        ("A>B,B<>C", (("A", "B"), ("B", "C"), ("C", "B")), False),
        ("A<>B,A>B", (("A", "B"),), True),
        ("Long name>B", (("LONG", "B"),), False),
    ],
)
def test_relations_have_no_name_and_join_labels(
    allowed: str, pairs: tuple[tuple[str, str], ...], both: bool
) -> None:
    config = _read(
        f'<Relations><Relation value="r" allowed="{allowed}"/><Relation value="any"/></Relations>'
        '<Labels name="l" toName="text"><Label value="A"/><Label value="B"/><Label value="C"/>'
        '<Label value="Long name" alias="LONG"/></Labels>'
    )
    joined, free = config.relations
    assert (joined.allowed, joined.both_ways) == (pairs, both)
    assert (free.value, free.allowed) == ("any", ())


def test_a_label_in_nested_controls_belongs_to_the_inner_one() -> None:
    config = _read(
        '<Labels name="outer" toName="text"><Label value="A"/>'
        '<HyperTextLabels name="inner" toName="text"><Label value="B"/></HyperTextLabels></Labels>'
    )
    assert [(one.value, one.control) for one in config.labels] == [("A", "outer"), ("B", "inner")]


def test_what_only_looks_like_a_tag_is_none() -> None:
    config = _read(
        '<!-- <Labels name="no"><Label value="no"/> --><?php <Label value="no"/> ?>'
        '<Style><![CDATA[ <Label value="no"/> ]]></Style>'
        "<Header value='<Label value=\"no\"/>'/>"
        '<Labels name="l" toName="text"><Label value="yes"/></Labels>'
    )
    assert [one.value for one in config.labels] == ["yes"]


@pytest.mark.parametrize(
    "xml",
    [
        '<!DOCTYPE v [<!ENTITY a "x"><!ENTITY b "&a;&a;&a;&a;&a;">]><View>&b;</View>',
        '<!DOCTYPE v [<!ENTITY x SYSTEM "file:///etc/passwd">]><View><Header value="&x;"/></View>',
        '<!DOCTYPE v SYSTEM "http://127.0.0.1:9/v.dtd"><View/>',
        '<!DOCTYPE v PUBLIC "-//A//B" "http://127.0.0.1:9/" [<!ENTITY % p SYSTEM "x"> %p;]><v/>',
    ],
)
def test_document_types_and_with_them_entities_are_refused(xml: str) -> None:
    problem = _refused(f"<!-- no <!DOCTYPE -->\n {xml}")
    assert problem.code is Code.DTD_FORBIDDEN
    assert problem.place == Place(line=2, column=2)


@pytest.mark.parametrize(
    ("xml", "line", "column"),
    [
        ("", 1, 1),
        ("no XML", 1, 1),
        ("<View>\n  <Text>\n</View>", 3, 3),
        ("<View>\r\n\r  <Text a='1' a='2'/></View>", 3, 15),
        ('<View>\n🎈é <a b="x" c=d/></View>', 2, 15),
        ("<View>&nbsp;</View>", 1, 7),
        ("<View/><View/>", 1, 8),
        ("<View/>\ud800", 1, 8),
        ("<View>\0</View>", 1, 7),
        # Behind an unescaped "<", and on its line.
        ('<View><Relation allowed="A<>B<>C"/></Wiew>', 1, 38),
        ("<View><Relation allowed=\"A<>B\"/>\n<Relation allowed='C<>D'/> &</View>", 2, 29),
        ("<View><!-- never ends", 1, 7),
        # Where the "<" is that no value can hold.
        ("<View><Header value='never ends/></View>", 1, 34),
    ],
)
def test_malformed_xml_is_refused_at_its_place(xml: str, line: int, column: int) -> None:
    problem = _refused(xml)
    assert problem.code is Code.MALFORMED_XML
    assert problem.place == Place(line=line, column=column)
    assert problem.message.endswith(".")


def test_an_encoding_declaration_and_a_byte_order_mark_change_nothing() -> None:
    for head in (
        "\ufeff",
        '<?xml version="1.0" encoding="UTF-16"?>',
        "\ufeff<?xml version='1.0'?>",
    ):
        config, problems = parse(f'{head}<View><Labels name="ö"/></View>')
        assert problems == []
        assert config is not None
        assert config.controls[0].name == "ö"


@pytest.mark.parametrize(
    "xml",
    [
        f"<View>{'é' * (MAX_BYTES // 2)}</View>",
        f"<View>{'<a/>' * MAX_TAGS}</View>",
        f"<Labels>{'<Label/>' * (MAX_LABELS + 1)}</Labels>",
        "<a>" * (MAX_DEPTH + 1) + "</a>" * (MAX_DEPTH + 1),
        "<a " + " ".join(f"a{number}=''" for number in range(MAX_ATTRIBUTES + 1)) + "/>",
    ],
    ids=["bytes", "tags", "labels", "depth", "attributes"],
)
def test_what_is_too_large_is_refused(xml: str) -> None:
    assert _refused(xml).code is Code.TOO_LARGE


def test_as_many_labels_as_are_allowed_are_read() -> None:
    labels = "".join(f'<Label value="{number}"/>' for number in range(MAX_LABELS))
    config = _read(f'<Labels name="l" toName="text">{labels}</Labels>')
    assert len(config.labels) == MAX_LABELS


@pytest.mark.parametrize(
    "piece", ["<!--", "<![CDATA[", "<?", "<!", "</", "<", "<a ", "<a b=", '<a b="', "<a b=\" c='"]
)
def test_reading_takes_no_quadratic_time(piece: str) -> None:
    xml = piece * (MAX_BYTES // len(piece))
    begin = time.process_time()
    assert _refused(xml).code is Code.MALFORMED_XML
    # About 0.5 s at most; with one search per piece, minutes.
    assert time.process_time() - begin < 10


_PIECES = st.sampled_from(
    [
        *("<", ">", "/", "=", '"', "'", " ", "\n", "\r\n", "a", "b", "é", "🎈", "&amp;", "&", "-"),
        *("<a>", "</a>", "<b/>", ' c="', " d='", "<!--", "-->", "<![CDATA[", "]]>", "<?p ", "?>"),
        *(
            '<a b="A<>B">',
            "<Label value='x' />",
            "\u00a0",
            "\u2028",
            "\x85",
            ":",
            "!",
            "<é ö='ü'/>",
        ),
    ]
)


def _nodes(xml: str) -> list[Node] | None:
    try:
        return list(read_tree(xml).walk())
    except XmlError:
        return None


@settings(max_examples=400, deadline=None)
@given(st.lists(_PIECES, max_size=12).map("".join))
def test_tags_are_found_where_another_parser_finds_them(inner: str) -> None:
    xml = f"<View>{inner}</View>"
    text, _ = escaped(xml, scan(xml))
    nodes = _nodes(xml)
    if nodes is None:
        with pytest.raises(etree.XMLSyntaxError):
            etree.fromstring(text.encode())
        return
    tags = [one for one in etree.fromstring(text.encode()).iter() if isinstance(one.tag, str)]
    assert [node.tag for node in nodes] == [one.tag for one in tags]
    assert [node.attributes for node in nodes] == [dict(one.attrib) for one in tags]
    for node in nodes:
        assert xml.startswith(f"<{node.tag}", node.scanned.start)
        for name in node.attributes:
            found = node.scanned.attribute(name)
            assert found is not None
            assert xml.startswith(name, found.start)
            assert xml[found.value_start - 1] == xml[found.value_end] == found.quote


@given(st.text(alphabet="<>ab ", max_size=12), st.text(alphabet="<é", max_size=6))
def test_places_in_the_escaped_text_are_those_of_the_original(one: str, two: str) -> None:
    xml = f'<a b="{one}"><c d=\'{two}\' e=""/></a>'
    text, places = escaped(xml, scan(xml))
    expected = [
        index
        for index, character in enumerate(xml)
        for _ in range(len("&lt;") if index in places else len(character))
    ]
    assert [original_index(index, places) for index in range(len(text))] == expected
    assert original_index(len(text), places) == len(xml)
    assert text.count("<") == 3


@given(st.text(alphabet="a🎈\r\n", max_size=20))
def test_lines_and_columns_count_code_points_from_one(text: str) -> None:
    lines = Lines(text)
    line = column = 1
    for index, character in enumerate(text):
        assert lines.place(index) == Place(line=line, column=column)
        ends = character == "\n" or (character == "\r" and text[index + 1 : index + 2] != "\n")
        line, column = (line + 1, 1) if ends else (line, column + 1)
