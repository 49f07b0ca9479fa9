"""The engines that come with the trainer, described. Free of torch."""

from __future__ import annotations

from services.trainer.engines.description import (
    EngineInfo,
    EngineOption,
    EngineResources,
    Kind,
)
from services.trainer.engines.params import DEFAULTS, LIMITS, LadderParams

_ALL = ("ner", "classification", "assertion")
_GIB = 1024**3

_MIN_STEPS = EngineOption(
    name="min_steps",
    kind=Kind.INTEGER,
    default=LadderParams.min_steps,
    minimum=LIMITS["min_steps"][0],
    maximum=LIMITS["min_steps"][1],
    description="Optimiser steps of the longest run when the number of epochs is not given.",
)
_LABEL_SMOOTHING = EngineOption(
    name="label_smoothing",
    kind=Kind.NUMBER,
    default=LadderParams.label_smoothing,
    minimum=LIMITS["label_smoothing"][0],
    maximum=LIMITS["label_smoothing"][1],
    description="Share of each right answer of a single choice or assertion that is spread over "
    "all of them in training. The ladder's default for assertion is "
    f"{DEFAULTS['assertion'].label_smoothing:g}.",
)
_HEAD = EngineOption(
    name="head",
    kind=Kind.STRING,
    default="ladder",
    choices=("ladder", "linear"),
    description="What reads the trunk: `ladder` all its layers, with context and word shape; "
    "`linear` the last layer alone, as plain fine-tuning does.",
)
# A trunk that learns needs small steps that die away, and no noise on what it says itself.
_TUNED = LadderParams(
    tap_dropout=0.1,
    learning_rate=1e-3,
    learning_rate_decay=0.1,
    ema=0.0,
    min_steps=600,
)

LADDER = EngineInfo(
    name="ladder",
    description="Side adapters on the frozen serving trunk, whose activations are computed once "
    "and cached: the fastest by far.",
    model_types=_ALL,
    entry="services.trainer.engines.ladder_engine:train",
    defaults=DEFAULTS,
    options=(
        EngineOption(
            name="learning_curve",
            kind=Kind.BOOLEAN,
            default=False,
            description="Whether to train on parts of the train split too, for the report.",
        ),
        EngineOption(
            name="distillation_folds",
            kind=Kind.INTEGER,
            default=0,
            maximum=10,
            description="For spans (ner): teachers that are trained on parts of the train texts "
            "first. What each says of the texts that it has not seen is learned beside the "
            "annotations. 3 take three times the training; 0: none; 1: refused.",
        ),
        _MIN_STEPS,
        _LABEL_SMOOTHING,
    ),
    resources=EngineResources(cpu=1, memory_bytes=_GIB),
    transfer=True,
)


def _tuned(
    name: str, description: str, trunk_learning_rate: float, *own: EngineOption
) -> EngineInfo:
    """Return an engine that trains the trunk too, with these options before those of all such."""
    rate = EngineOption(
        name="trunk_learning_rate",
        kind=Kind.NUMBER,
        default=trunk_learning_rate,
        minimum=1e-7,
        maximum=0.1,
        description="Step size for the trunk's weights.",
    )
    return EngineInfo(
        name=name,
        description=description,
        model_types=_ALL,
        entry=f"services.trainer.engines.trunk_engine:train_{name}",
        defaults=dict.fromkeys(_ALL, _TUNED),
        options=(*own, rate, _HEAD, _MIN_STEPS, _LABEL_SMOOTHING),
        resources=EngineResources(cpu=2, memory_bytes=4 * _GIB),
        own_trunk=True,
    )


LORA = _tuned(
    "lora",
    "Low-rank changes of the trunk, trained together with the adapters, merged and exported as a "
    "trunk of its own: for labels that the frozen trunk does not suffice for.",
    1e-3,
    EngineOption(
        name="rank",
        kind=Kind.INTEGER,
        default=16,
        minimum=1,
        maximum=256,
        description="Rank of the change of each weight matrix.",
    ),
    EngineOption(
        name="alpha",
        kind=Kind.NUMBER,
        default=32.0,
        minimum=0.1,
        maximum=1024,
        description="Scale of the changes: they are multiplied by alpha / rank.",
    ),
    EngineOption(
        name="lora_dropout",
        kind=Kind.NUMBER,
        default=0.05,
        maximum=0.9,
        description="Share of the inputs of the changes dropped while training.",
    ),
    EngineOption(
        name="targets",
        kind=Kind.STRING,
        default="all-linear",
        description="Which matrices change: `all-linear`, or ends of module names separated by "
        "commas, such as `query,value`.",
    ),
)

FULL = _tuned(
    "full",
    "Fine-tuning of all of the trunk's weights together with the adapters, exported as a trunk of "
    "its own: the slowest, and the largest artifacts.",
    1e-4,
)

SCRIPT = EngineInfo(
    name="script",
    description="Your own program, in a process apart: what it makes are adapters of the serving "
    "trunk, or of a trunk that it brings. See docs/training-scripts.md.",
    model_types=_ALL,
    entry="services.trainer.engines.script_engine:train",
    options=(
        EngineOption(
            name="activations",
            kind=Kind.BOOLEAN,
            default=True,
            description="Whether the script is given what the trunk says about each word.",
        ),
        EngineOption(
            name="script_options",
            kind=Kind.STRING,
            default="",
            description="Whatever the script wants to be told.",
        ),
    ),
    resources=EngineResources(cpu=2, memory_bytes=4 * _GIB),
    needs_script=True,
)

BUILT_IN = (LADDER, LORA, FULL, SCRIPT)
