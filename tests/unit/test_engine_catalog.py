"""Which engines there are, what they take, and what a job is refused for."""

from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from services.common.errors import InvalidArgumentError
from services.trainer.domain import ModelType, Parameters, TrainingJob, Transfer
from services.trainer.engine_choice import check_engine, check_model_type
from services.trainer.engines.built_in import BUILT_IN, FULL, LADDER, LORA
from services.trainer.engines.catalog import GROUP, EngineCatalog, installed_engines
from services.trainer.engines.contract import CONTRACT_PARAMETERS
from services.trainer.engines.description import EngineInfo, EngineOption, Kind, OptionError
from services.trainer.engines.effective import effective
from services.trainer.engines.params import LadderParams, ParamsError
from services.trainer.resources.describe_parameters import DescribeParameters
from services.trainer.validation import check_trunk_source

MINE = EngineInfo(
    name="mine",
    description="Another's.",
    model_types=("ner",),
    entry="tests.unit.test_engine_catalog:train_mine",
    defaults={"ner": LadderParams(epochs=7)},
    options=(
        EngineOption(
            name="depth", kind=Kind.INTEGER, default=2, minimum=1, maximum=9, description="Depth."
        ),
        EngineOption(name="rate", kind=Kind.NUMBER, default=0.5, maximum=1, description="Rate."),
        EngineOption(name="loud", kind=Kind.BOOLEAN, default=False, description="Loud."),
        EngineOption(
            name="way", kind=Kind.STRING, default="a", choices=("a", "b"), description="Way."
        ),
        EngineOption(
            name="min_steps",
            kind=Kind.INTEGER,
            default=400,
            minimum=1,
            maximum=100,
            description="Least steps.",
        ),
    ),
)
NOT_AN_ENGINE = "mine"
IMPOSTOR = EngineInfo(name="ladder", description="", model_types=(), entry="")


def train_mine() -> None:
    """What `MINE` names."""


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=f"tests.unit.test_engine_catalog:{value}", group=GROUP)


def catalog() -> EngineCatalog:
    return installed_engines([point("mine", "MINE")])


def job(**fields: object) -> TrainingJob:
    values: dict[str, object] = {"project": "p", "id": "j", "snapshot": "s", "trunk_source": ""}
    return TrainingJob(**(values | fields))  # type: ignore[arg-type]


def test_built_in_engines_need_no_metadata_and_others_add_theirs() -> None:
    assert installed_engines([]).names == sorted(engine.name for engine in BUILT_IN)
    assert catalog().engines["mine"].load().__name__ == train_mine.__name__
    assert not catalog().broken


def test_the_metadata_names_the_built_in_engines() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    points = project["project"]["entry-points"][GROUP]
    found = [EntryPoint(name=name, value=value, group=GROUP) for name, value in points.items()]
    assert sorted(points) == sorted(engine.name for engine in BUILT_IN)
    assert not installed_engines(found).broken


def test_an_entry_point_that_is_no_engine_takes_no_other_down() -> None:
    found = installed_engines(
        [
            point("gone", "GONE"),
            point("text", "NOT_AN_ENGINE"),
            point("ladder", "IMPOSTOR"),
            point("other", "MINE"),
            point("mine", "MINE"),
        ]
    )
    assert set(found.broken) == {"gone", "text", "ladder", "other"}
    assert found.engines["ladder"] is LADDER
    assert "mine" in found.engines
    with pytest.raises(InvalidArgumentError, match=r"gone.*cannot be imported"):
        check_engine(job(engine="gone"), found)


@pytest.mark.parametrize("engine", [engine.name for engine in BUILT_IN])
def test_every_built_in_engine_loads(engine: str) -> None:
    assert callable(installed_engines([]).engines[engine].load())


def test_a_missing_function_is_an_import_error() -> None:
    with pytest.raises(ImportError, match="has no gone"):
        EngineInfo(
            name="x", description="", model_types=(), entry="tests.unit.test_engine_catalog:gone"
        ).load()


@pytest.mark.parametrize(
    ("option", "text", "value"),
    [
        ("depth", "3", 3),
        ("rate", "0.25", 0.25),
        ("loud", "True", True),
        ("loud", "0", False),
        ("way", "b", "b"),
    ],
)
def test_options_are_read(option: str, text: str, value: object) -> None:
    values = MINE.option_values({option: text})
    assert values[option] == value
    assert type(values[option]) is type(value)
    assert values["min_steps"] == 400


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("depth", "0"),
        ("depth", "10"),
        ("depth", "2.5"),
        ("depth", "many"),
        ("rate", "nan"),
        ("rate", "-0.1"),
        ("loud", "perhaps"),
        ("way", "c"),
        ("width", "8"),
    ],
)
def test_options_out_of_bounds_are_refused_by_name(option: str, text: str) -> None:
    with pytest.raises(OptionError, match=option):
        MINE.option_values({option: text})
    wanted = job(engine="mine", parameters=Parameters(engine_options={option: text}))
    with pytest.raises(InvalidArgumentError) as caught:
        check_engine(wanted, catalog())
    assert caught.value.metadata["field"] == f"training_job.parameters.engine_options[{option}]"
    if option == "width":
        assert "depth, loud, min_steps, rate, way" in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"engine": "none"}, "engine", "full, ladder, lora, mine"),
        ({"engine": "lora", "base_model_version": "v"}, "base_model_version", "one trunk"),
        ({"engine": "full", "base_model_version": "v"}, "base_model_version", "one trunk"),
        ({"engine": "full", "transfer": Transfer(model_version="v")}, "transfer", "cannot start"),
        ({"engine": "ladder", "script": "s"}, "script", "must be empty"),
        (
            {"parameters": Parameters(stride=40, max_length=64)},
            "parameters",
            "stride must be at most half",
        ),
        (
            {"parameters": Parameters(batch_words=64, batch_words_start=65)},
            "parameters",
            "batch_words_start must be at most",
        ),
    ],
)
def test_what_an_engine_cannot_do_is_refused(
    fields: dict[str, object], field: str, said: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=said) as caught:
        check_engine(job(**fields), catalog())
    assert caught.value.metadata["field"] == f"training_job.{field}"


