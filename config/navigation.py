SIDEBAR: dict[str, object] = {}
