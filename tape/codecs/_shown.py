"""How values and paths stand in the texts of errors."""

from __future__ import annotations


def shown(value: object, most: int = 200) -> str:
    """A value, or the path to one, for the text of an error: a long one without its middle."""
    try:
        text = str(value)
    except ValueError:  # Python refuses to print very long integers
        text = f"an int of {value.bit_length()} bits" if isinstance(value, int) else "a value"
    if len(text) <= most:
        return text
    return f"{text[:most // 2]}...({len(text)} characters)...{text[-most // 4:]}"