def test_a_type_that_an_engine_does_not_train_is_refused() -> None:
    check_model_type(job(engine="mine"), catalog())
    with pytest.raises(InvalidArgumentError, match="full, ladder, lora") as caught:
        check_model_type(job(engine="mine", model_type=ModelType.ASSERTION), catalog(), "template")
    assert caught.value.metadata["field"] == "template.engine"


def test_what_an_engine_can_do_is_let_through() -> None:
    assert check_engine(job(base_model_version="v"), catalog()) is LADDER
    assert check_engine(job(transfer=Transfer(model_version="v")), catalog()) is LADDER


def test_tuned_trunks_are_named_by_a_version() -> None:
    with pytest.raises(InvalidArgumentError, match="base_model_version"):
        check_trunk_source("tuned:embedded:all-MiniLM-L6-v2")


def test_effective_parameters_join_defaults_options_and_what_was_given() -> None:
    given = {"validation_split": 0.2, "weight_averaging": 0.9, "seed": 3, "dropout": 0.0}
    found = effective(MINE, "ner", given, {"min_steps": "50", "depth": "4"}, 512)
    assert found.params == LadderParams(
        epochs=7, held_out=0.2, ema=0.9, seed=3, dropout=0.0, min_steps=50
    )
    assert found.options == {"depth": 4, "rate": 0.5, "loud": False, "way": "a"}
    precision = {"precision": "int8", "reason": "The job asks for it."}
    document = found.to_document("mine", "ner", "sha256:t", precision)
    assert document["parameters"]["validation_split"] == 0.2
    assert document["parameters"]["width"] == LadderParams.width
    own = {"min_steps": 50, "label_smoothing": 0.0}
    assert document["engine_options"] == {**found.options, **own}
    assert (document["engine"], document["trunk_digest"]) == ("mine", "sha256:t")
    assert document["trunk_precision"] == precision
    assert found.to_text("mine", "ner", "t", precision).startswith('{"engine":"mine"')


def test_label_smoothing_can_be_given_to_engines_of_ladders_and_is_kept_within_bounds() -> None:
    assert effective(LADDER, "assertion", {}, {}, 512).params.label_smoothing == 0.1
    for engine in (LADDER, LORA, FULL):
        found = effective(engine, "assertion", {}, {"label_smoothing": "0.25"}, 512)
        assert found.params.label_smoothing == 0.25
        assert "label_smoothing" not in found.options
        with pytest.raises(ParamsError, match="label_smoothing"):
            effective(engine, "assertion", {}, {"label_smoothing": "0.6"}, 512)


def test_windows_follow_the_trunks_limit() -> None:
    short = effective(LADDER, "ner", {}, {}, 64).params
    assert (short.max_length, short.stride) == (64, 16)
    with pytest.raises(ParamsError, match="at most 64"):
        effective(LADDER, "ner", {"max_length": 65}, {}, 64)
    with pytest.raises(ParamsError, match="rank is no option"):
        effective(LADDER, "ner", {}, {"rank": "4"}, 64)


def test_engines_are_described_with_the_defaults_of_the_type() -> None:
    (mine,) = DescribeParameters(catalog())("mine", ModelType.NER)
    described = {parameter.name: parameter for parameter in mine.parameters}
    assert list(described)[: len(CONTRACT_PARAMETERS)] == [p.name for p in CONTRACT_PARAMETERS]
    assert described["epochs"].default == "7"
    assert described["patience"].default == ""
    assert described["patience"].minimum == 1
    assert "a fifteenth" in described["patience"].description
    assert described["weight_averaging"].default == str(LadderParams.ema)
    assert described["loud"].default == "false"
    assert described["loud"].engine_option
    assert described["depth"].kind == "integer"
    (other,) = DescribeParameters(catalog())("mine", ModelType.ASSERTION)
    assert {p.name: p.default for p in other.parameters}["epochs"] == ""
    everything = DescribeParameters(catalog())("", ModelType.NER)
    assert [engine.engine for engine in everything] == catalog().names
    with pytest.raises(InvalidArgumentError, match="mine"):
        DescribeParameters(catalog())("none", ModelType.NER)


def test_defaults_are_within_the_bounds_that_are_described() -> None:
    for engine in DescribeParameters(installed_engines([]))("", ModelType.NER):
        for parameter in engine.parameters:
            assert parameter.description
            if parameter.default and parameter.kind in {"integer", "number"}:
                assert parameter.minimum <= float(parameter.default) <= parameter.maximum


def test_words_of_a_step_grow_as_compounding_says() -> None:
    params = LadderParams(batch_words=128, batch_words_start=16, batch_growth=1.5)
    assert [params.words_at(step) for step in range(7)] == [16, 24, 36, 54, 81, 121, 128]
    assert params.words_at(10**9) == 128
    assert LadderParams(batch_words=64).words_at(0) == 64
    flat = LadderParams(batch_words=64, batch_words_start=32, batch_growth=1.0)
    assert flat.words_at(1000) == 32


def test_the_step_size_falls_evenly() -> None:
    params = LadderParams(learning_rate=0.1, learning_rate_decay=0.2)
    assert params.rate_at(0.0) == pytest.approx(0.1)
    assert params.rate_at(0.5) == pytest.approx(0.06)
    assert params.rate_at(1.0) == pytest.approx(0.02)
