"""A mistake in a marker is an error: it never means that a block is silently left out."""

import pytest

from tests.docs.running.commands import Block, parse


def test_blocks_are_found_in_lists_and_in_notes() -> None:
    page = parse(
        "page.md",
        "1. A step\n\n   ```sh\n   one\n   ```\n\n````{note}\n```sh\ntwo\n```\n````\n"
        ":::{tip}\n<!-- refused: 422 -->\n```sh\nthree\n```\n:::\n",
    )
    assert page.faults == []
    assert page.blocks == [
        Block(4, "sh", "one\n"),
        Block(9, "sh", "two\n"),
        Block(15, "sh", "three\n", "refused", "422"),
    ]


def test_output_and_settings_are_not_run() -> None:
    page = parse("page.md", "```json\n{}\n```\n\n<!-- writes: /tmp/a -->\n```ini\na=1\n```\n")
    assert page.blocks == [Block(7, "ini", "a=1\n", "writes", "/tmp/a")]


def test_other_comments_are_left_alone() -> None:
    page = parse("page.md", "<!-- Note: for us. -->\n\nText.\n\n<!-- part -->\n```sh\na\n```")
    assert page.faults == []


@pytest.mark.parametrize(
    ("markdown", "fault"),
    [
        ("<!-- refuse: 422 -->\n```sh\na\n```", "3: unknown marker 'refuse: 422'"),
        ("<!-- not run -->\n```sh\na\n```", "3: after 'not run': a colon and the reason"),
        ("<!-- not run: -->\n```sh\na\n```", "3: after 'not run': a colon and the reason"),
        ("<!-- refused: 200 -->\n```sh\na\n```", "3: after 'refused': a colon and an HTTP status"),
        ("<!-- keeps running: yes -->\n```sh\na\n```", "3: after 'keeps running'"),
        ("<!-- refused: 422 -->\n\nText.", "1: 'refused' stands above no block"),
        ("Text.\n\n<!-- not run: a person reads it -->", "3: 'not run' stands above no block"),
        (
            "<!-- writes: a -->\n<!-- refused: 422 -->\n```sh\na\n```",
            "1: 'writes' stands above no block",
        ),
        ("<!-- refused: 422 -->\n```json\n{}\n```", "3: 'refused' is for blocks of sh"),
        ("<!-- answer except: id -->\n```sh\na\n```", "3: 'answer except' is for blocks of json"),
        ("<!-- not run: it is data -->\n```json\n{}\n```", "3: no block of json is run"),
        ("```bash\nls\n```", "2: the language is named 'sh' here, not 'bash'"),
        ("```\nls\n```", "2: a block needs three backticks and the name of its language"),
        ("```{code-block} sh\nls\n```", "2: a block needs three backticks"),
        ("```text\ncurl a\n```", "2: a block of text begins with a command"),
        ("Text.\n\n    make run\n", "3: a block needs three backticks"),
    ],
)
def test_a_mistake_is_a_fault_with_its_line(markdown: str, fault: str) -> None:
    assert len(faults := parse("page.md", markdown).faults) == 1
    assert faults[0].startswith(f"page.md:{fault}")
