"""Joins the parts of dead letters that were too large for one record. It has no dependencies: copy it."""

from dataclasses import dataclass, field


@dataclass
class OpenLetter:
    first_offset: int
    parts: int
    bodies: dict = field(default_factory=dict)


class DeadLetterJoiner:
    """Joins the parts in one partition, which holds all parts of a dead letter, because they have the same key."""

    def __init__(self):
        # By event id, in the order of their first offsets.
        self._open = {}

    def add(self, letter, offset):
        """Returns the letter with its whole body if this part completes it, else None."""
        event_id, part, parts = letter["eventId"], letter["part"], letter["parts"]
        if parts == 1:
            return letter
        opened = self._open.get(event_id)
        if opened is None or opened.parts != parts:
            if part != 0:
                # Retention has deleted the beginning of this letter, or this part is there a second time.
                return None
            opened = OpenLetter(offset, parts)
            self._open.pop(event_id, None)
            self._open[event_id] = opened
        opened.bodies[part] = letter["body"]
        if len(opened.bodies) < parts:
            return None
        del self._open[event_id]
        return {**letter, "body": b"".join(opened.bodies[number] for number in range(parts))}

    def first_open_offset(self):
        """The offset of the first part that waits for others, or None. A consumer commits no offset behind it."""
        return next((opened.first_offset for opened in self._open.values()), None)
