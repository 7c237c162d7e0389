"""What a merchant sends along with an order for the platform to hand back as it is."""

import re
from typing import Final
from urllib.parse import parse_qs, unquote

from kit.untrusted import Unreadable, json_object

_BARE_CODE: Final = re.compile(r"[0-9A-Za-z-]{1,40}", re.ASCII)
_MOST_FIELDS: Final = 50


def read_passback(given: str) -> dict[str, str]:
    """`member` and `store` out of it.

    It may be a bare member number, `member=…&store=…` or a JSON object. Merchants use it for other
    things too, so whatever else it holds is no fault of the notice.
    """
    text = unquote(given, errors="replace").strip()
    if _BARE_CODE.fullmatch(text):
        return {"member": text}
    try:
        if text.startswith("{"):
            found = json_object(text.encode())
        else:
            pairs = parse_qs(text, max_num_fields=_MOST_FIELDS)
            found = {name: values[0] for name, values in pairs.items()}
    except (Unreadable, ValueError):
        return {}
    return {
        name: found[name]
        for name in ("member", "store")
        if isinstance(found.get(name), str) and _BARE_CODE.fullmatch(found[name])
    }
