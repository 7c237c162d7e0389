"""Ways to reach a member. A channel = one module with `send`, and one line here."""

from collections.abc import Callable, Mapping
from typing import Final

from campaigns.channels import mail
from campaigns.channels.letters import Letter, Outcome

CHANNELS: Final[Mapping[str, Callable[[Letter], Outcome]]] = {"email": mail.send}

__all__ = ["CHANNELS", "Letter", "Outcome"]
