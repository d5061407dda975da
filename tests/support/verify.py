"""What tests of other rooms use of `router.tools.verify`."""

from router.tools.verify.kept import KeptSource
from router.tools.verify.verify import Verifier

__all__ = ["KeptSource", "Verifier"]
