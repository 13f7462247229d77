"""A number as a reader sees it: its digits, thousands, minus sign, power of ten, or as a word."""

import re
from math import log10

RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"
PLAIN = str.maketrans(RAISED, "0123456789-")
POWER = rf"10(?:[{RAISED}]+|\^\{{?-?\d+\}}?)"
NUMBER = re.compile(
    r"(?:(?<![\w.)\]}])[-+−])?(?<![\d.])"
    rf"(?:{POWER}|(?:\d{{1,3}}(?:(?:,|\{{,\}}|[\u202f\u2009])\d{{3}})+(?!\d)|\d+)(?:\.\d+)?"
    rf"(?:e[-+]?\d+(?!\w)|\s?(?:·|×|\\cdot|\\times)\s?{POWER})?)"
)
ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
ONES += " fifteen sixteen seventeen eighteen nineteen twenty"
TENS = "thirty forty fifty sixty seventy eighty ninety hundred"
WORDS = {word: n for n, word in enumerate(ONES.split())}
WORDS |= {word: 10 * n for n, word in enumerate(TENS.split(), start=3)}
FEW = 0.1  # of the value
SLACK = 0.55  # of the last digit shown: rounding, and as much again as moves on another machine


def read(shown: re.Match) -> tuple[float, float, int | None]:
    """(number, size of its last digit, exponent or None) of a match of NUMBER."""
    text = shown[0].replace("−", "-")
    bare = re.fullmatch(rf"([-+]?){POWER}", text)
    power = re.search(rf"{POWER}\Z", text)
    digits = re.match(r"[-+]?[\d,{}\u202f\u2009]*(\.\d+)?", text)
    exponent = None
    if power:
        exponent = int(re.sub(r"[^-\d]", "", power[0][2:].translate(PLAIN)))
    elif "e" in text:
        exponent = int(text.partition("e")[2])
    if bare:
        return float(f"{bare[1]}1e{exponent}"), 10.0**exponent, exponent
    mantissa = re.sub(r"[,{}\u202f\u2009]", "", digits[0])
    last = 10.0 ** ((exponent or 0) - len((digits[1] or ".")[1:]))
    return float(f"{mantissa}e{exponent or 0}"), last, exponent


def agrees(shown: re.Match, value: float) -> bool:
    """Whether a number that is shown is this value, to the digits that are shown.

    0.1 is not 0.05: where few digits are shown, rounding must not take more than a tenth.
    """
    number, last, exponent = read(shown)
    if isinstance(value, int) and last == 1 and exponent is None:
        return number == value
    away = abs(number - value)
    return away <= SLACK * last and (away <= FEW * abs(value) or away <= SLACK / 10 * last)


def written(value: float, like: re.Match, formula: bool = False) -> str:
    """The value in the form of a number that is shown."""
    text = like[0]
    _, last, exponent = read(like)
    minus = "-" if formula or "-" in text[:1] else "−"
    sign = minus if value < 0 else "+" * text.startswith("+")
    number = abs(value)
    if exponent is None:
        decimals = max(0, round(-log10(last)))
        while decimals < 12 and not agrees(NUMBER.search(f"{number:.{decimals}f}"), number):
            decimals += 1  # 0.05 is not shown as 0.1
        digits = f"{number:,.{decimals}f}"
        if "," not in text and len(text.lstrip("-+−").partition(".")[0]) > 3 or number < 1000:
            digits = digits.replace(",", "")
        separator = re.search(r"\{,\}|[\u202f\u2009]", text)
        return sign + digits.replace(",", separator[0] if separator else ",")
    if re.fullmatch(rf"[-+−]?{POWER}", text):
        return sign + _power(text, round(log10(number)) if number else 0)
    decimals = max(0, round(exponent - log10(last)))
    mantissa, _, own = f"{number:.{decimals}e}".partition("e")
    head = re.match(r"[-+−]?[\d.,]+(.*?)(?:10(?=[^\d.]).*|e[-+]?\d+)\Z", text)
    if "e" in text:
        return f"{sign}{mantissa}e{own}"
    return f"{sign}{mantissa}{head[1]}{_power(text, int(own))}"


def _power(text: str, exponent: int) -> str:
    if "^" in text:
        return f"10^{exponent}" if 0 <= exponent <= 9 else f"10^{{{exponent}}}"
    return "10" + str(exponent).translate({v: k for k, v in PLAIN.items()})


def in_words(value: float, like: str) -> str:
    """A whole number as a word, in capitals like another; in digits where there is no word."""
    words = {n: word for word, n in WORDS.items()}
    word = words.get(value, f"{value:,}")
    return word.capitalize() if like[:1].isupper() else word
