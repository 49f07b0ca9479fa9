"""Registration of trunks and adapters: manifests are read, checked and tied to their files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from services.common.blobs import BlobStore, digest_of
from services.common.call import current_actor
from services.common.errors import (
    FailedPreconditionError,
    NotFoundError,
    Reason,
    SpanloopError,
    invalid_field,
    not_found,
)
from services.common.modeling.heads import ASSERTION
from services.common.modeling.manifest import (
    AdapterManifest,
    FileDigest,
    ManifestError,
    TrunkManifest,
)
from services.common.paging import parse_page
from services.common.validate import check_line
from services.registry.artifact_repository import ArtifactDocuments
from services.registry.domain import Adapter, ModelType, Trunk, hex_of
from services.registry.file_uses import FileUses
from services.registry.grace import Grace

# Far above any real manifest and far below what a document may hold.
MAX_MANIFEST_BYTES = 1024 * 1024
_MAX_INT32 = 2**31 - 1

M = TypeVar("M", TrunkManifest, AdapterManifest)


class Models:
    """Trunks and adapters."""

    def __init__(
        self, repository: ArtifactDocuments, blobs: BlobStore, uses: FileUses, grace: Grace
    ) -> None:
        """Use the given stores."""
        self._repository = repository
        self._blobs = blobs
        self._uses = uses
        self._grace = grace

    async def register_trunk(self, data: bytes) -> Trunk:
        """Register a trunk by its manifest; one registered before is returned as it is.

        Raises:
            InvalidArgumentError: The manifest is not a valid one.
            FailedPreconditionError: A file is not uploaded; names it and its digest.
        """
        manifest = _parse(data, "trunk.manifest", TrunkManifest.from_bytes)
        check_line(manifest.name, "trunk.manifest.name", 1)
        check_line(manifest.source, "trunk.manifest.source", 1, 500)
        check_line(manifest.precision, "trunk.manifest.precision", 1)
        if max(manifest.hidden_size, manifest.taps, manifest.max_length) > _MAX_INT32:
            raise invalid_field("trunk.manifest", "a size in it does not fit into 32 bits.")
        digest = digest_of(data)
        now, fresh = self._grace.now(), self._grace.fresh()
        if (known := await self._repository.use_trunk(digest, now, fresh)) is not None:
            return known
        await self._require_files(manifest.files)
        return await self._repository.add_trunk(
            Trunk(
                digest=digest,
                manifest=data,
                source=manifest.source,
                precision=manifest.precision,
                hidden_size=manifest.hidden_size,
                taps=manifest.taps,
                files=_digests(manifest.files),
                create_time=self._grace.now(),
                actor=current_actor(),
            )
        )

    async def trunk(self, digest: str) -> Trunk:
        """Read a trunk.

        Raises:
            NotFoundError: It is not registered.
        """
        trunk = await self._repository.trunk(digest)
        if trunk is None:
            raise not_found(f"trunks/{hex_of(digest)}")
        return trunk

    async def trunks(self, source: str, page_size: int, page_token: str) -> tuple[list[Trunk], str]:
        """Return a page of trunks, newest first, and the token of the next page."""
        check_line(source, "source", 0, 500)
        scope = f"ListTrunks\n{source}"
        page = parse_page(page_size, page_token, scope)
        return await self._repository.trunks(source, page, scope)

    async def register_adapter(self, data: bytes) -> Adapter:
        """Register an adapter by its manifest; one registered before is returned as it is.

        Raises:
            InvalidArgumentError: The manifest is not a valid one, or does not fit its trunk.
            FailedPreconditionError: Its trunk is not registered or a file is not uploaded.
        """
        manifest = _parse(data, "adapter.manifest", AdapterManifest.from_bytes)
        check_line(manifest.label, "adapter.manifest.label", 1, 100)
        if manifest.model_type == ModelType.ASSERTION and manifest.label != ASSERTION:
            raise invalid_field(
                "adapter.manifest.label", f"must be {ASSERTION!r} for adapters of this type."
            )
        for index, value in enumerate(manifest.classes):
            check_line(value, f"adapter.manifest.classes[{index}]", 1, 1_000)
        digest = digest_of(data)
        now, fresh = self._grace.now(), self._grace.fresh()
        if known := (await self._repository.use_adapters([digest], now, fresh)).get(digest):
            return known
        await self._check_trunk(manifest)
        await self._require_files(manifest.files)
        return await self._repository.add_adapter(
            Adapter(
                digest=digest,
                manifest=data,
                label=manifest.label,
                model_type=ModelType(manifest.model_type),
                trunk_digest=manifest.trunk_digest,
                files=_digests(manifest.files),
                create_time=self._grace.now(),
                actor=current_actor(),
            )
        )

    async def adapter(self, digest: str) -> Adapter:
        """Read an adapter.

        Raises:
            NotFoundError: It is not registered.
        """
        adapter = (await self._repository.adapters([digest])).get(digest)
        if adapter is None:
            raise not_found(f"adapters/{hex_of(digest)}")
        return adapter

    async def _check_trunk(self, manifest: AdapterManifest) -> None:
        registered = await self._repository.use_trunk(
            manifest.trunk_digest, self._grace.now(), self._grace.fresh()
        )
        if registered is None:
            raise FailedPreconditionError(
                Reason.STATE_CONFLICT,
                f"The adapter reads trunk {manifest.trunk_digest}, which is not registered: "
                "register it first.",
                metadata={"resource": f"trunks/{hex_of(manifest.trunk_digest)}"},
            )
        trunk = TrunkManifest.from_bytes(registered.manifest)
        shape = manifest.architecture
        for fits, what in (
            (manifest.tokenizer_digest == trunk.tokenizer_digest, "tokenizer_digest"),
            (shape.hidden_size == trunk.hidden_size, "architecture.hidden_size"),
            (max(shape.taps) < trunk.taps, "architecture.taps"),
            (manifest.max_length <= trunk.max_length, "max_length"),
        ):
            if not fits:
                raise invalid_field(
                    f"adapter.manifest.{what}", f"does not fit trunk {registered.digest}."
                )

    async def _require_files(self, files: Mapping[str, FileDigest]) -> None:
        for name, file in sorted(files.items()):
            if await self._uses.use(file.digest, self._grace.now(), self._grace.fresh()):
                raise _not_uploaded(name, file, "was not used for long and is being deleted")
            try:
                size = await self._blobs.head(file.digest)
            except NotFoundError:
                raise _not_uploaded(name, file, "is not uploaded") from None
            if size != file.size:
                raise _not_uploaded(
                    name, file, f"has {size} bytes where its manifest says {file.size}"
                )


def _parse(data: bytes, field: str, read: Callable[[bytes], M]) -> M:
    """Read a manifest; only the canonical bytes are accepted, as their digest is the identity."""
    if not data:
        raise invalid_field(field, "is required.")
    if len(data) > MAX_MANIFEST_BYTES:
        raise invalid_field(
            field, f"has at most {MAX_MANIFEST_BYTES} bytes.", reason=Reason.REQUEST_TOO_LARGE
        )
    try:
        manifest = read(data)
    except ManifestError as error:
        raise invalid_field(field, f"{error}.") from None
    try:
        canonical = manifest.to_bytes() == data
    except (ValueError, RecursionError):  # e.g. NaN, a lone surrogate, too deep
        canonical = False
    if not canonical:
        raise invalid_field(field, "is not canonical JSON: sorted keys, no blanks, known fields.")
    return manifest


def _digests(files: Mapping[str, FileDigest]) -> dict[str, str]:
    return {name: file.digest for name, file in files.items()}


def _not_uploaded(name: str, file: FileDigest, problem: str) -> SpanloopError:
    return FailedPreconditionError(
        Reason.STATE_CONFLICT,
        f"File {name} ({file.digest}) {problem}: upload it first.",
        metadata={"file": name, "digest": file.digest},
    )
