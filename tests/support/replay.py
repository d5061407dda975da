"""What tests of other rooms use of `router.tools.replay`."""

from router.tools.replay.source import SourceMessage, read_export

__all__ = ["SourceMessage", "read_export"]
