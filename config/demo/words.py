"""A name or text in the three languages of the house."""

from typing import NamedTuple


class Words(NamedTuple):
    en: str
    hant: str
    hans: str

    def as_fields(self) -> dict[str, str]:
        """The columns of a `Named` row."""
        return {"name": self.en, "name_zh_hant": self.hant, "name_zh_hans": self.hans}

    def by_language(self) -> dict[str, str]:
        return {"en": self.en, "zh-hant": self.hant, "zh-hans": self.hans}
