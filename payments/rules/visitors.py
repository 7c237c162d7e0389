"""Who is a visitor: somebody who pays in another country than their own.

A member's own country is that of their home region; of a payer who is not known, it is the
country of their wallet or card. Where a country is not known, nobody can say.
"""


def is_visitor(*, home_country: str, payer_country: str, store_country: str) -> bool | None:
    """ISO 3166-1 alpha-2 codes, empty where unknown; None where nobody can say."""
    own = home_country or payer_country
    return own != store_country if own and store_country else None
