"""The process that serves: its socket, its HTTP server, its limits, its end."""

from rynek.server.listening import PortInUse, ServeError
from rynek.server.running import run, serve

__all__ = ["PortInUse", "ServeError", "run", "serve"]
