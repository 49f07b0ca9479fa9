"""What Label Studio and Generative AI Lab call the same things."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """The keys of one tool. Any of several keys is read; without one the first is written.

    Attributes:
        name: Under which `extra` keeps what has no place.
        completions: Lists of annotations in a task.
        author: Of an annotation.
        created: Of an annotation.
        ground_truth: Of an annotation.
        copied: Prediction that an annotation began as.
        page_text: Field of the data for the text of a page task.
        unsubmitted_is_draft: Whether an annotation without `submitted_at` or star is a draft;
            otherwise drafts stand in a list of their own.
        score_in_value: Whether scores are ``value.confidence`` instead of ``score``, and the text
            of a region stands beside its labels instead of in a result of its own.
    """

    name: str
    completions: tuple[str, ...]
    author: tuple[str, ...]
    created: tuple[str, ...]
    ground_truth: tuple[str, ...]
    copied: tuple[str, ...]
    page_text: str
    unsubmitted_is_draft: bool
    score_in_value: bool


LABEL_STUDIO = Dialect(
    name="label_studio",
    completions=("annotations", "completions"),
    author=("completed_by", "created_username"),
    created=("created_at", "created_ago"),
    ground_truth=("ground_truth", "honeypot"),
    copied=("parent_prediction", "prediction"),
    page_text="text",
    unsubmitted_is_draft=False,
    score_in_value=False,
)
GENERATIVE_AI_LAB = Dialect(
    name="generative_ai_lab",
    completions=("completions", "annotations"),
    author=("created_username", "completed_by"),
    created=("created_ago", "created_at"),
    ground_truth=("honeypot", "ground_truth"),
    copied=("copied_from",),
    page_text="ocr_plain_text",
    unsubmitted_is_draft=True,
    score_in_value=True,
)
