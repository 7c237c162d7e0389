"""The payment platforms, found from this folder."""

import pkgutil
from functools import cache
from importlib import import_module

from payments.providers.base import Provider


@cache
def all_providers() -> dict[str, Provider]:
    """Every platform by its code, in alphabetical order."""
    found = (module.name for module in pkgutil.iter_modules(__path__) if module.name != "base")
    providers = [import_module(f"{__name__}.{name}").PROVIDER for name in found]
    return {provider.code: provider for provider in sorted(providers, key=lambda p: p.code)}
