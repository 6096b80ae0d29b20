"""The parts of README.md that scripts write."""

from pathlib import Path

README = Path(__file__).parent / "README.md"


def write(part: str, text: str) -> None:
    """Replace what stands between `<!-- part -->` and `<!-- end of part -->`."""
    start, end = f"<!-- {part} -->\n", f"<!-- end of {part} -->\n"
    before, rest = README.read_text().split(start)
    README.write_text(before + start + text + end + rest.split(end)[1])
