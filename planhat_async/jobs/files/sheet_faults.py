"""Cells of a workbook that hold an error, or a formula without a value, which a reader takes for empty ones.

The sheets of .xlsx, .xlsm and .ods are XML in a zip archive. A search for the few signs of such cells is fast; only a
sheet that has one is parsed.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from typing import IO, BinaryIO
from xml.parsers import expat

_READ_BYTES = 1 << 20
_NO_VALUES = re.compile(rb"</(\w+:)?f>\s*</(\w+:)?c>|<(\w+:)?f\b[^>]*/>|<(\w+:)?v\s*/>|<(\w+:)?v></")
"""What may be a formula without a value."""
_LONGEST_SIGN = 200
_CELL = re.compile(r"([A-Z]{1,3})(\d+)")
NO_VALUE = "a formula without a value: open the file in a spreadsheet, and save it"


def faults_in(file: BinaryIO, sheet: str) -> dict[int, dict[int, str]]:
    """What is wrong with cells of a sheet, by row and column, both counted from 0.

    Raises:
        ValueError, KeyError: The file has not the parts of a workbook.
        zipfile.BadZipFile, expat.ExpatError: It is damaged, or its parts are not XML.
    """
    with zipfile.ZipFile(file) as archive:
        is_open_document = is_open_document_in(archive)
        part = "content.xml" if is_open_document else _part_of(archive, sheet)
        with archive.open(part) as content:
            if not _has_signs(content):
                return {}
        with archive.open(part) as content:
            return _parsed(content, _TableParser(sheet) if is_open_document else _CellParser())


def is_open_document_in(archive: zipfile.ZipFile) -> bool:
    """Whether an archive is a workbook of OpenDocument, and not of Excel."""
    return "content.xml" in archive.namelist()


def cell_name(row: int, column: int) -> str:
    """A cell as spreadsheets name it: `C7`."""
    return f"{column_name(column)}{row + 1}"


def column_name(column: int) -> str:
    """A column as spreadsheets name it: `AA` is the 26th, counted from 0."""
    letters, rest = "", column + 1
    while rest:
        rest, letter = divmod(rest - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return letters


def _part_of(archive: zipfile.ZipFile, sheet: str) -> str:
    """The name of a sheet's part."""
    (office,) = (
        given["Target"]
        for name, given in _elements(archive.read("_rels/.rels"))
        if name == "Relationship" and given["Type"].endswith("/officeDocument")
    )
    office = office.removeprefix("/")
    folder, _, name = office.rpartition("/")
    targets = {
        given["Id"]: given["Target"]
        for element, given in _elements(archive.read(posixpath.join(folder, "_rels", f"{name}.rels")))
        if element == "Relationship"
    }
    for element, given in _elements(archive.read(office)):
        if element == "sheet" and given["name"] == sheet:
            id_ = next(value for key, value in given.items() if key.rpartition(":")[2] == "id")
            return posixpath.normpath(posixpath.join("/", folder, targets[id_])).removeprefix("/")
    raise KeyError(sheet)


def _elements(content: bytes) -> list[tuple[str, dict[str, str]]]:
    """The elements of a small part, with their attributes."""
    found: list[tuple[str, dict[str, str]]] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, given: found.append((name.rpartition(":")[2], given))
    parser.Parse(content, True)
    return found


def _has_signs(content: IO[bytes]) -> bool:
    """Whether a part may have such cells."""
    before = b""
    while data := content.read(_READ_BYTES):
        searched = before + data
        # To search for a few bytes takes a tenth of the time of a pattern, and most sheets have none of them.
        if b'"e"' in searched or b"'e'" in searched or b"error" in searched:
            return True
        if (b"<f" in searched or b":f" in searched) and _NO_VALUES.search(searched):
            return True
        before = data[-_LONGEST_SIGN:]
    return False


class _CellParser:
    """Collects faults from the elements of a sheet."""

    def __init__(self) -> None:
        self.faults: dict[int, dict[int, str]] = {}
        self._row, self._column = -1, -1
        self._type = ""
        self._has_formula = self._has_value = self._is_value = False
        self._text = ""

    def start(self, name: str, given: dict[str, str]) -> None:
        """Note the beginning of an element."""
        name = name.rpartition(":")[2]
        if name == "row":
            self._row, self._column = int(given.get("r", self._row + 2)) - 1, -1
        elif name == "c":
            self._column = _column_of(given.get("r", "")) if "r" in given else self._column + 1
            self._type, self._text, self._has_formula, self._has_value = given.get("t", "n"), "", False, False
        elif name == "f":
            self._has_formula = True
        elif name == "v":
            self._has_value = self._is_value = True

    def text(self, data: str) -> None:
        """Note the text of a value."""
        if self._is_value:
            self._text += data

    def end(self, name: str) -> None:
        """Judge a cell at its end."""
        name = name.rpartition(":")[2]
        if name == "v":
            self._is_value = False
        elif name == "c" and (fault := self._fault()) is not None:
            self.faults.setdefault(self._row, {})[self._column] = fault

    def _fault(self) -> str | None:
        if self._type == "e":
            return self._text or "an error"
        # The value of a formula may be an empty text.
        is_empty_text = self._type == "str" and self._has_value
        return NO_VALUE if self._has_formula and not self._text and not is_empty_text else None


class _TableParser:
    """Collects errors from the elements of a table of OpenDocument."""

    def __init__(self, sheet: str) -> None:
        self.faults: dict[int, dict[int, str]] = {}
        self._sheet = sheet
        self._is_sheet = False
        self._row = self._column = 0
        self._n_rows = self._n_columns = 0
        self._text: str | None = None

    def start(self, name: str, given: dict[str, str]) -> None:
        """Note the beginning of an element."""
        plain = {key.rpartition(":")[2]: value for key, value in given.items()}
        if name == "table:table":
            self._is_sheet, self._row = plain.get("name") == self._sheet, 0
        elif name == "table:table-row":
            self._column, self._n_rows = 0, int(plain.get("number-rows-repeated", 1))
        elif name in ("table:table-cell", "table:covered-table-cell"):
            self._n_columns = int(plain.get("number-columns-repeated", 1))
            self._text = "" if given.get("calcext:value-type") == "error" and self._is_sheet else None

    def text(self, data: str) -> None:
        """Note the text of an error."""
        if self._text is not None:
            self._text += data

    def end(self, name: str) -> None:
        """Note the errors of a cell at its end."""
        if name == "table:table-row":
            self._row += self._n_rows
        elif name in ("table:table-cell", "table:covered-table-cell"):
            if self._text is not None:
                # A repeated row of errors would be a table of nothing but errors.
                row = self.faults.setdefault(self._row, {})
                row |= dict.fromkeys(range(self._column, self._column + self._n_columns), self._text or "an error")
            self._column += self._n_columns
            self._text = None


def _column_of(cell: str) -> int:
    found = _CELL.fullmatch(cell)
    if found is None:
        raise ValueError(f"{cell!r} is not the name of a cell")
    number = 0
    for letter in found[1]:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def _parsed(content: IO[bytes], cells: _CellParser | _TableParser) -> dict[int, dict[int, str]]:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = cells.start, cells.end
    parser.CharacterDataHandler = cells.text
    parser.ParseFile(content)
    return cells.faults
