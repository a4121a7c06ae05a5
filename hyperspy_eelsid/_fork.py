"""Processes that are forked: threads do not follow, so that what waits for them has to be forgotten."""

from __future__ import annotations

import os
import sys


def arrange() -> None:
    """Let processes that are forked from this one make their own threads when they first need them."""
    if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
        os.register_at_fork(after_in_child=_forget_threads)


def _forget_threads() -> None:
    """Forget the pools of dask, whose threads are those of the parent; a task in them would wait for ever."""
    threaded = sys.modules.get("dask.threaded")
    if threaded is not None:
        threaded.default_pool = None
        threaded.pools = type(threaded.pools)(dict)
        threaded.pools_lock = type(threaded.pools_lock)()
