"""The runtime stands alone: what touches a message imports nothing of the tools."""

import pkgutil
import subprocess
import sys

import router.runtime

CODE = """
import sys
from importlib import import_module
for name in sys.argv[1:]:
    import_module(name)
print(*[name for name in sys.modules if name.startswith(("router.tools", "router.prover"))])
"""


def test_the_runtime_imports_no_tool() -> None:
    """All modules of the runtime, imported in one process, bring nothing of the tools or of the prover."""
    modules = [info.name for info in pkgutil.walk_packages(router.runtime.__path__, "router.runtime.")]

    done = subprocess.run([sys.executable, "-c", CODE, *modules], capture_output=True, text=True, check=True)

    assert (len(modules) > 100, done.stdout.strip()) == (True, "")
