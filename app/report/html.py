"""Parts of a self-contained page: no script, no outside resource, readable on a phone and in print."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources

from .words import VERDICT


def document(title: str, body: str) -> str:
    """A whole page around ``body`` (HTML)."""
    style = resources.files(__package__).joinpath("style.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{escape(title)}</title>\n<link rel="icon" href="data:,">\n'
        f"<style>\n{style}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def gallery(title: str, text: str, pictures: Sequence[str]) -> str:
    """A section of pictures; nothing where there are none."""
    if not pictures:
        return ""
    return (
        f"<section><h2>{escape(title)}</h2>\n<p>{escape(text)}</p>\n"
        f'<div class="pictures">{"".join(pictures)}</div></section>'
    )


def picture(svg: str, alt: str) -> str:
    """An SVG drawing as an image that stands alone."""
    data = base64.b64encode(svg.encode()).decode()
    return f'<figure><img alt="{escape(alt)}" src="data:image/svg+xml;base64,{data}"></figure>\n'


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    text: Sequence[int] = (),
    marked: Sequence[bool] = (),
) -> str:
    """A table that scrolls where it must.

    Cells are HTML already; ``text`` names the columns set flush left, ``marked`` the rows in colour.
    """

    def cell(tag: str, index: int, value: str) -> str:
        return f'<{tag} class="text">{value}</{tag}>' if index in text else f"<{tag}>{value}</{tag}>"

    head = "".join(cell("th", index, escape(name)) for index, name in enumerate(header))
    body = ""
    for number, row in enumerate(rows):
        colour = ' class="learned"' if number < len(marked) and marked[number] else ""
        body += (
            f"<tr{colour}>" + "".join(cell("td", index, value) for index, value in enumerate(row)) + "</tr>\n"
        )
    return (
        f'<div class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>\n'
    )


def verdict(told: Mapping[str, str]) -> str:
    """The three lines of a market's card."""
    lines = "".join(f"<dt>{name}</dt><dd>{escape(told[key])}</dd>" for key, name in VERDICT.items())
    return f'<dl class="verdict">{lines}</dl>\n'


def folded(title: str, content: str) -> str:
    """Content (HTML) that opens on a click."""
    return f"<details><summary>{escape(title)}</summary>\n{content}</details>\n"
