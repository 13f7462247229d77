"""A number as a reader sees it: its digits, its thousands, and its sign."""

import re

NUMBER = re.compile(
    r"(?:(?<![\w.)\]}])[-+−])?(?<![\d.])(?:\d{1,3}(?:(?:,|\{,\})\d{3})+(?!\d)|\d+)(?:\.\d+)?"
)
FEW = 0.1  # of the value
SLACK = 0.55  # of the last digit shown: rounding, and as much again as moves on another machine


def read(shown: re.Match) -> tuple[float, int]:
    """(number, how many decimals it shows) of a match of NUMBER."""
    digits = re.sub(r"[,{}]", "", shown[0].replace("−", "-"))
    return float(digits), len(digits.partition(".")[2])


def agrees(shown: re.Match, value: float) -> bool:
    """Whether a number that is shown is this value, to the digits that are shown.

    0.1 is not 0.05: where few digits are shown, rounding must not take more than a tenth.
    """
    number, decimals = read(shown)
    if isinstance(value, int) and decimals == 0:
        return number == value
    away, last = abs(number - value), 10.0**-decimals
    return away <= SLACK * last and (away <= FEW * abs(value) or away <= SLACK / 10 * last)


def written(value: float, like: re.Match, formula: bool = False) -> str:
    """The value in the form of a number that is shown."""
    text, (_, decimals) = like[0], read(like)
    minus = "-" if formula or text.startswith("-") else "−"
    sign = minus if value < 0 else "+" * text.startswith("+")
    number = abs(value)
    while decimals < 12 and not agrees(NUMBER.search(f"{number:.{decimals}f}"), number):
        decimals += 1  # 0.05 is not shown as 0.1
    digits = f"{number:,.{decimals}f}"
    if re.match(r"[-+−]?\d{4}", text):  # no separators there
        digits = digits.replace(",", "")
    return sign + digits.replace(",", "{,}" if "{,}" in text else ",")
