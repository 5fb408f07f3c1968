"""Labels: names for people, harmless wherever they are shown."""

import pytest
from pydantic import TypeAdapter, ValidationError

from contracts.labels import MAX_LABEL, Label, check_label, label_of_file

FORBIDDEN = ["a\x00b", "a\nb", "a\x1b[31mb", "a\x85b", "a\u2028b", "photo\u202egpj.exe", "a\ud800"]


@pytest.mark.parametrize("text", FORBIDDEN)
def test_characters_that_disturb_their_surroundings_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="control characters"):
        check_label(text)
    assert check_label(label_of_file(text)) == label_of_file(text) != ""


def test_a_label_has_one_form_and_a_limit() -> None:
    label = TypeAdapter[str](Label)
    assert label.validate_python(" Ku\u0308che.jpg ") == "K\u00fcche.jpg"
    assert label.validate_python("👨‍👩‍👧 क़.jpg") == "👨‍👩‍👧 क\u093c.jpg", "NFC may be longer"
    assert label.validate_python("x" * MAX_LABEL) == "x" * MAX_LABEL
    for long in ("x" * (MAX_LABEL + 1), "\u0958" * MAX_LABEL):
        with pytest.raises(ValidationError, match="200 characters"):
            label.validate_python(long)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("kitchen.jpg", "kitchen.jpg"),
        ("../../etc/passwd", "passwd"),
        (r"C:\Photographs\hall.jpg", "hall.jpg"),
        ("folder/", ""),
        ("x" * 300, "x" * MAX_LABEL),
        ("\u0958" * 150, "\u0915\u093c" * 100),
    ],
)
def test_the_name_of_a_file_becomes_a_label_without_folders(name: str, label: str) -> None:
    assert label_of_file(name) == check_label(label) == label
