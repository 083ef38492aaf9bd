"""litellm itself: imported late and in a thread, kept quiet, and closed without leaving anything behind."""

import asyncio
import importlib
import logging
import os
import threading
from concurrent.futures import Future
from typing import Any

_QUIET_ENVIRONMENT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # otherwise the import downloads the price table
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",  # otherwise a first Claude call downloads a list
    "LITELLM_MODE": "PRODUCTION",  # otherwise the import reads .env into the environment behind our settings
}
_LOGGERS = ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy")
_FLUSH_TIMEOUT_S = 1.0


class LitellmLibrary:
    """The library as a resource of the process. Its import takes 2 to 3 s, so ``start`` it early."""

    def __init__(self) -> None:
        self._import: Future[Any] | None = None

    def start(self) -> None:
        """Begin the import in the thread "litellm import"; returns at once, further calls do nothing."""
        if self._import is None:
            self._import = Future()
            # A daemon, so that Ctrl-C does not wait for an import that nobody needs any more.
            thread = threading.Thread(target=_import_into, args=(self._import,), name="litellm import", daemon=True)
            thread.start()

    async def module(self) -> Any:
        """The module ``litellm``, once it is there; the event loop goes on meanwhile.

        Raises:
            ImportError: it cannot be imported.
        """
        self.start()
        assert self._import is not None
        return await asyncio.wrap_future(self._import)

    async def aclose(self) -> None:
        """Close litellm's HTTP clients and its logging task; a loaded module stays usable."""
        if self._import is None or not self._import.done() or self._import.exception() is not None:
            return
        litellm = self._import.result()
        worker = importlib.import_module("litellm.litellm_core_utils.logging_worker").GLOBAL_LOGGING_WORKER
        try:
            await asyncio.wait_for(worker.flush(), _FLUSH_TIMEOUT_S)
        except TimeoutError:
            logging.getLogger(__name__).debug("litellm's logging queue was not empty at close")
        await worker.stop()
        cleanup = importlib.import_module("litellm.llms.custom_httpx.async_client_cleanup")
        await cleanup.close_litellm_async_clients()
        # Closed clients must not be found again by a runtime that is started later in this process.
        litellm.in_memory_llm_clients_cache.flush_cache()


def _import_into(future: Future[Any]) -> None:
    # A running future cannot be cancelled by one impatient waiter among several.
    future.set_running_or_notify_cancel()
    try:
        future.set_result(_import_quietly())
    except Exception as error:
        future.set_exception(ImportError(f"litellm cannot be imported: {error}"))


def _import_quietly() -> Any:
    for name, value in _QUIET_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    litellm: Any = importlib.import_module("litellm")
    litellm.suppress_debug_info = True
    litellm.disable_streaming_logging = True
    litellm.telemetry = False
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
    return litellm
