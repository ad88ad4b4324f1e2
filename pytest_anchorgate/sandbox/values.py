"""Short texts for values and exceptions that nobody vouches for.

Also runs inside the sandboxed interpreter: no import.
"""

from __future__ import annotations

MOST_CHARACTERS = 2000
MOST_ITEMS = 1000


def render_value(value: object) -> str:
    """Return ``repr(value)``, shortened in the middle; never raises."""
    try:
        return shorten(_repr(value))
    except BaseException as error:
        return f"<{type(value).__name__} whose repr raised {type(error).__name__}>"


def _repr(value: object) -> str:
    kind = type(value)
    if kind is int and value.bit_length() > 10_000:  # type: ignore[attr-defined]
        return f"<int of {value.bit_length()} bits>"  # type: ignore[attr-defined]
    if kind in (str, bytes, list, tuple) and len(value) > MOST_ITEMS:  # type: ignore[arg-type]
        half = MOST_ITEMS // 2
        return f"{value[:half]!r} ... {value[-half:]!r}"  # type: ignore[index]
    return repr(value)


def render_exception(error: BaseException) -> str:
    """Return ``Type: message``, or the type alone; never raises."""
    name = type(error).__name__
    try:
        message = shorten(str(error))
    except BaseException as second:
        message = f"<str raised {type(second).__name__}>"
    return f"{name}: {message}" if message else name


def shorten(text: str) -> str:
    """Return ``text`` with its middle cut out when it is long, safe to encode as UTF-8."""
    if len(text) > MOST_CHARACTERS:
        half = MOST_CHARACTERS // 2
        text = f"{text[:half]} ... {text[-half:]}"
    return text.encode(errors="backslashreplace").decode()


def escape(text: str) -> str:
    """Return ``text`` with everything that a terminal might obey written as an escape."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text.expandtabs(4)
    )
