"""The system's limit of open files, which connections count against."""

import resource

from router.deliver.log import LOGGER


def allow_files(count: int) -> None:
    """Let this process have so many files open, as far as the system lets it; many systems begin with 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= count:
        return
    most = count if hard == resource.RLIM_INFINITY else min(count, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most < count:
        fields = {"limit": most, "needed": count}
        LOGGER.warning(
            "all receivers together may need more open files than the system allows: raise 'ulimit -Hn'",
            extra={"fields": fields},
        )
