"""Phone numbers in international and local writing, replaced by numbers that are reserved for fiction.

Precise rather than greedy: a number counts when its shape is one that only phone numbers have in the text's language,
or when a word for a phone stands before it. Dates, prices, versions, ISBNs and long ids stay.
Number plans: ITU-T E.164 and its list of country codes. Reserved for fiction: 555-0100 to 555-0199 (NANPA), Ofcom's
"Telephone numbers for drama", Arcep decision 2018-0881, Bundesnetzagentur notice 148/2021; Spain, Italy, Portugal and
Brazil reserve none, so theirs become American ones.
"""

import re
from collections.abc import Iterator
from itertools import cycle

_GAP = r"[ .\-/\u00a0\u202f]"
_BLANK = r"[ \u00a0\u202f]"
_NO_DIGIT_BEFORE = r"(?<![\w+#$€£.,:/=\-])"
_NO_DIGIT_AFTER = rf"(?!\w|[.,:/\-]\w|{_BLANK}?(?:[€$£%]|EUR|USD|kr)|{_BLANK}\d)"

_INTERNATIONAL = re.compile(rf"(?<![\w+=*/.,])(?:\+|00(?=[1-9]))[1-9]\d{{0,2}}(?:{_GAP}{{0,2}}\(?\d{{1,14}}\)?){{1,7}}")
_SURE = (
    r"tel|t[ée]l|t[ée]l[ée]phone|phone|telephone|telefon|tel[ée]fono|telefone|tfno|tlf|fax|t[ée]l[ée]copie|telem[óo]vel|"
    r"hotline|whatsapp|call us(?: at)?"
)
_WITH_COLON = r"(?:mobile?|m[óo]vil|cell|cellulare|celular|handy|portable|fon)(?=[.:])"
_NUMBER_SIGN = r"(?:[.\s]{0,2}(?:no|nr|n°|nº|num|number|numéro|nummer|número|numero))?"
_CUE_BEFORE = re.compile(
    rf"\b(?:(?:{_SURE})(?!\w)|{_WITH_COLON}){_NUMBER_SIGN}[.: \t(]{{0,4}}$",
    re.IGNORECASE,
)
_CUED = re.compile(r"\+?\(?\d[\d()./ \-\u00a0\u202f]{5,22}\d(?!\w|[.,]\d)")
_CUE_CHARS = 32
_NANP = r"[2-9]\d{2}"
_LOCAL_SHAPES = {
    "en": [
        rf"(?:\+?1[-. ])?\({_NANP}\){_BLANK}?{_NANP}[-. ]\d{{4}}",
        rf"(?:1[-.])?{_NANP}(?P<sep>[-.]){_NANP}(?P=sep)\d{{4}}",
        rf"\(0\d{{2,4}}\){_BLANK}?\d{{3,4}}{_BLANK}?\d{{3,4}}",
        rf"02\d{_BLANK}\d{{4}}{_BLANK}\d{{4}}|0\d{{4}}{_BLANK}\d{{6}}|0\d{{3}}{_BLANK}\d{{3}}{_BLANK}\d{{4}}",
    ],
    "fr": [
        r"0[1-9](?P<sep>[ .\-\u00a0\u202f])\d{2}(?:(?P=sep)\d{2}){3}",
        rf"0{_BLANK}8\d{{2}}(?:{_BLANK}\d{{3}}){{2}}",
    ],
    "de": [
        r"\(0(?: ?\d){2,4}\)[ /\-]{0,3}\d(?:[ \-]?\d){3,10}",
        r"0[1-9]\d{1,3} ?[/\u2013-] ?[1-9]\d(?:[ -]?\d){3,8}",
    ],
    "es": [r"[6-9]\d{2}(?: \d{2}){3}", r"9\d \d{3} \d{2} \d{2}"],
    "it": [r"0\d{1,3}[/-]\d{5,8}", r"3\d{2}(?:[ /-]\d{7}|[ -]\d{3}[ -]\d{4})"],
    "pt": [r"\(0?[1-9]{2}\) ?9?\d{4}[- ]\d{4}", r"[1-9]{2} 9\d{4}-\d{4}"],
}
_FICTITIOUS = {
    "1": ("+1 202-555-0147", "+1 202-555-0182"),
    "33": ("+33 1 99 00 12 34", "+33 6 39 98 56 78"),
    "44": ("+44 20 7946 0123", "+44 7700 900456"),
    "49": ("+49 30 23125 012", "+49 40 66969 345"),
}
_FICTITIOUS_LOCAL = {
    "fr": ("01 99 00 12 34", "06 39 98 56 78"),
    "de": ("030 23125 012", "040 66969 345"),
}
_FICTITIOUS_ELSE = ("202-555-0147", "202-555-0182")

