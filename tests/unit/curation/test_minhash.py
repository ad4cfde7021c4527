"""Signatures are datatrove's, bit for bit: its formulas stand here once more, in whole numbers."""
# ruff: noqa: RUF001  # signs that look alike are what is tested

import pickle
import random
import re
import unicodedata
from functools import cache
from typing import Any

import numpy as np
import pytest
import regex
import spacy
import xxhash
from datasketch import MinHash
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.curation.dedup import build_signer
from workers.curation.dedup.hashing import lanes_of, xxh32, xxh64
from workers.curation.dedup.minhash import hash_ngrams
from workers.curation.dedup.normal import NormalWords, normal_words
from workers.curation.document import Document
from workers.curation.text import Text
from workers.specs.curation import Dedup

LANGUAGES = ["en", "fr", "es", "de", "it", "pt"]
PRIME = 2**61 - 1
PUNCTUATION = "!/—”:％１〈&(、━\\【#%「」，】；+^]~“《„';’{|∶´[=-`*．（–？！：$～«〉,><》)?）。…@_.\"}►»" + "".join(
    chr(code) for code in (*range(9), *range(11, 13), *range(13, 32), *range(127, 160))
)
TEXTS = {
    "en": "I cannot say whether it'll cost $1,234.56 or 3km; don't you? E-mail: a_b@example.com (v2.0-beta) C++/C# im",
    "fr": "L'été dernier, n° 5 : aujourd'hui même, 25°C à l'ombre… 12km d'ici. Qu'est-ce que c'est ? Æsop «cœur»",
    "es": "¿Cuántos años? El niño pagó 1.000,50€ por pal EE. UU. nº 3 n°4 ¡Olé! 50% de la señora",
    "de": "Straße, z.B. GRÖSSE 30km/h — „Äpfel“ ‚x‘ 3.–5. Jänner; ÖBB-Fahrkarte, d. h. 2²=4",
    "it": "Dell'altro po' di caffè: perché c'è l'n° 12? È 10h30, 5kg; un'e-mail",
    "pt": "Não há pão-de-ló às 10h: 3 kg, R$ 4,50. Avô, avó e ção ªº 2ª-feira",
}
ODD = [
    "ΟΔΟΣ ΣΑΣ ΑΣ'Σ word another more than five",  # lower case of a final sigma
    "٣٫٥ ४५ 三 ①② ½ １２ digits of many scripts and more",
    "e\u0301 \u0301 \u0301x a\u0301\u0323b combining marks alone between words",
    "zero\u200bwidth soft\u00adhyphen nb\u00a0space ideo\u3000graphic line\u2028sep tab\tnew\nline",
    "😀👍🏽 →→ a→b ©2024 ™ ‘s ‘quoted’ ಠ︵ಠ ಠ_ಠ :) x:D is emoji text",
    "IS_ALPHA is_alpha isalpha prep det punct IS_ALPHA",
    "x" * 3000 + " http://example.org/a/b?c=d&e=f#g " + "y0" * 40 + " one two three",
    "İstanbul ıI ǅ ﬁne ﬀ K ℃ Å ŉ word another",
    "a.b.c.d 1.2.3.4 1,2,3 1..2 -5 +6 1e10 0x1F 5km 5kmh km5",
]


def reference(text: str, language: str, spec: Dedup) -> list[int] | None:
    """datatrove's steps on the whole text, one after the other."""
    text = regex.sub(r"\p{Nd}+([.,\u060c\u066b\u2396\u2397\u2398]{1}\p{Nd}+)?", "0", text.lower())
    text = text.translate({ord(c): " " for c in PUNCTUATION})
    text = re.sub(r"\s+", " ", text.strip())
    text = "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn").strip()
    words = [word for token in spacy_tokenizer(language)(text) if (word := token.text.strip())]
    digest = xxhash.xxh32_intdigest if spec.hash_bits == 32 else xxhash.xxh64_intdigest
    shingles = [digest(" ".join(words[i : i + spec.ngram]).encode()) for i in range(len(words) - spec.ngram + 1)]
    if not shingles:
        return None
    count, generator = spec.num_buckets * spec.hashes_per_bucket, np.random.RandomState(spec.seed)
    factors = generator.randint(1, PRIME, dtype=np.uint64, size=(1, count)).tolist()[0]
    summands = generator.randint(0, PRIME, dtype=np.uint64, size=(1, count)).tolist()[0]
    return [
        min(((s * a + b) % 2**64 % PRIME) & (2**spec.hash_bits - 1) for s in shingles)
        for a, b in zip(factors, summands, strict=True)
    ]


@cache
def spacy_tokenizer(language: str) -> Any:
    return spacy.blank(language).tokenizer


def signed(text: str, language: str, spec: Dedup) -> list[int] | None:
    minima = build_signer(spec).minima(Text(text, language))
    return None if minima is None else minima.tolist()


@pytest.mark.parametrize("language", LANGUAGES)
def test_signatures_equal_the_reference(language: str) -> None:
    for number, text in enumerate([TEXTS[language], *TEXTS.values(), *ODD]):
        spec = Dedup(seed=number, hash_bits=(32, 64)[number % 2])
        assert signed(text, language, spec) == reference(text, language, spec), text


