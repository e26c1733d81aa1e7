"""Which of its sensors a device means by a name; words by number."""

from collections.abc import Sequence

_UNKNOWN = -(1 << 40)


class Words:
    """Texts that many things share, such as units, each with a number that stays."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    def codes(self, texts: Sequence[str]) -> list[int]:
        """The number of each text, a new one for what was never asked for."""
        return [self._codes.setdefault(text, len(self._codes)) for text in texts]

    def text(self, code: int) -> str:
        """The text of a number."""
        return list(self._codes)[code]


class SensorNames:
    """Name → index, device by device. Devices of one make share one mapping of offsets."""

    def __init__(self) -> None:
        self._first: list[int] = []
        self._offsets: list[dict[str, int]] = []
        self._shared: dict[tuple[tuple[str, int], ...], dict[str, int]] = {(): {}}

    def find(self, device: int, names: Sequence[str]) -> list[int]:
        """The index of each sensor that a device names; -1 unknown."""
        first, offsets = self._first[device], self._offsets[device]
        return [max(first + offsets.get(name, _UNKNOWN), -1) for name in names]

    def add(
        self, devices: int, device: Sequence[int], sensor: Sequence[int], names: Sequence[str]
    ) -> None:
        """Take in n sensors of `device` with index `sensor`, those of a device side by side."""
        missing = devices - len(self._first)
        self._first.extend([0] * missing)
        self._offsets.extend([self._shared[()]] * missing)
        start = 0
        for stop in range(1, len(device) + 1):
            if stop == len(device) or device[stop] != device[start]:
                self._add_device(device[start], sensor[start:stop], names[start:stop])
                start = stop

    def _add_device(self, device: int, sensor: Sequence[int], names: Sequence[str]) -> None:
        first = self._first[device]
        known = {name: first + offset for name, offset in self._offsets[device].items()}
        known.update(zip(names, sensor, strict=True))
        self._first[device] = first = min(known.values())
        offsets = {name: index - first for name, index in known.items()}
        self._offsets[device] = self._shared.setdefault(tuple(offsets.items()), offsets)
