"""Checking labelling configs, and naming the models that serve their labels."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.annotation.handlers.catalog import Catalog
from services.annotation.labeling.checks import label_values_of
from services.annotation.labeling.config import KnownModel, LabelingConfig, ModelType, Problem
from services.annotation.labeling.models import base_name, fits, is_own, type_of
from services.annotation.labeling.parse import parse
from services.annotation.labeling.rewrite import assign_models
from services.annotation.labeling.validate import validate
from services.common.errors import invalid_field
from services.common.validate import check_count, check_line

MAX_MODELS = 10_000
MAX_ASSIGNED = 10_000


@dataclass(frozen=True, kw_only=True)
class Validated:
    """What is wrong with a config, and what it says as far as it can be read."""

    problems: Sequence[Problem]
    config: LabelingConfig | None

    @property
    def labels(self) -> list[str]:
        """The labels of spans and regions, as annotations carry them."""
        return [] if self.config is None else label_values_of(self.config)


class Labeling:
    """Works on the labelling configs of projects."""

    def __init__(self, catalog: Catalog) -> None:
        """Find configs in the catalog."""
        self._catalog = catalog

    async def validate(
        self, project: str, xml: str, models: Sequence[KnownModel] | None
    ) -> Validated:
        """Check a config, or with an empty text that of the project."""
        check_count(models or (), "models", 0, MAX_MODELS)
        found = await self._catalog.project(project)
        text = xml or found.labeling_config
        if not text:
            return Validated(problems=(), config=None)
        problems = await asyncio.to_thread(validate, text, models)
        config, _ = await asyncio.to_thread(parse, text)
        return Validated(problems=problems, config=config)

    async def assign_models(
        self,
        project: str,
        label_models: Mapping[str, str],
        choices_models: Mapping[str, str],
    ) -> tuple[str, bool]:
        """Name the models that serve labels and choices, each where it fits by its type.

        Labels that the config does not have, and those that a model does not fit, are left out.

        Returns:
            The config after it, and whether it was changed.

        Raises:
            InvalidArgumentError: FIELD_INVALID: a model that can serve no label, or no choices; or
                two assertion models, of which a project can use one.
        """
        for field, models in (("label_models", label_models), ("choices_models", choices_models)):
            check_count(models, field, 0, MAX_ASSIGNED)
            for key, model in models.items():
                check_line(key, f"{field} key", 1, 100)
                check_line(model, f"{field}[{key}]", 1, 200)
        _check_types(label_models, choices_models)
        table = await self._catalog.labels.table(project)
        # A config may still carry the name that a label had before. Where adapters of both names
        # are deployed, that of the present one counts.
        present_last = sorted(label_models, key=lambda label: table.current(label) == label)
        by_any_name = {
            name: label_models[label] for label in present_last for name in table.names_of(label)
        }

        def rewrite(xml: str) -> str:
            if not xml:
                return xml
            config, _ = parse(xml)
            controls = [] if config is None else [one.name for one in config.choices]
            return assign_models(
                xml,
                by_any_name,
                choices_models,
                lambda model: is_own(model, project, controls),
                assertion_models=by_any_name,
            )

        changed_project, changed = await self._catalog.change_config(project, rewrite)
        return changed_project.labeling_config, changed


def _check_types(label_models: Mapping[str, str], choices_models: Mapping[str, str]) -> None:
    """Return when each model can serve what it is named for, as far as the names tell."""
    assertion = ""
    for label, model in label_models.items():
        kind = type_of(model, None)
        if kind is ModelType.CLASSIFICATION:
            raise invalid_field(
                f"label_models[{label}]", f"{model!r} serves choices: name it in choices_models."
            )
        if kind is not ModelType.ASSERTION:
            continue
        if assertion and base_name(assertion) != base_name(model):
            raise invalid_field(
                f"label_models[{label}]",
                f"a project can use one assertion model, and {assertion!r} is another one than "
                f"{model!r}: name the same one.",
            )
        assertion = model
    for name, model in choices_models.items():
        if not fits(model, ModelType.CLASSIFICATION):
            raise invalid_field(
                f"choices_models[{name}]", f"{model!r} serves labels: name it in label_models."
            )
