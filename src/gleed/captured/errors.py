"""What stops a capture."""

from __future__ import annotations

from gleed.places import users_place


class Unfollowed(Exception):
    """Something that a capture cannot follow. `rule` says what, `fix` what to do instead."""

    def __init__(self, rule: str, fix: str = "leave it out of the captured function") -> None:
        super().__init__(rule)
        self.rule, self.fix = rule, fix
        self.place = users_place()

    def message(self, name: str) -> str:
        """The text of the error or warning for the function called `name`."""
        return f"compile: {self.rule}; it came in {name} at {self.place.quoted}; {self.fix}"