def test_signatures_equal_what_datatrove_wrote() -> None:
    # datatrove 0.10.1, MinhashConfig() and HashConfig(): first three hashes of English text.
    text = "The quick brown fox doesn't jump over 12 lazy dogs; it cannot."
    assert signed(text, "en", Dedup())[:3] == [236386688976251678, 71392806247073412, 363352611023261769]
    assert signed(text, "en", Dedup(hash_bits=32, seed=7))[:3] == [116508485, 275765208, 51142513]


@pytest.mark.parametrize(
    "settings", [{"ngram": 1}, {"ngram": 3, "num_buckets": 2}, {"ngram": 13, "hashes_per_bucket": 1}]
)
def test_settings_are_followed(settings: dict[str, int]) -> None:
    spec = Dedup(**settings)
    found = signed(" ".join(TEXTS.values()), "en", spec)
    assert found == reference(" ".join(TEXTS.values()), "en", spec)
    assert len(found) == spec.num_buckets * spec.hashes_per_bucket


PIECES = st.sampled_from(
    [
        *"aZ0é'’.-,$%/ \n\t",
        "cannot",
        "don't",
        "dont",
        "im",
        "km",
        "5km",
        "1.5",
        "n°",
        "Σ",
        "ß",
        "e\u0301",
        "\u0301",
        "😀",
        "°",
        "‘",
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(PIECES, max_size=60).map("".join), st.sampled_from(["en", "de"]))
def test_any_text_is_split_as_if_it_were_whole(text: str, language: str) -> None:
    spec = Dedup(num_buckets=2, hashes_per_bucket=2, ngram=2)
    assert signed(text, language, spec) == reference(text, language, spec)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_chunk_of_letters_is_one_word_for_spacy(language: str) -> None:
    """The short cut that spares most work."""
    rng = random.Random(3)
    letters = "abcdefghijklmnopqrstuvwxyzæøßœªºžσжक한あ漢"
    chunks = {"".join(rng.choices(letters, k=rng.randint(1, 9))) for _ in range(400)}
    chunks |= {"us", "km", "kmh", "kg", "o", "s", "d", "l", "gb", "mm"} | set("0")
    chunks = {c for c in chunks if c.isalpha() or c == "0"} - set(spacy_tokenizer(language).rules)
    assert [c for c in sorted(chunks) if len(spacy_tokenizer(language)(c)) != 1] == []


def test_what_was_signed_before_makes_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    text = " ".join(TEXTS.values())
    fresh = NormalWords("en").join(text)
    assert normal_words("en").join(text) == fresh
    monkeypatch.setattr("workers.curation.dedup.normal._MAX_REMEMBERED", 5)
    small = NormalWords("en")
    assert [small.join(text) for _ in range(3)] == [fresh] * 3
    assert len(small._chunks) <= len(set(text.split()))


def test_long_chunks_are_not_remembered() -> None:
    words = NormalWords("en")
    for number in range(50):
        words.join(f"short {'z' * 100}{number}")
    assert list(words._chunks) == ["short"]


@given(st.binary(max_size=200), st.integers(0, 2**64 - 1))
def test_hashes_equal_xxhash(data: bytes, seed: int) -> None:
    lanes = lanes_of(np.frombuffer(data, dtype=np.uint8))
    assert int(xxh64(lanes, 0, len(data), np.uint64(seed))) == xxhash.xxh64_intdigest(data, seed=seed)
    assert int(xxh32(lanes, 0, len(data))) == xxhash.xxh32_intdigest(data)
    assert int(xxh64(lanes, len(data) // 3, len(data), np.uint64(0))) == xxhash.xxh64_intdigest(data[len(data) // 3 :])


def test_similarity_is_that_of_the_shingles_and_of_datasketch() -> None:
    rng = random.Random(5)
    base = [f"w{rng.randrange(10**6)}x" for _ in range(600)]
    base = [re.sub(r"\d", lambda m: "abcdefghij"[int(m[0])], word) for word in base]
    signer, spec = build_signer(Dedup(num_buckets=40, hashes_per_bucket=10)), 400
    for share in (0.0, 0.01, 0.03, 0.1, 0.3):
        other = [word if rng.random() >= share else "new" + word for word in base]
        left, right = (hash_ngrams(np.frombuffer(" ".join(t).encode(), np.uint8), 5, 64) for t in (base, other))
        true = len(np.intersect1d(left, right)) / len(np.union1d(left, right))
        ours = np.mean(signer.minima(Text(" ".join(base))) == signer.minima(Text(" ".join(other))))
        theirs = []
        for shingles in (left, right):
            sketch = MinHash(num_perm=spec, scheme="affine64", hashfunc=int)
            sketch.update_batch(shingles.tolist())
            theirs.append(sketch)
        sigma = (true * (1 - true) / spec) ** 0.5
        assert abs(ours - true) <= 4 * sigma
        assert abs(ours - theirs[0].jaccard(theirs[1])) <= 6 * sigma


def test_a_signature_that_crosses_processes_is_small() -> None:
    text = Text(" ".join(TEXTS.values()))
    signature = build_signer(Dedup()).sign(Document("id", "s", text.text, "text/plain"), text)
    assert len(pickle.dumps(signature)) < 1300
    assert pickle.loads(pickle.dumps(signature)) == signature
