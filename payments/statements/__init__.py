"""Formats of settlement files and statements, one module each, found from this folder."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from payments.statements.base import Format


@cache
def all_formats() -> dict[str, Format]:
    found: list[Format] = []
    for entry in iter_modules(__path__):
        module = import_module(f"{__name__}.{entry.name}")
        if hasattr(module, "FORMAT"):
            found.append(module.FORMAT)
    return {form.code: form for form in sorted(found, key=lambda form: form.order)}
