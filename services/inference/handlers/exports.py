"""ExportModelVersion: from a model version to the files of a folder."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import TypeVar

from services.common.blobs import LocalCache
from services.common.errors import DataLossError, FailedPreconditionError, Reason
from services.common.modeling.manifest import ManifestError
from services.common.modeling.onnx.weights import WEIGHTS_FILE
from services.common.version_names import parse_version_name
from services.inference.artifacts import CachedArtifacts
from services.inference.domain import AdapterKind, ModelVersion
from services.inference.engine.export_check import checked_onnx_files
from services.inference.exports.archive import tar_chunks
from services.inference.exports.content import ExportContent
from services.inference.exports.hugging_face_layout import hugging_face_files
from services.inference.ports import Registry
from services.inference.tasks import all_of

T = TypeVar("T")


class Layout(StrEnum):
    """How an export's folder is laid out."""

    ONNX = "ONNX"
    HUGGING_FACE = "HUGGING_FACE"


_LAYOUTS: Mapping[Layout, Callable[[ExportContent], dict[str, bytes]]] = {
    Layout.ONNX: checked_onnx_files,
    Layout.HUGGING_FACE: hugging_face_files,
}


class Exports:
    """Makes exports, one at a time: each needs the memory of a few trunks."""

    def __init__(self, registry: Registry, cache: LocalCache) -> None:
        """Read artifacts through the service's one cache; start no thread yet."""
        self._registry = registry
        self._artifacts = CachedArtifacts(registry, cache, self._run)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="export")
        self._one = asyncio.Lock()

    def close(self) -> None:
        """Wait for what runs now."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def export(self, name: str, layout: Layout) -> Iterator[bytes]:
        """Return the pieces of a tar archive of a checked export.

        Raises:
            NotFoundError: There is no such version.
            FailedPreconditionError: It must not be served (MODEL_VERSION_NOT_READY), or cannot be
                laid out so (STATE_CONFLICT).
            DataLossError: An artifact is damaged, or the export does not answer as it is served.
            UnavailableError: The registry is away.
        """
        version = await self._registry.model_version(*parse_version_name(name, "name"))
        _check(version, layout)
        async with self._one:
            content = await self._content(version, layout)
            files = await self._run(_LAYOUTS[layout], content)
        return tar_chunks(files)

    async def _content(self, version: ModelVersion, layout: Layout) -> ExportContent:
        refs = [ref for _, _, ref in sorted(version.adapters.items(), key=lambda item: item[:2])]
        manifest = await self._artifacts.trunk_manifest(refs[0].trunk_digest)
        if layout is Layout.HUGGING_FACE and WEIGHTS_FILE not in manifest.files:
            raise FailedPreconditionError(
                Reason.STATE_CONFLICT,
                f"{version.name} reads the trunk {manifest.name}, whose weights for torch were not "
                "kept: only versions by the engines full and lora have this layout.",
                metadata={"model_version": version.name},
            )
        adapters = await all_of([self._artifacts.adapter(ref.digest) for ref in refs])
        names = sorted(manifest.files)
        found = await all_of([self._artifacts.file(manifest.files[one].digest) for one in names])
        return ExportContent(
            version=version.name,
            trunk=manifest,
            files=dict(zip(names, found, strict=True)),
            adapters=adapters,
        )

    async def _run(self, work: Callable[..., T], *arguments: object) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)
        except ManifestError as error:
            raise DataLossError(
                Reason.ARTIFACT_CORRUPT, f"The model cannot be exported: {error}."
            ) from error


def _check(version: ModelVersion, layout: Layout) -> None:
    if not version.servable:
        raise FailedPreconditionError(
            Reason.MODEL_VERSION_NOT_READY,
            f"{version.name} is {'purged' if version.purged else version.state}; READY and RETIRED "
            "versions whose artifacts are kept are exported.",
            metadata={"model_version": version.name, "state": version.state.value},
        )
    kinds = {kind for kind, _, _ in version.adapters.items()}
    if not kinds:
        raise FailedPreconditionError(
            Reason.STATE_CONFLICT,
            f"{version.name} is of a type that this server does not know: ask a newer one.",
            metadata={"model_version": version.name},
        )
    if layout is Layout.HUGGING_FACE and kinds != {AdapterKind.LABEL}:
        raise FailedPreconditionError(
            Reason.STATE_CONFLICT,
            f"{version.name} finds no spans: only versions of type NER have Hugging Face's layout. "
            "Its built-in classifiers read one vector of the last layer, not what this model "
            "reads. Take the layout ONNX.",
            metadata={"model_version": version.name},
        )