# Digits after the country code, and how they begin, where the plan is that regular; others: 6 to 13 digits.
_PLANS = {
    "1": re.compile(r"[2-9]\d{2}[2-9]\d{6}"),
    "33": re.compile(r"[1-9]\d{8}"),
    "34": re.compile(r"[6-9]\d{8}"),
    "351": re.compile(r"[1-9]\d{8}"),
    "39": re.compile(r"(?:0\d{5,10}|3\d{8,9}|[48]\d{5,9})"),
    "44": re.compile(r"[1-9]\d{8,9}"),
    "49": re.compile(r"[1-9]\d{5,12}"),
    "55": re.compile(r"[1-9]{2}\d{8,9}"),
}
_ANY_PLAN = re.compile(r"\d{6,13}")
_CODE = re.compile(
    r"1|7|20|27|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|"
    r"2[1-69]\d|3[578]\d|42\d|5[09]\d|6[789]\d|8[0578]\d|9[679]\d"
)
"""Country codes; none is the beginning of another (ITU-T E.164)."""
_NOT_A_PHONE = re.compile(
    r"(?:isbn|issn|doi|rfc|iso|vers(?:ion|ión|ione|ão)|\bid)[\s:.#n°º\-]{0,4}(?:1[03][\s:]{1,2})?$", re.IGNORECASE
)
_DATE = re.compile(r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}[./-]\d{1,2}[./-]\d{1,2}")
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_DIGIT = re.compile(r"\d")
_CANDIDATE = re.compile(r"[+(]?\d(?:[ .\-/()\u00a0\u202f\u2013]{0,3}\d){5,24}")
_GROUP = re.compile(r"[+(]\d|(?<![\d+(])\d")


def replace_phones(text: str, language: str = "") -> tuple[str, int]:
    """The text with phone numbers replaced, and how many. `language` names the local writing; "": all we know."""
    found = list(find_phones(text, language))
    if not found:
        return text, 0
    cycles = {key: cycle(values) for key, values in _FICTITIOUS.items()}
    local = cycle(_FICTITIOUS_LOCAL.get(language, _FICTITIOUS_ELSE))
    pieces, done = [], 0
    for start, end, code in found:
        pieces += [text[done:start], next(cycles.get(code, cycles["1"]) if code else local)]
        done = end
    return "".join([*pieces, text[done:]]), len(found)


def find_phones(text: str, language: str = "") -> Iterator[tuple[int, int, str]]:
    """Begin, end and country code ("" for local writing) of each number, in order."""
    done = 0
    for candidate in _CANDIDATE.finditer(text):
        for group in _GROUP.finditer(text, candidate.start(), candidate.end()):
            if group.start() >= done and (found := _number_at(text, group.start(), language)):
                yield group.start(), *found
                done = found[0]


def _number_at(text: str, start: int, language: str) -> tuple[int, str] | None:
    """End and country code of the phone number that begins here."""
    if (match := _INTERNATIONAL.match(text, start)) and (code := _country(match[0])):
        end = match.end() - (match[0].endswith(")") and match[0].count("(") < match[0].count(")"))
        return end, code
    before = text[max(0, start - _CUE_CHARS) : start]
    for pattern in _patterns(language):
        if (match := pattern.match(text, start)) and not _NOT_A_PHONE.search(before):
            return match.end(), ""
    if _CUE_BEFORE.search(before) and (match := _CUED.match(text, start)) and _is_phone(match[0]):
        return match.end(), ""
    return None


def _country(written: str) -> str:
    """Country code of a number in international writing; "" when it is none."""
    digits = "".join(_DIGIT.findall(written.replace("(0)", "").removeprefix("00")))
    code = match[0] if (match := _CODE.match(digits)) else ""
    national = digits[len(code) :]
    if not code or not 8 <= len(digits) <= 15 or national.endswith("000"):
        return ""
    if code != "39":
        national = national.removeprefix("0")  # "+49 030 ..." is wrong, and common
    return code if _PLANS.get(code, _ANY_PLAN).fullmatch(national) else ""


def _is_phone(written: str) -> bool:
    """Is what follows a word for a phone a number of 6 to 15 digits, and no date or address?"""
    is_other = _DATE.fullmatch(written) or _ADDRESS.fullmatch(written)
    return not is_other and 6 <= len(_DIGIT.findall(written)) <= 15


_compiled: dict[str, list[re.Pattern[str]]] = {
    language: [re.compile(_NO_DIGIT_BEFORE + f"(?:{shape})" + _NO_DIGIT_AFTER) for shape in shapes]
    for language, shapes in _LOCAL_SHAPES.items()
}


def _patterns(language: str) -> list[re.Pattern[str]]:
    """The shapes of one language, or of all."""
    if language:
        return _compiled.get(language, [])
    return [pattern for patterns in _compiled.values() for pattern in patterns]
