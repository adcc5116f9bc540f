"""The documentation of a record's fields: the strings under them in the source."""

from __future__ import annotations

import ast
import inspect
import itertools
import textwrap


def documentation_of(cls: type) -> dict[str, str]:
    """The string under each field of a class and of its bases, by the field's name; empty without source."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__[:-1]):
        try:
            source = inspect.getsource(base)
        except (OSError, TypeError):
            continue
        (defined,) = ast.parse(textwrap.dedent(source)).body
        statements = defined.body if isinstance(defined, ast.ClassDef) else []
        for field, below in itertools.pairwise(statements):
            match field, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    found[name] = inspect.cleandoc(text)
    return found
