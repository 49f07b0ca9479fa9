"""The labelling configs of the documents that the product started from, to the letter."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.annotation.labeling.config import (
    ChoiceMode,
    Code,
    KnownModel,
    LabelingConfig,
    ModelType,
    Place,
)
from services.annotation.labeling.parse import parse
from services.annotation.labeling.validate import validate

SEEDS = Path(__file__).resolve().parents[2].parent / "shared" / "seeds"

ASSERTION_LABELS = """\
    <Label value="Absent" assertion="true" model="assertion_jsl_annotation_manual.model"/>
    <Label value="Past" assertion="true" model="assertion_jsl_annotation_manual.model"/>
"""

FIRST_BY_NAME = """\
<View>
  <View style="overflow: auto;">
    <Text name="text" value="$text"/>
  </View>
  <Header value="Smoking Status"/>
  <Choices name="smokingstatus" toName="text" choice="multiple" showInLine="true">
    <Choice value="Smoker"/>
    <Choice value="Past Smoker"/>
    <Choice value="Nonsmoker"/>
  </Choices>
  <Header value="Age"/>
  <Choices name="age" toName="text" choice="single" showInLine="true">
    <Choice value="Child (less than 18y)" hotkey="c"/>
    <Choice value="Adult (19-50y)" hotkey="a"/>
    <Choice value="Aged (50+y)" hotkey="o"/>
  </Choices>
  <Header value="Gender"/>
  <Choices name="gender" toName="text" choice="single" showInLine="true">
    <Choice value="Female" hotkey="f"/>
    <Choice value="Male" hotkey="m"/>
  </Choices>
</View>
"""

MARKED = """\
<View>
  <View style="overflow: auto;">
    <Text name="text" value="$text"/>
  </View>
  <Header value="Smoking Status"/>
  <Choices name="smokingstatus" toName="text" choice="multiple" showInLine="true">
    ...
  </Choices>
  <Header value="Age"/>
  <Choices name="age" toName="text" choice="single" showInLine="true">
    ...
  </Choices>
  <Header value="Gender"/>
  <Choices name="gender" train="true" toName="text" choice="single" showInLine="true">
   ...
  </Choices>
</View>
"""


def _read(xml: str) -> LabelingConfig:
    config, problems = parse(xml)
    assert problems == []
    assert config is not None
    return config


def _assertion_config(more: str = "") -> str:
    return (
        '<View>\n<Text name="text" value="$text"/>\n<Labels name="ner" toName="text">\n'
        f"{ASSERTION_LABELS}{more}</Labels>\n</View>"
    )


def test_the_choices_of_the_seeds_are_read() -> None:
    config = _read(FIRST_BY_NAME)
    assert [one.name for one in config.choices] == ["smokingstatus", "age", "gender"]
    smoking = config.choice("smokingstatus")
    assert smoking is not None
    assert smoking.mode is ChoiceMode.MULTIPLE
    assert [one.value for one in smoking.choices] == ["Smoker", "Past Smoker", "Nonsmoker"]
    age = config.choice("age")
    assert age is not None
    assert age.mode is ChoiceMode.SINGLE
    assert [(one.value, one.hotkey) for one in age.choices] == [
        ("Child (less than 18y)", "c"),
        ("Adult (19-50y)", "a"),
        ("Aged (50+y)", "o"),
    ]
    assert [(one.tag, one.name, one.field) for one in config.objects] == [("Text", "text", "text")]
    assert validate(FIRST_BY_NAME) == []


def test_the_alphabetically_first_choices_are_trained_by_default() -> None:
    trained = _read(FIRST_BY_NAME).classifier_to_train()
    assert trained is not None
    assert trained.name == "age"


def test_the_choices_marked_with_train_are_trained() -> None:
    trained = _read(MARKED).classifier_to_train()
    assert trained is not None
    assert trained.name == "gender"


def test_the_shortened_example_lacks_choices_in_three_places() -> None:
    assert [(one.code, one.place) for one in validate(MARKED)] == [
        (Code.EMPTY_CONTROL, Place(line=6, column=3)),
        (Code.EMPTY_CONTROL, Place(line=10, column=3)),
        (Code.EMPTY_CONTROL, Place(line=14, column=3)),
    ]


def test_the_assertion_labels_of_the_seeds() -> None:
    xml = _assertion_config()
    config = _read(xml)
    assert [one.value for one in config.assertion_labels()] == ["Absent", "Past"]
    assert config.ner_labels() == ()
    assert {one.model for one in config.labels} == {"assertion_jsl_annotation_manual.model"}
    assert validate(xml) == []


@pytest.mark.parametrize("name", ["assertion_jsl_annotation_manual", "spans.model"])
def test_a_ner_model_cannot_predict_an_assertion_label(name: str) -> None:
    xml = _assertion_config().replace("assertion_jsl_annotation_manual.model", name)
    (first, second) = validate(xml, [KnownModel(name=name, type=ModelType.NER)])
    assert {first.code, second.code} == {Code.MODEL_TYPE_MISMATCH}
    assert first.place == Place(line=4, column=44)


def test_only_one_assertion_model_in_a_project() -> None:
    xml = _assertion_config('<Label value="Family" assertion="true" model="assertion_b_v1"/>\n')
    (found,) = validate(xml)
    assert found.code is Code.SEVERAL_ASSERTION_MODELS
    assert found.place == Place(line=6, column=40)


def test_a_mistake_in_the_name_of_a_model_is_a_problem() -> None:
    known = [KnownModel(name="assertion_jsl_annotation", type=ModelType.ASSERTION)]
    assert [one.code for one in validate(_assertion_config(), known)] == [Code.UNKNOWN_MODEL] * 2


def test_these_are_the_configs_of_the_seeds() -> None:
    found = sorted(SEEDS.glob("*.txt"))
    if not found:
        pytest.skip("the documents are not beside the repository")
    blocks = {
        block
        for path in found
        for block in re.findall(r"```bash\n(.*?)```", path.read_text("utf-8"), re.DOTALL)
        if "<" in block
    }
    assert blocks == {ASSERTION_LABELS, FIRST_BY_NAME, MARKED}
